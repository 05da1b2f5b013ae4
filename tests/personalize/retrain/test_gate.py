"""The gate: what it lets pass, what it refuses, and that it says why."""

from dataclasses import replace

import numpy as np
import pytest

from personalize.retrain.decisions import Choices
from personalize.retrain.evaluation import Evaluation
from personalize.retrain.gate import (
    CONFIDENCE,
    MIN_HOLDOUT_CLICKS,
    Match,
    bootstrap_interval,
    judge,
    worth_of,
)

RNG = np.random.default_rng(6)
N_USERS, PER_USER = 200, 20


def evaluation(version: str, *, loss: float, ndcg: float, n_clicks: int = 400, seed: int = 0) -> Evaluation:
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(N_USERS), PER_USER)
    order = np.clip(rng.normal(ndcg, 0.2, N_USERS), 0, 1)
    return Evaluation(
        version,
        ndcg=order,
        reciprocal_rank=order,
        recall=order,
        slate_user=np.arange(N_USERS),
        log_loss=rng.normal(loss, 0.1, len(user)),
        row_user=user,
        n_clicks=n_clicks,
    )


POPULARITY = evaluation("popularity", loss=0.25, ndcg=0.5)


def test_a_challenger_that_predicts_better_is_promoted() -> None:
    decision = judge([Match(evaluation("new", loss=0.24, ndcg=0.55), POPULARITY)], None, seed=0)
    assert decision.promote
    assert decision.reasons[0].startswith("clears the bar: log loss better by 10")


def test_a_challenger_that_is_as_good_as_popularity_is_refused() -> None:
    decision = judge([Match(replace(POPULARITY, model_version="new"), POPULARITY)], None, seed=0)
    assert not decision.promote
    assert "does not clear the bar" in decision.reasons[0]


def test_a_gain_that_may_be_chance_is_refused() -> None:
    decision = judge([Match(evaluation("new", loss=0.2499, ndcg=0.5, seed=1), POPULARITY)], None, seed=0)
    assert not decision.promote
    assert decision.gains[0].low < 0 < decision.gains[0].high


def test_a_challenger_surely_worse_than_the_champion_is_refused() -> None:
    champion = evaluation("old", loss=0.20, ndcg=0.6)
    new = evaluation("new", loss=0.24, ndcg=0.55)
    decision = judge([Match(new, POPULARITY)], Match(new, champion), seed=0)
    assert not decision.promote
    assert any("surely worse than old" in reason for reason in decision.reasons)


def test_a_challenger_about_as_good_as_the_champion_is_promoted() -> None:
    champion = evaluation("old", loss=0.24, ndcg=0.55, seed=2)
    new = evaluation("new", loss=0.24, ndcg=0.55, seed=3)
    decision = judge([Match(new, POPULARITY)], Match(new, champion), seed=0)
    assert decision.promote
    assert [gain.over for gain in decision.gains] == ["popularity", "popularity", "old", "old"]


def test_a_better_prediction_in_a_worse_order_is_refused() -> None:
    decision = judge([Match(evaluation("new", loss=0.24, ndcg=0.3), POPULARITY)], None, seed=0)
    assert not decision.promote
    assert any("NDCG" in reason and "surely worse" in reason for reason in decision.reasons)


def test_too_few_clicks_are_refused_with_their_number() -> None:
    few = evaluation("new", loss=0.1, ndcg=0.9, n_clicks=MIN_HOLDOUT_CLICKS - 1)
    decision = judge([Match(few, POPULARITY)], None, seed=0)
    assert decision == judge([Match(few, POPULARITY)], None, seed=1)
    assert not decision.promote
    assert f"too few clicks to judge by: {MIN_HOLDOUT_CLICKS - 1}" in decision.reasons[0]


