"""Quantiles of events: known errors, coverage when users differ, and a second implementation."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from analytics import Sums, quantile
from analytics.errors import InsufficientData
from analytics.inference.quantiles import quantile_from_order_statistics, quantile_levels


def page_times(rng: np.random.Generator, n_users: int) -> tuple[np.ndarray, np.ndarray]:
    """Users with a speed of their own and several pages each."""
    user = np.repeat(np.arange(n_users), rng.geometric(1 / 8, n_users))
    return np.exp(rng.normal(0, 0.5, n_users)[user] + rng.normal(0, 0.5, len(user))), user


def test_independent_events_have_the_textbook_error() -> None:
    n, level = 200_000, 0.9
    found = quantile(np.random.default_rng(1).normal(size=n), np.arange(n), level)
    assert found.value == pytest.approx(norm.ppf(level), abs=0.02)
    assert found.standard_error == pytest.approx(
        math.sqrt(level * (1 - level) / n) / norm.pdf(norm.ppf(level)), rel=0.05
    )


def test_the_value_is_the_order_statistic() -> None:
    values, user = page_times(np.random.default_rng(2), 300)
    for level in (0.5, 0.9, 0.95):
        assert quantile(values, user, level).value == np.quantile(values, level, method="inverted_cdf")


def test_a_bootstrap_over_users_agrees() -> None:
    rng = np.random.default_rng(3)
    values, user = page_times(rng, 2000)
    by_user = np.split(values, np.flatnonzero(np.diff(user)) + 1)
    medians = [
        np.quantile(np.concatenate([by_user[i] for i in rng.integers(0, 2000, 2000)]), 0.9)
        for _ in range(400)
    ]
    assert quantile(values, user, 0.9).standard_error == pytest.approx(np.std(medians), rel=0.12)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_hold_the_truth_nineteen_times_in_twenty_although_users_differ(level: float) -> None:
    rng = np.random.default_rng(4)
    truth = math.exp(norm.ppf(level) * math.sqrt(0.5))
    covered = naive = 0
    for _ in range(600):
        values, user = page_times(rng, 300)
        low, high = quantile(values, user, level).interval()
        covered += low <= truth <= high
        low, high = quantile(values, np.arange(len(values)), level).interval()
        naive += low <= truth <= high
    assert 0.93 <= covered / 600 <= 0.97
    assert naive / 600 < 0.9


def test_the_levels_come_from_sums_alone() -> None:
    values, user = page_times(np.random.default_rng(5), 400)
    value = np.quantile(values, 0.9, method="inverted_cdf")
    below = np.bincount(user, weights=values <= value).astype(int)
    levels = quantile_levels(Sums.of(below, np.bincount(user)), 0.9)
    low, high = (np.quantile(values, end, method="inverted_cdf") for end in levels)
    assert quantile_from_order_statistics(value, low, high, 400) == quantile(values, user, 0.9)


@pytest.mark.parametrize(
    ("values", "user", "reason"),
    [
        ([], [], "no values"),
        ([1.0, 2.0], [0, 0], "one user"),
        ([1.0, 2.0, 3.0], [0, 1, 2], "too few different events"),
        ([5.0] * 200, list(range(200)), "too few different events"),
        ([1.0, np.inf, np.nan] * 40, list(range(120)), "not a finite number"),
    ],
)
def test_too_little_to_bound_a_quantile_is_refused(values: list[float], user: list[int], reason: str) -> None:
    with pytest.raises(InsufficientData, match=reason):
        quantile(np.array(values), np.array(user), 0.9)


def test_values_too_far_apart_to_subtract_are_refused() -> None:
    with pytest.raises(InsufficientData, match="too large"):
        quantile(np.array([0.0, 0.0, 1.7e308, -1.7e308]), np.arange(4), 0.5)


def test_slips_of_the_caller_are_named() -> None:
    with pytest.raises(ValueError, match="one value and user"):
        quantile(np.ones(3), np.ones(2), 0.5)
    with pytest.raises(ValueError, match="level"):
        quantile(np.ones(3), np.ones(3), 1.0)
