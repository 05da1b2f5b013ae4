"""One contrast: interval, relative interval and p agree under every rule of looking."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import Contrast, Estimate, Metric, Moments
from analytics.inference.contrasts import contrast_estimates, contrast_variants
from analytics.inference.sequential import FIXED, Anytime, Look, PlannedLooks
from analytics.metrics import Covariate

RULES: list[Look] = [FIXED, Anytime(2000), PlannedLooks.evenly(14, 3), PlannedLooks((0.5, 1.0), 2)]


@pytest.mark.parametrize("look", RULES, ids=["fixed", "anytime", "third of 14", "last of two"])
@given(z=st.floats(0.05, 9.0), freedom=st.floats(20, 1e6), alpha=st.sampled_from([0.01, 0.05, 0.2]))
def test_the_interval_excludes_zero_exactly_when_p_is_below_alpha(
    look: Look, z: float, freedom: float, alpha: float
) -> None:
    control = Estimate(1.0, 0.01, freedom)
    treatment = Estimate(1.0 + z * math.hypot(0.01, 0.02), 0.02, freedom)
    found = contrast_estimates(("b", "a"), treatment, control, 1500, alpha=alpha, look=look)
    assert found.p is not None
    assert found.ci_low is not None
    if abs(found.p / alpha - 1) > 1e-6:
        assert (found.ci_low > 0) == (found.p < alpha)
        assert found.relative_low is None or (found.relative_low > 0) == (found.p < alpha)


def test_the_rules_differ_in_width_as_they_promise() -> None:
    pair = Estimate(1.1, 0.01, 5000), Estimate(1.0, 0.01, 5000)

    def width(look: Look) -> float:
        found = contrast_estimates(("b", "a"), *pair, 10_000, look=look)
        return (found.ci_high or 0) - (found.ci_low or 0)

    assert width(Anytime(10_000)) / width(FIXED) == pytest.approx(1.56, abs=0.01)
    assert width(PlannedLooks.evenly(14, 14)) / width(FIXED) == pytest.approx(2.1065 / 1.96, abs=1e-3)
    assert width(PlannedLooks.evenly(14, 1)) / width(FIXED) == pytest.approx(
        2.1065 * 14**0.5 / 1.96, rel=0.02
    )


def test_a_look_that_was_not_planned_is_refused() -> None:
    with pytest.raises(ValueError, match="numbered 1 to 14"):
        PlannedLooks.evenly(14, 15)


def test_planned_looks_at_nothing_are_wrong_one_time_in_twenty() -> None:
    rng = np.random.default_rng(3)
    n_runs, n_looks, per_look, wrong = 400, 4, 60, 0
    rules = [PlannedLooks.evenly(n_looks, k) for k in range(1, n_looks + 1)]
    metric = Metric.mean("clicks")
    for _ in range(n_runs):
        clicks = rng.poisson(1.5, size=(2, n_looks * per_look))
        wrong += any(
            (contrast_variants(_world(clicks[:, : k * per_look]), metric, [("b", "a")], look=rule)[0].p or 1)
            < 0.05
            for k, rule in enumerate(rules, start=1)
        )
    assert 0.03 <= wrong / n_runs <= 0.075


def _world(clicks: np.ndarray) -> dict[str, Moments]:
    return {name: Moments.of({"clicks": of_variant}) for name, of_variant in zip("ab", clicks, strict=True)}


wild = st.sampled_from(
    [0.0, 1.0, -1.0, 5e-324, 1e-200, 1e15, 1e154, 1e200, 1.7e308, math.inf, -math.inf, math.nan]
)
values = st.lists(st.one_of(wild, st.floats(), st.integers(0, 9).map(float)), min_size=0, max_size=5)


def finite_or_none(found: Contrast) -> bool:
    numbers = [v for v in dataclasses.asdict(found).values() if isinstance(v, float)]
    return all(map(math.isfinite, numbers))


@given(st.lists(st.tuples(values, values), min_size=2, max_size=2), st.sampled_from(RULES), st.integers(0, 2))
def test_no_data_whatever_give_an_exception_or_a_number_that_is_none(
    arms: list[tuple[list[float], list[float]]], look: Look, n_covariates: int
) -> None:
    world = {}
    for name, (y, x) in zip("ab", arms, strict=True):
        n = min(len(y), len(x))
        columns = {"y": np.array(y[:n], float), "x": np.array(x[:n], float)}
        world[name] = Moments.of(columns)
    metric = Metric("m", "y", "x", (Covariate("x"), Covariate("y", "x"))[:n_covariates])
    [found] = contrast_variants(world, metric, [("b", "a")], look=look)
    assert finite_or_none(found)
    assert (found.p is None) == (found.why_none is not None)
