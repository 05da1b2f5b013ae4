"""Simulated experiments with a known answer: how often is each method wrong?"""

import math

import numpy as np
import pytest

from analytics import CTR, compare, simulate_days, simulate_units, simulate_with_history
from analytics.sums import Sums

N_RUNS = 2000


def naive_z(a: Sums, b: Sums) -> float:
    """The two-proportion test that counts every impression as independent."""
    pooled = (a.y + b.y) / (a.x + b.x)
    return (a.y / a.x - b.y / b.x) / math.sqrt(pooled * (1 - pooled) * (1 / a.x + 1 / b.x))


def test_without_an_effect_one_run_in_twenty_is_significant_where_the_naive_test_finds_a_fifth() -> None:
    rng = np.random.default_rng(1)
    ours = naive = 0
    for _ in range(N_RUNS):
        moments = simulate_units(rng, 1000, {"a": 0.05, "b": 0.05}).moments()
        ours += (compare(moments, control="a")["b"].p or 1.0) < 0.05
        naive += abs(naive_z(moments["a"].sums(CTR), moments["b"].sums(CTR))) > 1.96
    assert 0.04 <= ours / N_RUNS <= 0.06
    assert naive / N_RUNS > 0.15


def test_intervals_hold_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(2)
    absolute = relative = single = 0
    for _ in range(N_RUNS):
        comparison = compare(simulate_units(rng, 1000, {"a": 0.05, "b": 0.06}), control="a")
        found, control = comparison["b"], comparison.variants["a"]
        absolute += (found.ci_low or 9) <= 0.01 <= (found.ci_high or -9)
        relative += (found.relative_low or 9) <= 0.2 <= (found.relative_high or -9)
        single += (control.ci_low or 9) <= 0.05 <= (control.ci_high or -9)
    for covered in (absolute, relative, single):
        assert 0.94 <= covered / N_RUNS <= 0.962


def test_the_simulated_world_is_the_one_asked_for() -> None:
    units = simulate_units(
        np.random.default_rng(3), 200_000, {"a": 0.05, "b": 0.10}, shares={"a": 0.25, "b": 0.75}
    )
    moments = units.moments()
    assert moments["a"].n / 200_000 == pytest.approx(0.25, abs=0.005)
    for name, truth in {"a": 0.05, "b": 0.10}.items():
        assert moments[name].totals["clicks"] / moments[name].totals["impressions"] == pytest.approx(
            truth, rel=0.02
        )
        assert moments[name].totals["impressions"] / moments[name].n == pytest.approx(20, rel=0.02)


def test_the_same_seed_gives_the_same_days() -> None:
    first, second = (simulate_days(np.random.default_rng(4), 50, {"a": 0.1, "b": 0.1}) for _ in range(2))
    assert (first.user == second.user).all()
    assert (first["clicks"] == second["clicks"]).all()


def test_history_is_the_same_person_before_the_lift() -> None:
    units = simulate_with_history(np.random.default_rng(5), 100_000, {"a": 0.05, "b": 0.08}, history=2.0)
    for name, truth in {"a": 0.05, "b": 0.08}.items():
        here = units.variant == name
        assert units["clicks"][here].sum() / units["impressions"][here].sum() == pytest.approx(
            truth, rel=0.03
        )
        past = units["pre_clicks"][here].sum() / units["pre_impressions"][here].sum()
        assert past == pytest.approx(0.05, rel=0.03)
    assert units["pre_impressions"].mean() == pytest.approx(40, rel=0.03)
    assert np.corrcoef(units["pre_impressions"], units["impressions"])[0, 1] > 0.9
