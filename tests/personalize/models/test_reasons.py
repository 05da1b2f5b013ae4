"""Reasons are parts that sum to the score, whoever scored."""

import math
from datetime import timedelta

import pytest
from logs import START, impression, log_of, styles_on_offer

from personalize.features import FeatureFrame, Memory, Requests, StyleSpace
from personalize.features.beliefs import Scores
from personalize.models import Believer
from personalize.models.reasons import reasons_of


def beliefs_of(frame: FeatureFrame) -> Scores:
    assert frame.beliefs is not None
    return frame.beliefs


@pytest.fixture
def frame() -> FeatureFrame:
    """One request of a user who clicked style 1 twice of three times."""
    rows = [impression("ada", "style-01", hours=h, clicked_after=0.1 if h else None) for h in range(3)] + [
        impression("grace", "style-00", hours=h) for h in range(30)
    ]
    space = StyleSpace.of(styles_on_offer(5, width=3))
    memory = Memory.from_log(
        log_of(rows), space, half_life=timedelta(days=14), attribution_window=timedelta(days=1)
    )
    return memory.frame(
        Requests.of(["ada"], ["category-0"], START + timedelta(days=2), [{"device": "phone"}])
    )


@pytest.mark.parametrize("candidate", range(6))
def test_reasons_sum_to_the_score_of_the_online_layer(frame: FeatureFrame, candidate: int) -> None:
    beliefs = beliefs_of(frame)
    score = float(beliefs.log_odds[0, candidate])
    reasons = reasons_of(beliefs, 0, candidate, score, (0, 0))
    assert sum(contribution for _, _, contribution, _ in reasons) == pytest.approx(score, abs=1e-6)


def test_what_a_ranker_adds_is_a_reason_of_its_own(frame: FeatureFrame) -> None:
    score = float(Believer().score(frame)[1]) + 0.7
    reasons = {name: part for name, _, part, _ in reasons_of(beliefs_of(frame), 0, 1, score, (0, 0))}
    assert reasons["ranker"] == pytest.approx(0.7, abs=1e-5)
    assert sum(reasons.values()) == pytest.approx(score, abs=1e-6)


def test_the_base_comes_first_and_then_the_strongest(frame: FeatureFrame) -> None:
    reasons = reasons_of(beliefs_of(frame), 0, 1, float(Believer().score(frame)[1]), (0, 0))
    assert reasons[0][0] == "base"
    strengths = [abs(part) for _, _, part, _ in reasons[1:]]
    assert strengths == sorted(strengths, reverse=True)


def test_a_user_s_own_clicks_are_told_as_they_are(frame: FeatureFrame) -> None:
    reasons = reasons_of(beliefs_of(frame), 0, 1, float(Believer().score(frame)[1]), (3, 2))
    words = {name: text for name, _, _, text in reasons}
    assert "clicked 2 of 3 shown in this style" in words["user"]


def test_the_value_of_a_reason_is_the_click_through_that_it_alone_would_make(frame: FeatureFrame) -> None:
    (_, usual, base, _), *rest = reasons_of(beliefs_of(frame), 0, 1, 0.0, (0, 0))
    assert usual == pytest.approx(1 / (1 + math.exp(-base)))
    for _, rate, part, _ in rest:
        assert rate == pytest.approx(1 / (1 + math.exp(-base - part)))
