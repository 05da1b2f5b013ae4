"""Propensities are exact: they sum to 1, keep the floor, and are how often each style is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chisquare

from personalize.policy.exploration import Exploration, greedy, propensities, sample

SCORES = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=st.floats(-30, 30))
FLOOR = st.floats(0.001, 1)
TEMPERATURE = st.floats(0.001, 10)


@settings(max_examples=60, deadline=None)
@given(SCORES, FLOOR, TEMPERATURE)
def test_rows_sum_to_1_and_nothing_falls_below_its_floor(
    scores: np.ndarray, floor: float, temperature: float
) -> None:
    chances = propensities(scores, floor=floor, temperature=temperature)
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(scores)), abs=1e-9)
    assert (chances >= floor / scores.shape[1] * (1 - 1e-9)).all()


def test_a_new_style_gets_what_it_is_promised_as_worked_by_hand() -> None:
    explore = Exploration(floor=0.1, launch=0.5)
    allowed = np.array([[True, True, True, False], [True, True, False, True]])
    promised = explore.promised(np.array([False, False, True, True]), allowed)
    assert promised == pytest.approx(0.45 * np.array([[0, 0, 1, 0], [0, 0, 0, 1]]) / 3)
    scores = np.array([[9.0, 0.0, 0.0, 0.0], [9.0, 0.0, 0.0, 9.0]])
    chances = propensities(scores, floor=0.1, temperature=0.1, allowed=allowed, promised=promised)
    assert chances[0] == pytest.approx([0.75 + 0.1 / 3, 0.1 / 3, 0.15 + 0.1 / 3, 0])
    assert chances[1] == pytest.approx([0.375 + 0.1 / 3, 0.1 / 3, 0, 0.525 + 0.1 / 3])


@settings(max_examples=60, deadline=None)
@given(SCORES, FLOOR, st.floats(0, 0.99))
def test_promises_leave_the_floor_to_every_other_style(
    scores: np.ndarray, floor: float, launch: float
) -> None:
    explore = Exploration(floor=floor, launch=launch)
    is_new = np.arange(scores.shape[1]) % 2 == 0
    allowed = np.ones(scores.shape, dtype=np.bool_)
    promised = explore.promised(is_new, allowed)
    chances = propensities(scores, floor=floor, temperature=0.01, promised=promised)
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(scores)), abs=1e-9)
    assert (chances >= (floor / scores.shape[1] + promised) * (1 - 1e-9)).all()


@pytest.mark.parametrize("launch", [-0.1, 1.0])
def test_a_launch_share_leaves_something_to_the_scores(launch: float) -> None:
    with pytest.raises(ValueError, match="launch share"):
        Exploration(launch=launch)


@settings(max_examples=60, deadline=None)
@given(SCORES, FLOOR, TEMPERATURE)
def test_a_higher_score_is_never_less_likely(scores: np.ndarray, floor: float, temperature: float) -> None:
    chances = propensities(scores, floor=floor, temperature=temperature)
    order = np.argsort(scores, axis=1)
    assert (np.diff(np.take_along_axis(chances, order, axis=1), axis=1) >= -1e-12).all()


@settings(max_examples=30, deadline=None)
@given(SCORES, TEMPERATURE, st.randoms())
def test_propensities_permute_with_candidates(scores: np.ndarray, temperature: float, random: object) -> None:
    order = np.random.default_rng(0).permutation(scores.shape[1])
    plain = propensities(scores, floor=0.1, temperature=temperature)
    permuted = propensities(scores[:, order], floor=0.1, temperature=temperature)
    np.testing.assert_allclose(permuted, plain[:, order])


def test_by_hand() -> None:
    chances = propensities(np.array([[np.log(3.0), 0.0]]), floor=0.2, temperature=1.0)
    assert chances[0] == pytest.approx([0.8 * 0.75 + 0.1, 0.8 * 0.25 + 0.1])
    each = propensities(np.array([[1.0, 0.0], [1.0, 0.0]]), floor=0.2, temperature=np.array([1.0, 1e-3]))
    assert each[1] == pytest.approx([0.9, 0.1])
    assert each[0, 0] < 0.9


def test_draws_are_as_frequent_as_their_propensities_say() -> None:
    """A chi-square test over 200,000 draws of one row of eight."""
    chances = propensities(np.random.default_rng(1).normal(size=(1, 8)), floor=0.05, temperature=0.4)
    drawn = sample(np.repeat(chances, 200_000, axis=0), np.random.default_rng(2))
    observed = np.bincount(drawn, minlength=8)
    assert chisquare(observed, chances[0] * 200_000).pvalue > 1e-3


def test_each_row_draws_from_its_own_propensities() -> None:
    chances = np.tile([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], (500, 1))
    assert sample(chances, np.random.default_rng(0)).tolist() == [0, 2] * 500


def test_draws_repeat_under_a_seed() -> None:
    chances = np.full((50, 4), 0.25)
    first, again = (sample(chances, np.random.default_rng(9)) for _ in range(2))
    assert first.tolist() == again.tolist()


@pytest.mark.parametrize("scores", [np.array([[1.0, np.nan]]), np.array([[np.inf, 0.0]]), np.zeros((2, 0))])
def test_scores_that_cannot_be_turned_into_chances_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        propensities(scores, floor=0.1, temperature=1.0)


@pytest.mark.parametrize(
    "values", [{"floor": 0.0}, {"floor": 1.5}, {"temperature": 0.0}, {"optimism": -1.0}, {"epsilon": 0.0}]
)
def test_an_exploration_without_support_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Exploration(**values)


def test_optimism_lifts_what_is_less_known() -> None:
    hopeful = Exploration(optimism=2.0).hopeful(np.array([[0.5, 0.4]]), np.array([[0.1, 0.3]]))
    assert hopeful[0] == pytest.approx([0.7, 1.0])


def test_what_is_not_allowed_has_no_chance_and_the_rest_keeps_its_floor() -> None:
    allowed = np.array([[True, False, True]])
    chances = propensities(np.array([[0.0, 9.0, 1.0]]), floor=0.1, temperature=1.0, allowed=allowed)
    assert chances[0, 1] == 0
    assert chances.sum() == pytest.approx(1)
    assert chances[0, 0] >= 0.05
    with pytest.raises(ValueError, match="allows none"):
        propensities(np.zeros((1, 2)), floor=0.1, temperature=1.0, allowed=np.zeros((1, 2), dtype=bool))


def test_greedy_takes_the_best_and_spreads_epsilon() -> None:
    chances = greedy(np.array([[0.0, 2.0, 1.0]]), epsilon=0.3, allowed=np.ones((1, 3), dtype=bool))
    assert chances[0] == pytest.approx([0.1, 0.8, 0.1])
