"""The named policies: who is scored by what, and with which propensities."""

from datetime import timedelta

import numpy as np
import pytest
from logs import START, impression, log_of, styles_on_offer

from personalize.features import FeatureFrame, Memory, Requests, StyleSpace
from personalize.features.runs import Floats
from personalize.policy import POLICIES, Exploration, blend_weights, is_policy, plan_styles

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
    memory = Memory.from_log(
        log_of(rows),
        StyleSpace.of(STYLES),
        half_life=timedelta(days=14),
        attribution_window=timedelta(days=1),
    )
    requests = Requests.of(["ada", "new", "ada"], ["category-0"] * 3, START + timedelta(days=2))
    return memory.frame(requests)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_gives_chances_that_sum_to_1_for_every_request(policy: str, frame: FeatureFrame) -> None:
    plan = plan_styles(policy, frame, ranker=Favourite(), exploration=EXPLORATION)
    assert plan.propensities.shape == plan.scores.shape == (3, len(plan.style_ids))
    assert plan.propensities.sum(axis=1) == pytest.approx(np.ones(3))
    assert len(plan.model_versions) == 3
    assert (plan.draw(np.random.default_rng(0)) < len(plan.style_ids)).all()


@pytest.mark.parametrize("policy", ["personal", "popular", "random", "blend", "epsilon-greedy"])
def test_every_candidate_keeps_its_share_of_the_floor(policy: str, frame: FeatureFrame) -> None:
    plan = plan_styles(policy, frame, ranker=Favourite(), exploration=EXPLORATION)
    assert plan.propensities[:, :5].min() >= EXPLORATION.floor / 5 - 1e-12
    assert (plan.propensities[:, 5] == 0).all(), "the original is no candidate unless it is allowed"


def test_the_champion_scores_and_the_online_layer_without_one(frame: FeatureFrame) -> None:
    plan = plan_styles("personal", frame, ranker=Favourite(), exploration=EXPLORATION)
    assert plan.model_versions == ("favourite-1",) * 3
    assert plan.propensities.argmax(axis=1).tolist() == [4, 4, 4]
    alone = plan_styles("personal", frame, ranker=None, exploration=Exploration(optimism=0.0))
    assert alone.model_versions == ("online",) * 3
    assert alone.propensities.argmax(axis=1).tolist() == [1, 1, 1]
    assert alone.scores[0, 1] > alone.scores[1, 1], "who clicked it likes it better than a stranger"


def test_only_what_is_allowed_is_planned_and_the_original_where_nothing_is(frame: FeatureFrame) -> None:
    allowed = np.zeros((3, 6), dtype=bool)
    allowed[0, [2, 5]] = True
    allowed[1, 3] = True
    plan = plan_styles("personal", frame, ranker=None, exploration=EXPLORATION, allowed=allowed)
    assert (plan.propensities > 0).tolist() == [
        [False, False, True, False, False, True],
        [False, False, False, True, False, False],
        [False, False, False, False, False, True],
    ]
    assert plan.style_ids[-1] == "original"


def test_a_fixed_style_is_certain(frame: FeatureFrame) -> None:
    plan = plan_styles("fixed:style-03", frame, ranker=None, exploration=EXPLORATION)
    assert (plan.style_ids, plan.propensities.tolist()) == (("style-03",), [[1.0]] * 3)
    with pytest.raises(ValueError, match="style-03"):
        plan_styles("fixed:nothing", frame, ranker=None, exploration=EXPLORATION)


def test_a_blend_is_led_by_what_was_drawn(frame: FeatureFrame) -> None:
    plan = plan_styles("blend", frame, ranker=Favourite(), exploration=EXPLORATION)
    weights = blend_weights(plan, 0, 4)
    assert list(weights) == ["style-04", "style-03"]
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["style-04"] == pytest.approx(1 / (1 + np.exp(-1 / 0.5)))
    assert blend_weights(plan, 0, 5) == {}


def test_names_of_policies() -> None:
    assert all(map(is_policy, [*POLICIES, "popular", "fixed:x"]))
    assert not any(map(is_policy, ["psychic", "fixed:", ""]))


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
    assert (plan.propensities[:, :5] == 0.2).all()


def test_a_frame_of_new_users_only_and_an_empty_frame_are_planned(frame: FeatureFrame) -> None:
    for requests, n in (([1], 1), ([], 0)):
        plan = plan_styles("personal", frame.take(requests), ranker=Favourite(), exploration=EXPLORATION)
        assert plan.propensities.shape == (n, 6)


def test_an_unknown_policy_is_refused_with_those_that_are(frame: FeatureFrame) -> None:
    with pytest.raises(ValueError, match="personal, popularity"):
        plan_styles("psychic", frame, ranker=None, exploration=EXPLORATION)
