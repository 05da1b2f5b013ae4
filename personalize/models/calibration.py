"""From ranker scores, of which only the order means anything, to log odds of a click."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import Floats

NEWTON_STEPS = 25
CLOSE_ENOUGH = 1e-10
MAX_HALVINGS = 30
SLOPE_SPREAD = 0.3
"""Standard deviation of the slope around 1 before any data: scores start as log odds and should stay so."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """log odds = intercept + slope * score, with slope >= 0 so that the order stays."""

    intercept: float = 0.0
    slope: float = 1.0

    def log_odds(self, scores: Floats) -> Floats:
        return self.intercept + self.slope * scores


AS_IS = Calibration()


def fit_calibration(
    scores: Floats, is_clicked: NDArray[np.bool_], start: Calibration | None = None
) -> Calibration:
    """Logistic regression of clicks on scores (Platt scaling) by Newton's method.

    The slope has a Gaussian prior around 1, which a few hundred clicks outweigh, and is not below 0:
    scores that order clicks the wrong way round become worthless rather than reversed.

    Args:
        scores, is_clicked: (rows,), best from rows that the scorer was not fitted on.
        start: where the search begins; near the answer it saves steps.
    Raises:
        ValueError: no rows.
    Source: Platt, 1999; Newton steps as in Lin, Lin and Weng, Machine Learning 2007.
    """
    if not len(scores):
        raise ValueError("expected at least one row to calibrate on, got none")
    center = float(scores.mean())
    weights = np.array([_log_odds(is_clicked), 0.0])
    if start is not None:
        weights = np.array([start.intercept + start.slope * center, start.slope])
    for _ in range(NEWTON_STEPS):
        before, weights = weights, _stepped(weights, scores - center, is_clicked)
        if np.abs(weights - before).max() < CLOSE_ENOUGH:
            break
    slope = float(weights[1])
    if slope <= 0:
        return Calibration(_log_odds(is_clicked), 0.0)
    return Calibration(float(weights[0]) - slope * center, slope)


def _stepped(weights: Floats, x: Floats, is_clicked: NDArray[np.bool_]) -> Floats:
    """One Newton step, halved until it does not lead uphill: a full one can overshoot and swing for ever."""
    step = _newton_step(weights, x, is_clicked)
    before = _objective(weights, x, is_clicked)
    for _ in range(MAX_HALVINGS):
        if _objective(weights - step, x, is_clicked) <= before:
            return weights - step
        step = step / 2
    return weights


def _objective(weights: Floats, x: Floats, is_clicked: NDArray[np.bool_]) -> float:
    """Negative log posterior of intercept and slope."""
    odds = weights[0] + weights[1] * x
    loss = np.logaddexp(0.0, odds).sum() - odds[is_clicked].sum()
    return float(loss + ((weights[1] - 1) / SLOPE_SPREAD) ** 2 / 2)


def _newton_step(weights: Floats, x: Floats, is_clicked: NDArray[np.bool_]) -> Floats:
    p = 0.5 * (1 + np.tanh((weights[0] + weights[1] * x) / 2))
    residual, information = p - is_clicked, p * (1 - p)
    precision = 1 / SLOPE_SPREAD**2
    gradient = np.array([residual.sum(), residual @ x + precision * (weights[1] - 1)])
    cross = information @ x
    hessian = np.array([[information.sum() + 1e-9, cross], [cross, information @ x**2 + precision]])
    return np.linalg.solve(hessian, gradient)


def _log_odds(is_clicked: NDArray[np.bool_]) -> float:
    """Log odds of the smoothed click rate."""
    clicked = float(is_clicked.sum())
    return float(np.log((clicked + 0.5) / (len(is_clicked) - clicked + 0.5)))
