"""Beliefs about groups, against the textbook's formulas with matrices of all styles."""

import numpy as np
import pytest

from personalize.features.levels import MOST_SHARE, PRIOR_WEIGHT, Level, Spread
from personalize.features.runs import Floats

N_STYLES, N_GROUPS = 9, 7
SPREAD = Spread(0.02, 0.3, 0.05)


def likeness(rng: np.random.Generator, width: int) -> Floats:
    looks = rng.normal(size=(N_STYLES, width))
    looks[-1] = 0.0
    return (looks @ looks.T).astype(np.float64)


def told(level: Level, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Tell a level of random events; what they sum to, precision and information by group and style."""
    groups, styles = rng.integers(N_GROUPS, size=60), rng.integers(N_STYLES, size=60)
    precision, information = rng.uniform(0.05, 0.5, 60), rng.normal(size=60)
    level.add(groups, styles, np.zeros(60, dtype=np.int64), precision=precision, information=information)
    sums = np.zeros((2, N_GROUPS, N_STYLES))
    np.add.at(sums[0], (groups, styles), precision)
    np.add.at(sums[1], (groups, styles), information)
    return sums[0], sums[1]


def kernel(similarity: Floats, variances: Floats) -> Floats:
    overall, alike, own = variances
    total: Floats = overall + alike * similarity + own * np.eye(N_STYLES)
    return total


@pytest.mark.parametrize("width", [1, 3, 20])
def test_means_and_variances_are_those_of_a_gaussian_over_all_styles(width: int) -> None:
    rng = np.random.default_rng(width)
    similarity = likeness(rng, width)
    level = Level(similarity, SPREAD, half_life_us=1e12)
    precision, information = told(level, rng)
    prior = kernel(similarity, level.variances)
    groups, now = np.arange(N_GROUPS), np.zeros(N_GROUPS, dtype=np.int64)
    for group in range(N_GROUPS):
        covariance = np.linalg.inv(np.linalg.inv(prior) + np.diag(precision[group]))
        np.testing.assert_allclose(level.means(groups, now)[group], covariance @ information[group])
        np.testing.assert_allclose(level.variances_of(groups, now)[group], np.diag(covariance))


def test_a_group_never_heard_of_is_believed_to_be_as_the_prior_says() -> None:
    similarity = likeness(np.random.default_rng(0), 3)
    level = Level(similarity, SPREAD, half_life_us=1e12)
    nobody, now = np.array([-1, 4]), np.zeros(2, dtype=np.int64)
    assert not level.means(nobody, now).any()
    prior = np.diag(kernel(similarity, level.variances))
    np.testing.assert_allclose(level.variances_of(nobody, now), np.stack([prior, prior]))


def test_styles_that_all_look_alike_need_no_content_vectors() -> None:
    level = Level(np.zeros((N_STYLES, N_STYLES)), SPREAD, half_life_us=1e12)
    precision, information = told(level, np.random.default_rng(1))
    prior = kernel(np.zeros((N_STYLES, N_STYLES)), level.variances)
    covariance = np.linalg.inv(np.linalg.inv(prior) + np.diag(precision[2]))
    mean = level.means(np.array([2]), np.zeros(1, dtype=np.int64))[0]
    np.testing.assert_allclose(mean, covariance @ information[2])


def test_a_step_of_tuning_is_the_one_of_minorization_maximization() -> None:
    rng = np.random.default_rng(2)
    similarity = likeness(rng, 3)
    level = Level(similarity, SPREAD, half_life_us=1e12)
    precision, information = told(level, rng)
    first = level.variances.copy()
    prior = kernel(similarity, first)
    found, expected = np.zeros(3), np.zeros(3)
    for group in range(N_GROUPS):
        likely = np.linalg.inv(np.eye(N_STYLES) + np.diag(precision[group]) @ prior) @ np.diag(
            precision[group]
        )
        whitened = np.linalg.inv(np.eye(N_STYLES) + np.diag(precision[group]) @ prior) @ information[group]
        for part, basis in enumerate((np.ones((N_STYLES, N_STYLES)), similarity, np.eye(N_STYLES))):
            found[part] += whitened @ basis @ whitened
            expected[part] += np.trace(basis @ likely)
    step = first * np.sqrt((found + PRIOR_WEIGHT / first) / (expected + PRIOR_WEIGHT / first))
    level.tune(0)
    np.testing.assert_allclose(level.variances, np.minimum(step, MOST_SHARE * first))


def test_a_mean_that_is_kept_is_never_that_of_before() -> None:
    rng = np.random.default_rng(5)
    level = Level(likeness(rng, 3), SPREAD, half_life_us=50.0, knows_waiting=True)
    one, now = np.array([2]), np.array([40])

    def has_moved(before: Floats) -> bool:
        np.testing.assert_array_equal(level.mean_of(2, 40), level.means(one, now))
        return not np.array_equal(level.mean_of(2, 40), before)

    assert not has_moved(before := level.mean_of(2, 40))
    told(level, rng)
    assert has_moved(before)
    before = level.mean_of(2, 40)
    level.lag_us = 9.0
    assert has_moved(before)
    before = level.mean_of(2, 40)
    level.tune(40)
    assert has_moved(before)
    before = level.mean_of(2, 40)
    assert not np.array_equal(level.mean_of(2, 30), before)
    assert not np.array_equal(level.mean_of(3, 40), before)
    level.forget(2)
    assert has_moved(before)
    assert not level.mean_of(2, 40).any()
