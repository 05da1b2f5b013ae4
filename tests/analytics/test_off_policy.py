"""Policies judged from logs: by hand, by identities, against a simulated truth, and when to refuse."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics import policy_uplift, policy_value
from analytics.inference.ratio import ratio_of_means
from analytics.off_policy import Method

METHODS: tuple[Method, ...] = get_args(Method)
N_ACTIONS = 6
POPULARITY = np.linspace(-2.4, -1.6, N_ACTIONS)


@dataclass(frozen=True)
class Log:
    """Decisions of users with a taste of their own; the model knows popularity alone."""

    user: NDArray[np.intp]
    reward: NDArray[np.float64]
    propensity: NDArray[np.float64]
    greedy: NDArray[np.float64]
    uniform: NDArray[np.float64]
    predicted_reward: NDArray[np.float64]
    greedy_value: NDArray[np.float64]
    uniform_value: NDArray[np.float64]


def logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


GREEDY = 0.2 / N_ACTIONS + 0.8 * np.exp(3 * POPULARITY) / np.exp(3 * POPULARITY).sum()
MODEL = logistic(POPULARITY)


def draw_log(rng: np.random.Generator, n_users: int = 400) -> Log:
    """The logging policy explores, prefers what it happens to believe of each user, and logs it."""
    user = np.repeat(np.arange(n_users), rng.geometric(1 / 6, n_users))
    chance = logistic(POPULARITY + rng.normal(0, 0.8, (n_users, N_ACTIONS)))[user]
    belief = np.exp(rng.normal(0, 1, (n_users, N_ACTIONS)))
    logging = (0.3 / N_ACTIONS + 0.7 * belief / belief.sum(axis=1, keepdims=True))[user]
    shown = (logging.cumsum(axis=1) > rng.random((len(user), 1))).argmax(axis=1)
    row = np.arange(len(user))
    same = np.ones(len(user))
    return Log(
        user=user,
        reward=(rng.random(len(user)) < chance[row, shown]).astype(float),
        propensity=logging[row, shown],
        greedy=GREEDY[shown],
        uniform=same / N_ACTIONS,
        predicted_reward=MODEL[shown],
        greedy_value=same * (GREEDY @ MODEL),
        uniform_value=same * MODEL.mean(),
    )


def true_values() -> tuple[float, float]:
    """Of the greedy and the uniform policy, by integrating over tastes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    mean = logistic(POPULARITY[:, None] + 0.8 * nodes) @ weights / math.sqrt(2 * math.pi)
    return float(GREEDY @ mean), float(mean.mean())


def test_three_estimators_of_four_decisions_by_hand() -> None:
    # weights 2, 1, 0, 1 and rewards 1, 0, 1, 1, repeated so that the log is large enough to answer
    reward, propensity, target = (
        np.tile(values, 100) for values in ([1, 0, 1, 1], [0.25, 0.5, 0.5, 0.5], [0.5, 0.5, 0.0, 0.5])
    )
    log: dict[str, Any] = {"reward": reward, "propensity": propensity, "target_probability": target}
    model = {"predicted_reward": np.full(400, 0.5), "predicted_value": np.full(400, 0.5)}
    assert policy_value(**log, method="ips").value == pytest.approx(3 / 4)
    assert policy_value(**log, method="snips").value == pytest.approx(3 / 4)
    # mean of 0.5 + w (r - 0.5) = mean(1.5, 0, 0.5, 1)
    assert policy_value(**log, **model, method="dr").value == pytest.approx(3 / 4)
    # the weight 2 is not trusted: mean(0.5, 0, 0.5, 1)
    assert policy_value(**log, **model, method="switch", largest_weight=1.5).value == pytest.approx(1 / 2)
    found = policy_value(**log)
    assert found.effective_sample_size == pytest.approx(400 * 16 / (4 * 6))
    assert found.matched_clicks == pytest.approx(100 * 9 / 5)
    assert (found.mean_weight, found.largest_weight) == (1.0, 2.0)


@pytest.mark.parametrize("method", METHODS)
def test_the_logging_policy_itself_earns_what_was_logged(method: Method) -> None:
    log = draw_log(np.random.default_rng(2))
    model = {"predicted_reward": log.predicted_reward, "predicted_value": log.predicted_reward}
    found = policy_value(log.reward, log.propensity, log.propensity, user=log.user, method=method, **model)
    clicks, decisions = (np.bincount(log.user, weights=w) for w in (log.reward, np.ones(len(log.reward))))
    expected = ratio_of_means(clicks, decisions)
    assert found.value == pytest.approx(log.reward.mean(), rel=1e-12)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-9)
    assert found.effective_sample_size == pytest.approx(len(log.reward))


def test_a_model_that_is_right_leaves_no_error_of_the_weights() -> None:
    log = draw_log(np.random.default_rng(3))
    exact = {"predicted_reward": log.reward, "predicted_value": log.greedy_value}
    found = policy_value(log.reward, log.propensity, log.greedy, user=log.user, method="dr", **exact)
    assert found.value is None
    assert "earned alike" in (found.why_none or "")


def test_switch_lies_between_the_model_and_doubly_robust() -> None:
    log = draw_log(np.random.default_rng(4))
    model = {"predicted_reward": log.predicted_reward, "predicted_value": log.greedy_value}

    def value(method: Method, largest_weight: float = 20.0) -> float | None:
        return policy_value(
            log.reward, log.propensity, log.greedy, method=method, largest_weight=largest_weight, **model
        ).value

    assert value("switch", math.inf) == value("dr")
    assert value("switch", 1e-9) is None  # only the model speaks, and it says the same of everybody


