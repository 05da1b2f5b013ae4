"""The named policies: who is scored by what, and with which propensities."""

from datetime import timedelta

import numpy as np
import pytest
from logs import START, impression, log_of, styles_on_offer

from personalize.features import FeatureFrame, History, Requests, StyleSpace, build_features
from personalize.features.runs import Floats
from personalize.policy import POLICIES, Exploration, plan_styles

STYLES = styles_on_offer(5, width=3)
EXPLORATION = Exploration()


class Favourite:
    """A scorer that likes the last style best."""

    model_version = "favourite-1"

    def score(self, frame: FeatureFrame) -> Floats:
        return frame.candidates.ravel().astype(np.float64)


@pytest.fixture
def frame() -> FeatureFrame:
    """Requests of a known user, a new user, and the known user again."""
    rows = [impression("ada", "style-01", hours=h, clicked_after=0.1) for h in range(3)]
    rows += [impression("grace", "style-00", hours=h) for h in range(30)]
    history = History.from_log(
        log_of(rows), half_life=timedelta(days=14), attribution_window=timedelta(days=1)
    )
    requests = Requests.of(["ada", "new", "ada"], ["category-0"] * 3, START + timedelta(days=2))
    return build_features(history, requests, StyleSpace.of(STYLES))


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_gives_chances_that_sum_to_1_for_every_request(policy: str, frame: FeatureFrame) -> None:
    plan = plan_styles(policy, frame, ranker=Favourite(), exploration=EXPLORATION)
    assert plan.propensities.shape == plan.scores.shape == (3, len(plan.style_ids))
    assert plan.propensities.sum(axis=1) == pytest.approx(np.ones(3))
    assert len(plan.model_versions) == 3
    assert (plan.draw(np.random.default_rng(0)) < len(plan.style_ids)).all()


@pytest.mark.parametrize("policy", ["personal", "popular", "random"])
def test_every_candidate_keeps_its_share_of_the_floor(policy: str, frame: FeatureFrame) -> None:
    plan = plan_styles(policy, frame, ranker=Favourite(), exploration=EXPLORATION)
    assert plan.propensities.min() >= EXPLORATION.floor / 5 - 1e-12


def test_the_ranker_scores_whom_it_knows_and_popularity_the_new(frame: FeatureFrame) -> None:
    plan = plan_styles("personal", frame, ranker=Favourite(), exploration=EXPLORATION)
    assert plan.model_versions == ("favourite-1", "popularity", "favourite-1")
    best = np.array(plan.style_ids)[plan.propensities.argmax(axis=1)]
    assert best.tolist() == ["style-04", "style-01", "style-04"]


def test_without_a_champion_everybody_is_shown_what_is_popular(frame: FeatureFrame) -> None:
    plan = plan_styles("personal", frame, ranker=None, exploration=EXPLORATION)
    assert set(plan.model_versions) == {"popularity"}
    assert plan.propensities.argmax(axis=1).tolist() == [1, 1, 1]


def test_popular_looks_at_nobody(frame: FeatureFrame) -> None:
    plan = plan_styles("popular", frame, ranker=Favourite(), exploration=EXPLORATION)
    assert plan.model_versions == ("popularity",) * 3
    np.testing.assert_array_equal(plan.propensities[0], plan.propensities[1])


def test_original_is_certain_of_the_photo_as_it_is(frame: FeatureFrame) -> None:
    plan = plan_styles("original", frame, ranker=Favourite(), exploration=EXPLORATION)
    assert plan.style_ids == ("original",)
    assert plan.propensities.tolist() == [[1.0]] * 3


def test_random_is_even(frame: FeatureFrame) -> None:
    plan = plan_styles("random", frame, ranker=None, exploration=EXPLORATION)
    assert (plan.propensities == 0.2).all()


def test_a_frame_of_new_users_only_and_an_empty_frame_are_planned(frame: FeatureFrame) -> None:
    for requests, n in (([1], 1), ([], 0)):
        plan = plan_styles("personal", frame.take(requests), ranker=Favourite(), exploration=EXPLORATION)
        assert plan.propensities.shape == (n, 5)


def test_an_unknown_policy_is_refused_with_those_that_are(frame: FeatureFrame) -> None:
    with pytest.raises(ValueError, match="personal, popular, original, random"):
        plan_styles("psychic", frame, ranker=None, exploration=EXPLORATION)
