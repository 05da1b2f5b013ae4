"""Boundaries of planned looks against published tables, other integrations and simulation."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from analytics.inference.group_sequential import (
    crossing_probabilities,
    lan_demets,
    obrien_fleming,
    obrien_fleming_p,
)


def evenly(looks: int) -> list[float]:
    return [k / looks for k in range(1, looks + 1)]


@pytest.mark.parametrize(("looks", "constant"), [(2, 1.977), (3, 2.004), (5, 2.040), (10, 2.087)])
def test_jennison_and_turnbull_table_2_3(looks: int, constant: float) -> None:
    boundaries = obrien_fleming(evenly(looks))
    assert boundaries[-1] == pytest.approx(constant, abs=6e-4)
    heights = [c * math.sqrt(t) for c, t in zip(boundaries, evenly(looks), strict=True)]
    assert heights == pytest.approx([boundaries[-1]] * looks)


def test_lan_and_demets_published_spending_boundary() -> None:
    published = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]
    assert lan_demets(evenly(5)) == pytest.approx(published, abs=1.5e-4)


def test_two_looks_by_one_dimensional_integration() -> None:
    first, last = obrien_fleming([0.3, 1.0])
    r = math.sqrt(0.3)

    def stays(z: float) -> float:
        inner = norm.cdf((last - r * z) / math.sqrt(1 - r * r)) - norm.cdf(
            (-last - r * z) / math.sqrt(1 - r * r)
        )
        return float(norm.pdf(z) * inner)

    assert 1 - quad(stays, -first, first, epsabs=1e-14)[0] == pytest.approx(0.05, rel=1e-9)


def test_three_looks_by_the_multivariate_normal_distribution() -> None:
    times = np.array([0.2, 0.55, 1.0])
    boundaries = np.array(obrien_fleming(times))
    correlation = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    inside = multivariate_normal(cov=correlation, abseps=1e-8, releps=1e-8, maxpts=10**6).cdf(
        boundaries, lower_limit=-boundaries
    )
    assert 1 - inside == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("rule", [obrien_fleming, lan_demets])
@pytest.mark.parametrize("times", [evenly(1), evenly(14), [0.1, 0.15, 0.7, 0.75, 1.0]])
def test_all_looks_together_cross_with_chance_alpha(rule: object, times: list[float]) -> None:
    boundaries = rule(times, 0.05)  # type: ignore[operator]
    assert sum(crossing_probabilities(times, boundaries)) == pytest.approx(0.05, rel=1e-9)


def test_a_single_look_is_the_usual_test() -> None:
    assert obrien_fleming([1.0], 0.1)[0] == pytest.approx(norm.ppf(0.95), rel=1e-12)
    assert obrien_fleming_p(1.7, 1, [1.0]) == pytest.approx(2 * norm.sf(1.7), rel=1e-12)


def test_p_is_alpha_exactly_on_the_boundary() -> None:
    times = evenly(14)
    for alpha in (0.01, 0.05, 0.2):
        for look, boundary in enumerate(obrien_fleming(times, alpha), start=1):
            assert obrien_fleming_p(boundary, look, times) == pytest.approx(alpha, rel=1e-9)
            assert obrien_fleming_p(boundary * 1.001, look, times) < alpha
    assert obrien_fleming_p(0.0, 3, times) == 1.0
    assert obrien_fleming_p(1e6, 3, times) == pytest.approx(0.0, abs=1e-12)


def test_the_chance_to_stop_early_under_an_effect_matches_simulation() -> None:
    rng = np.random.default_rng(1)
    times, drift = [0.25, 0.5, 0.75, 1.0], 3.0
    boundaries = obrien_fleming(times)
    steps = rng.normal(drift / 4, 0.5, size=(200_000, 4))
    statistic = np.abs(steps.cumsum(axis=1) / np.sqrt(times))
    crossed = statistic > boundaries
    first = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 4)
    seen = np.bincount(first, minlength=5)[:4] / len(first)
    assert crossing_probabilities(times, boundaries, drift) == pytest.approx(seen, abs=0.004)


def test_spending_depends_on_the_looks_so_far_alone() -> None:
    assert lan_demets([0.2, 0.5]) == pytest.approx(lan_demets([0.2, 0.5, 0.9, 1.0])[:2], rel=1e-9)


@pytest.mark.parametrize(
    ("fractions", "reason"),
    [
        ([], "rising"),
        ([0.5, 0.5, 1.0], "rising"),
        ([0.0, 1.0], "rising"),
        ([0.5, 0.9], "rising"),
        ([0.5, 0.5001, 1.0], "apart"),
    ],
)
def test_looks_that_make_no_plan_are_refused(fractions: list[float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        obrien_fleming(fractions)