def test_intervals_cover_the_truth_of_a_simulated_shop() -> None:
    rng = np.random.default_rng(20)
    greedy, uniform = true_values()
    hits = dict.fromkeys([*METHODS, "uplift"], 0)
    for _ in range(200):
        log = draw_log(rng)
        model = {"predicted_reward": log.predicted_reward, "predicted_value": log.greedy_value}
        for method in METHODS:
            found = policy_value(
                log.reward, log.propensity, log.greedy, user=log.user, method=method, **model
            )
            hits[method] += (found.ci_low or 9) <= greedy <= (found.ci_high or -9)
        pair = policy_uplift(log.reward, log.propensity, log.greedy, log.uniform, user=log.user)
        hits["uplift"] += (pair.ci_low or 9) <= greedy - uniform <= (pair.ci_high or -9)
    assert all(0.93 <= hit / 200 <= 0.97 for hit in hits.values()), hits


def test_one_log_tells_two_policies_apart_better_than_two_intervals() -> None:
    log = draw_log(np.random.default_rng(6))
    found = policy_uplift(
        log.reward, log.propensity, log.greedy, log.greedy * 0.9 + log.uniform * 0.1, user=log.user
    )
    apart = math.hypot(found.challenger.standard_error or 0, found.champion.standard_error or 0)
    assert found.effect == pytest.approx((found.challenger.value or 0) - (found.champion.value or 0))
    assert (found.standard_error or 9) < 0.3 * apart
    assert found.ci_low is not None
    assert (found.ci_low > 0) == ((found.p or 1) < 0.05 and (found.effect or 0) > 0)


def test_a_policy_is_not_better_than_itself() -> None:
    log = draw_log(np.random.default_rng(7))
    found = policy_uplift(log.reward, log.propensity, log.greedy, log.greedy, user=log.user)
    assert found.effect == 0.0
    assert found.p is None
    assert "choose alike" in (found.why_none or "")


def test_decisions_of_one_user_are_not_independent() -> None:
    log = draw_log(np.random.default_rng(8))
    often = np.repeat(np.arange(len(log.user)), 4)
    args = log.reward[often], log.propensity[often], log.greedy[often]
    clustered, naive = policy_value(*args, user=log.user[often]), policy_value(*args)
    assert (clustered.standard_error or 0) > 1.9 * (naive.standard_error or 9)


HALF = np.full(1000, 0.5)
CLICKS = np.arange(1000) % 10 == 0


@pytest.mark.parametrize(
    ("reward", "propensity", "target", "user", "reason"),
    [
        ([], [], [], None, "no logged decisions"),
        (
            CLICKS,
            np.where(np.arange(1000) < 3, np.nan, 0.5),
            HALF,
            None,
            "3 of 1000 propensities are missing",
        ),
        (CLICKS, np.where(np.arange(1000) < 2, 0.0, 0.5), HALF, None, "2 of 1000 propensities"),
        (CLICKS, HALF * 4, HALF, None, "outside (0, 1]"),
        (CLICKS, np.full(1000, 1e-300), HALF, None, "too small to divide by"),
        (CLICKS, HALF, HALF * 4, None, "must all lie in [0, 1]"),
        (np.where(CLICKS, np.inf, 0), HALF, HALF, None, "not a finite number"),
        (CLICKS[:50], HALF[:50], HALF[:50], None, "worth only 50 decisions"),
        (CLICKS, np.where(np.arange(1000) < 3, 0.001, 0.999), np.full(1000, 0.9), None, "worth only"),
        (np.arange(1000) < 9, HALF, HALF, None, "only 9 clicks fell on"),
        (CLICKS, HALF, np.where(CLICKS, 0.0, 0.5), None, "only 0 clicks fell on"),
        (CLICKS, HALF, HALF, np.zeros(1000), "one user alone"),
        (CLICKS, HALF, HALF / 2, None, "average 0.5 instead of 1"),
        (np.ones(1000), HALF, HALF, None, "earned alike"),
    ],
)
def test_a_log_that_cannot_tell_is_refused_with_the_reason(
    reward: Any, propensity: Any, target: Any, user: Any, reason: str
) -> None:
    found = policy_value(reward, propensity, target, user=user, method="ips")
    assert found.value is None
    assert found.ci_low is None
    assert reason in (found.why_none or "")
    json.dumps(found.to_dict(), allow_nan=False)
    pair = policy_uplift(reward, propensity, target, target, user=user, method="ips")
    assert reason in (pair.why_none or "")


numbers = st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1e-50, 5e-324, -1.0, 2.0, 1e300, math.inf, math.nan])


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers, numbers), max_size=4), st.sampled_from(METHODS))
def test_no_log_whatever_gives_an_exception_or_a_number_that_is_none(
    rows: list[tuple[float, ...]], method: Method
) -> None:
    reward, propensity, target, q, v = np.array(rows, float).reshape(-1, 5).repeat(150, axis=0).T
    user = np.arange(len(reward)) % 7
    model = {"predicted_reward": q, "predicted_value": v}
    found = policy_value(reward, propensity, target, user=user, method=method, **model)
    values = [value for value in dataclasses.asdict(found).values() if isinstance(value, float)]
    assert all(map(math.isfinite, values))
    assert (found.value is None) == (found.why_none is not None)


def test_slips_of_the_caller_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(1000,\), \(3,\)"):
        policy_value(CLICKS, np.ones(3), HALF)
    with pytest.raises(ValueError, match="'dr' wants the predicted reward"):
        policy_value(CLICKS, HALF, HALF, method="dr")
    with pytest.raises(ValueError, match="ips, snips, dr, switch"):
        policy_value(CLICKS, HALF, HALF, method="magic")  # type: ignore[arg-type]
