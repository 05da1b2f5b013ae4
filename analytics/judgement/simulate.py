"""Raters with a known taste, to judge the judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.judgement.opinions import Scores
from analytics.judgement.pairs import LEFT, NEITHER, RIGHT, Pairs


def simulate_pairs(
    rng: np.random.Generator,
    strengths: Mapping[str, float],
    *,
    n_raters: int,
    per_rater: int = 20,
    side: float = 0.0,
    tie_rate: float = 0.0,
    spread: float = 0.0,
) -> Pairs:
    """Comparisons of random pairs on random sides.

    Args:
        strengths: of each style, in log odds.
        side: log odds that the left side adds.
        tie_rate: chance of no preference, whatever the pair.
        spread: standard deviation of a rater's own strengths around the common ones.
    """
    names = np.array(list(strengths))
    n = n_raters * per_rater
    rater = np.repeat(np.arange(n_raters), per_rater)
    left = rng.integers(0, len(names), n)
    right = (left + rng.integers(1, len(names), n)) % len(names)
    taste = np.array(list(strengths.values())) + rng.normal(0.0, spread, (n_raters, len(names)))
    odds = taste[rater, left] - taste[rater, right] + side
    outcome = np.where(rng.random(n) < 1.0 / (1.0 + np.exp(-odds)), LEFT, RIGHT)
    outcome[rng.random(n) < tie_rate] = NEITHER
    return Pairs(names[left], names[right], outcome, _raters(rater))


def simulate_scores(
    rng: np.random.Generator,
    levels: Mapping[str, float],
    *,
    n_raters: int,
    per_rater: int = 12,
    severity: float = 0.6,
    spread: float = 0.3,
    noise: float = 0.7,
) -> Scores:
    """Scores on the real line of random styles; a rater's scores differ in level and in taste.

    Args:
        levels: mean score of each style.
        severity: standard deviation of what a rater adds to every score.
        spread: standard deviation of what a rater adds to each style.
    """
    names = np.array(list(levels))
    rater = np.repeat(np.arange(n_raters), per_rater)
    style = rng.integers(0, len(names), n_raters * per_rater)
    taste = rng.normal(0.0, severity, (n_raters, 1)) + rng.normal(0.0, spread, (n_raters, len(names)))
    score = np.array(list(levels.values()))[style] + taste[rater, style] + rng.normal(0.0, noise, len(style))
    return Scores(names[style], _raters(rater), score)


def _raters(index: NDArray[Any]) -> NDArray[Any]:
    return np.char.add("rater-", index.astype(str))