def test_a_decision_can_be_stored() -> None:
    stored = judge([Match(evaluation("new", loss=0.24, ndcg=0.55), POPULARITY)], None, seed=0).to_dict()
    assert stored["promote"] is True
    assert set(stored["gains"][0]) == {"metric", "over", "value", "ci_low", "ci_high"}


def test_the_interval_covers_as_often_as_it_says_although_rows_of_a_user_are_alike() -> None:
    covered = 0
    for world in range(200):
        rng = np.random.default_rng(world)
        user = np.repeat(np.arange(80), 10)
        values = rng.normal(size=80)[user] + 0.1 * rng.normal(size=800)
        low, high = bootstrap_interval(values, user, seed=world)
        covered += low < 0 < high
    assert covered / 200 == pytest.approx(CONFIDENCE, abs=0.06)


def logged(challenger: float, champion: float, *, n: int = 20_000, floor: float = 0.1) -> Choices:
    """Two styles shown half the time each; the first is clicked 30 % of the time, the second 10 %.

    challenger, champion: how often each would show the first.
    """
    rng = np.random.default_rng(1)
    first = rng.random(n) < 0.5
    chance = np.where(first, 0.3, 0.1)
    return Choices(
        reward=(rng.random(n) < chance).astype(float),
        propensity=np.full(n, 0.5),
        user=np.arange(n) // 10,
        challenger=np.where(first, challenger, 1 - challenger),
        champion=np.where(first, champion, 1 - champion),
        predicted_reward=np.full(n, 0.2),
        challenger_value=np.full(n, 0.2),
        champion_value=np.full(n, 0.2),
    )


GOOD = [Match(evaluation("new", loss=0.24, ndcg=0.55), POPULARITY)]


def test_every_estimator_finds_what_the_challenger_would_earn() -> None:
    for uplift in worth_of(logged(0.9, 0.1)):
        assert uplift.effect == pytest.approx(0.8 * 0.2, abs=0.02)
        assert uplift.ci_low is not None
        assert 0 < uplift.ci_low < 0.16 < uplift.ci_high


def test_a_challenger_that_would_earn_surely_less_is_refused_however_well_it_predicts() -> None:
    decision = judge(GOOD, None, logged(0.1, 0.9), seed=0)
    assert not decision.promote
    assert decision.reasons[0].startswith("off-policy value: would surely earn less, -1")
    assert judge(GOOD, None, logged(0.9, 0.1), seed=0).promote


@pytest.mark.parametrize(("needs_support", "promote"), [(False, True), (True, False)])
def test_a_log_that_cannot_tell_is_said_with_the_reason_and_refuses_when_asked_to(
    needs_support: bool, promote: bool
) -> None:
    few = logged(0.9, 0.1, n=60)
    decision = judge(GOOD, None, few, seed=0, needs_support=needs_support)
    assert decision.promote is promote
    said = "; ".join(decision.reasons)
    assert "the log cannot tell, the challenger: the log is worth only" in said
    assert decision.to_dict()["off_policy"]["dr"]["effect"] is None


def test_objections_to_the_log_refuse_whatever_was_measured() -> None:
    decision = judge(GOOD, None, seed=0).refused_for(["part of the log is missing"])
    assert not decision.promote
    assert decision.reasons[0] == "part of the log is missing"
    assert judge(GOOD, None, seed=0).refused_for([]).promote


def test_what_serves_without_a_ranker_is_a_bar_as_high_as_popularity() -> None:
    new = evaluation("new", loss=0.24, ndcg=0.55)
    online = evaluation("online", loss=0.24, ndcg=0.55, seed=2)
    decision = judge([Match(new, online), Match(new, POPULARITY)], None, seed=0)
    assert not decision.promote
    assert "does not clear the bar" in decision.reasons[0]
    assert "than online" in decision.reasons[0]
    weaker = evaluation("online", loss=0.25, ndcg=0.55, seed=2)
    assert judge([Match(new, weaker), Match(new, POPULARITY)], None, seed=0).promote
