import numpy as np
import pytest
from scipy.optimize import minimize

from personalize.models.calibration import SLOPE_SPREAD, Calibration, fit_calibration

RNG = np.random.default_rng(5)


def draw(intercept: float, slope: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    scores = RNG.normal(-3, 1, n)
    return scores, RNG.random(n) < 1 / (1 + np.exp(-(intercept + slope * scores)))


def test_the_true_curve_is_recovered() -> None:
    calibration = fit_calibration(*draw(0.5, 0.7, 200_000))
    assert calibration.slope == pytest.approx(0.7, abs=0.03)
    assert calibration.intercept == pytest.approx(0.5, abs=0.1)


def test_calibrated_rows_click_as_often_as_predicted() -> None:
    scores, clicked = draw(1.0, 0.5, 100_000)
    odds = fit_calibration(scores, clicked).log_odds(scores)
    assert (1 / (1 + np.exp(-odds))).mean() == pytest.approx(clicked.mean(), rel=1e-3)


def test_outliers_do_not_make_the_search_swing() -> None:
    """The mode, as a general optimiser finds it, on scores with tails that throw a plain Newton step off."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores = rng.standard_t(1.5, 400) * 3
        clicked = rng.random(400) < 0.5 * (1 + np.tanh(0.15 * scores - 1))
        ours = fit_calibration(scores, clicked)
        theirs = minimize(
            lambda w, s=scores, c=clicked: negative_log_posterior(w, s, c), [0.0, 0.5], tol=1e-10
        )
        assert ours.slope == pytest.approx(theirs.x[1], abs=1e-3)


def negative_log_posterior(weights: np.ndarray, scores: np.ndarray, clicked: np.ndarray) -> float:
    odds = weights[0] + weights[1] * scores
    prior = ((weights[1] - 1) / SLOPE_SPREAD) ** 2 / 2
    return float(np.logaddexp(0, odds).sum() - odds[clicked].sum() + prior)


def test_few_clicks_leave_the_slope_near_1() -> None:
    scores, clicked = draw(-3.0, 0.0, 60)
    assert fit_calibration(scores, clicked).slope > 0.6


def test_an_order_that_is_the_wrong_way_round_becomes_worthless_not_reversed() -> None:
    scores, clicked = draw(-6.0, -1.0, 50_000)
    calibration = fit_calibration(scores, clicked)
    assert calibration.slope == 0
    assert np.ptp(calibration.log_odds(scores)) == 0


def test_equal_scores_and_no_clicks_stay_finite() -> None:
    for clicked in (np.zeros(10, dtype=bool), np.ones(10, dtype=bool)):
        assert np.isfinite(fit_calibration(np.full(10, -2.0), clicked).log_odds(np.array([-2.0]))).all()


def test_order_is_kept() -> None:
    assert (np.diff(Calibration(-1.0, 0.3).log_odds(np.arange(5.0))) > 0).all()


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        fit_calibration(np.zeros(0), np.zeros(0, dtype=bool))


def test_where_the_search_begins_does_not_change_where_it_ends() -> None:
    scores, clicked = draw(0.5, 0.7, 20_000)
    fresh = fit_calibration(scores, clicked)
    warm = fit_calibration(scores, clicked, Calibration(1.0, 0.2))
    assert (warm.intercept, warm.slope) == pytest.approx((fresh.intercept, fresh.slope), abs=1e-8)
