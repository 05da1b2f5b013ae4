"""Which style is preferred: Bradley-Terry strengths from comparisons of two, with a side effect."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from analytics.inference.corrections import holm
from analytics.inference.ratio import Estimate
from analytics.judgement.pairs import NEITHER, Pairs
from analytics.judgement.results import Duel, Preference, SideEffect, Strength

FEWEST_RATERS = 10
"""With fewer raters the spread between them cannot be measured; the errors then come from the comparisons."""

PRIOR_WINS = 0.5
"""What the weak prior adds to the wins, and to the losses, of every style against an average rival."""

MAX_STEPS = 100


def prefer(pairs: Pairs, *, side: bool = True, alpha: float = 0.05) -> Preference:
    """Strengths, duels and the side effect from pairwise preferences, by maximum likelihood.

    With strengths t and the side effect c, independent comparisons, a tie half a win for both:
        P(left preferred) = 1 / (1 + exp(-(t_left - t_right + c))),   sum of t within a group = 0

    Errors come from the inverse information, or, with at least FEWEST_RATERS raters, from the scores
    summed per rater g, because judgements of one rater are alike (G raters, Student's t with G - 1):
        V = G / (G - 1) * H^-1 (sum_g s_g s_g') H^-1

    Where the maximum does not exist (a style never lost, the side explains all) a weak prior is
    added and `is_shrunk` says so: every style half-wins and half-loses one comparison with a rival of
    average strength, and so does the left side. Styles that were never compared, nor through others,
    have no duel, and their strengths are relative to their own group.

    Args:
        side: estimate the side effect; leave it out where sides were not chosen at random.
    Raises:
        ValueError: alpha outside (0, 1).
    Source: Bradley and Terry, Biometrika 1952, 39(3/4); ties as half wins and the order effect, Agresti,
        Categorical Data Analysis, section 11.6; clusters, Liang and Zeger, Biometrika 1986, 73(1).

    >>> left, right = np.array(["a"] * 4 + ["b"] * 4), np.array(["b"] * 4 + ["a"] * 4)
    >>> preference = prefer(Pairs(left, right, np.array([1, 1, 1, 0, 0, 0, 1, 0])))
    >>> round(preference["a", "b"].probability, 3), round(preference.side.left_rate, 3)
    (0.75, 0.5)
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    if not len(pairs):
        return _nothing(alpha)
    problem = pairs.why_no_maximum(has_side=side)
    design, wins, weight = _design(pairs, has_side=side, has_prior=problem is not None)
    estimate, information = _maximize(design, wins, weight)
    centring = _centring(pairs.groups, len(estimate))
    inverse = np.asarray(np.linalg.pinv(information, rcond=1e-10, hermitian=True), dtype=np.float64)
    covariance, freedom, n_raters = _covariance(pairs, estimate, inverse, has_side=side)
    estimate, covariance = centring @ estimate, centring @ covariance @ centring.T
    strengths = [_strength(pairs, i, estimate, covariance, freedom, alpha) for i in range(len(pairs.styles))]
    strengths.sort(key=lambda one: (-one.strength, one.name))
    duels = _duels([one.name for one in strengths], pairs, estimate, covariance, freedom, alpha)
    return Preference(
        styles={one.name: one for one in strengths},
        duels=duels,
        side=_side(estimate[-1], covariance[-1, -1], freedom, alpha) if side else None,
        alpha=alpha,
        n_comparisons=len(pairs),
        n_ties=int(np.sum(pairs.outcome == NEITHER)),
        n_raters=n_raters,
        errors_from="comparisons" if math.isinf(freedom) else "raters",
        is_shrunk=problem is not None,
        notes=tuple(_notes(pairs, problem, n_raters, freedom)),
    )


def _design(
    pairs: Pairs, *, has_side: bool, has_prior: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rows (m, K + 1), wins (m,) and weights (m,): one row for each two styles in their order."""
    n_styles = len(pairs.styles)
    left, right = pairs.indices
    codes, row_of = np.unique(left * n_styles + right, return_inverse=True)
    design = _rows(codes // n_styles, codes % n_styles, n_styles, has_side=has_side)
    wins, weight = (np.bincount(row_of, w).astype(np.float64) for w in (pairs.outcome, np.ones(len(pairs))))
    if not has_prior:
        return design, wins, weight
    prior = np.eye(n_styles + 1)[: n_styles + has_side]
    halves = np.full(len(prior), PRIOR_WINS)
    return np.vstack([design, prior]), np.r_[wins, halves], np.r_[weight, 2 * halves]


def _rows(
    left: NDArray[np.intp], right: NDArray[np.intp], n_styles: int, *, has_side: bool
) -> NDArray[np.float64]:
    rows = np.zeros((len(left), n_styles + 1))
    at = np.arange(len(left))
    rows[at, left], rows[at, right], rows[:, -1] = 1.0, -1.0, float(has_side)
    return rows


def _maximize(
    design: NDArray[np.float64], wins: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The parameters and the information there, by Newton's method with steps that never lose ground."""

    def likelihood(parameters: NDArray[np.float64]) -> float:
        odds = design @ parameters
        return float(wins @ odds - weight @ np.logaddexp(0.0, odds))

    parameters = np.zeros(design.shape[1])
    for _ in range(MAX_STEPS):
        probability = _logistic(design @ parameters)
        gradient = design.T @ (wins - weight * probability)
        information = (design.T * (weight * probability * (1.0 - probability))) @ design
        step = np.linalg.lstsq(information, gradient, rcond=1e-10)[0]
        if float(np.max(np.abs(step))) < 1e-10:
            break
        before = likelihood(parameters)
        while likelihood(parameters + step) < before and float(np.max(np.abs(step))) > 1e-10:
            step = step / 2.0
        parameters = parameters + step
    return parameters, information


def _covariance(
    pairs: Pairs, estimate: NDArray[np.float64], inverse: NDArray[np.float64], *, has_side: bool
) -> tuple[NDArray[np.float64], float, int | None]:
    """The covariance, its degrees of freedom (infinite for the inverse information), and the raters."""
    if pairs.rater is None:
        return inverse, math.inf, None
    raters, rater_of = np.unique(pairs.rater, return_inverse=True)
    n_raters = len(raters)
    if n_raters < FEWEST_RATERS:
        return inverse, math.inf, n_raters
    left, right = pairs.indices
    odds = estimate[left] - estimate[right] + (estimate[-1] if has_side else 0.0)
    residual = pairs.outcome - _logistic(odds)
    scores = np.zeros((n_raters, len(estimate)))
    np.add.at(scores, (rater_of, left), residual)
    np.add.at(scores, (rater_of, right), -residual)
    if has_side:
        scores[:, -1] = np.bincount(rater_of, residual, n_raters)
    influence = scores @ inverse
    return influence.T @ influence * (n_raters / (n_raters - 1)), n_raters - 1.0, n_raters


def _centring(groups: NDArray[np.intp], n_parameters: int) -> NDArray[np.float64]:
    """Takes from every strength the mean of its group; leaves the side effect as it is."""
    same = groups[:, None] == groups[None, :]
    matrix = np.eye(n_parameters)
    matrix[: len(groups), : len(groups)] -= same / same.sum(axis=1, keepdims=True)
    return matrix


def _strength(
    pairs: Pairs,
    i: int,
    estimate: NDArray[np.float64],
    covariance: NDArray[np.float64],
    freedom: float,
    alpha: float,
) -> Strength:
    left, right = pairs.indices
    earned = np.r_[pairs.outcome[left == i], 1.0 - pairs.outcome[right == i]]
    known = Estimate(float(estimate[i]), _root(covariance[i, i]), freedom)
    low, high = known.interval(alpha)
    return Strength(
        pairs.styles[i],
        int(np.sum(earned == 1.0)),
        int(np.sum(earned == NEITHER)),
        int(np.sum(earned == 0.0)),
        known.value,
        known.standard_error,
        low,
        high,
        *_chances(known.value, low, high),
    )


def _duels(
    names: list[str],
    pairs: Pairs,
    estimate: NDArray[np.float64],
    covariance: NDArray[np.float64],
    freedom: float,
    alpha: float,
) -> tuple[Duel, ...]:
    place = {name: i for i, name in enumerate(pairs.styles)}
    duels = [
        _duel(first, second, place[first], place[second], pairs.groups, estimate, covariance, freedom, alpha)
        for first, second in combinations(names, 2)
    ]
    adjusted = iter(holm([duel.p for duel in duels if duel.p is not None]))
    return tuple(duel if duel.p is None else replace(duel, p_holm=next(adjusted)) for duel in duels)


def _duel(
    first: str,
    second: str,
    i: int,
    j: int,
    groups: NDArray[np.intp],
    estimate: NDArray[np.float64],
    covariance: NDArray[np.float64],
    freedom: float,
    alpha: float,
) -> Duel:
    if groups[i] != groups[j]:
        return Duel(
            first, second, why_none="they were never compared, nor both with styles that lead to one another"
        )
    variance = covariance[i, i] + covariance[j, j] - 2.0 * covariance[i, j]
    known = Estimate(float(estimate[i] - estimate[j]), _root(variance), freedom)
    if known.standard_error == 0.0:
        return Duel(
            first, second, known.value, why_none="every rater judged alike, so there is no error to state"
        )
    low, high = known.interval(alpha)
    chances = _chances(known.value, low, high)
    return Duel(first, second, known.value, known.standard_error, low, high, *chances, known.p())


def _side(value: float, variance: float, freedom: float, alpha: float) -> SideEffect:
    known = Estimate(float(value), _root(variance), freedom)
    low, high = known.interval(alpha)
    p = known.p() if known.standard_error else 1.0
    return SideEffect(known.value, known.standard_error, low, high, *_chances(known.value, low, high), p)


def _notes(pairs: Pairs, problem: str | None, n_raters: int | None, freedom: float) -> list[str]:
    notes = []
    if problem:
        notes.append(
            f"Since {problem}, every style was given half a win and half a loss more "
            "against an average rival."
        )
    n_groups = len(np.unique(pairs.groups))
    if n_groups > 1:
        notes.append(
            f"The styles fall into {n_groups} groups that were never compared with one another; "
            "a strength is relative to its own group."
        )
    if n_raters is None:
        notes.append("Raters are not known, so the intervals take every comparison as independent.")
    elif math.isinf(freedom):
        notes.append(
            f"With {n_raters} {'rater' if n_raters == 1 else 'raters'} the intervals say how sure these are, "
            f"not what others would say; that takes at least {FEWEST_RATERS}."
        )
    return notes


def _nothing(alpha: float) -> Preference:
    reason = "nothing was compared yet"
    return Preference({}, (), None, alpha, 0, 0, 0, "comparisons", False, (), why_none=reason)


def _logistic(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * odds)))


def _chances(value: float, low: float, high: float) -> tuple[float, float, float]:
    """Log odds with both ends, as probabilities."""
    value, low, high = (0.5 * (1.0 + math.tanh(0.5 * log_odds)) for log_odds in (value, low, high))
    return value, low, high


def _root(variance: float) -> float:
    return math.sqrt(max(float(variance), 0.0))
