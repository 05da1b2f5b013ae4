"""The posterior of a user's taste, against optimisation of the posterior itself."""

import numpy as np
import pytest
from scipy.optimize import minimize

from personalize.features import taste as taste_module
from personalize.features.taste import TastePrior, tastes

RNG = np.random.default_rng(4)
VECTORS = RNG.normal(size=(5, 3)) / np.sqrt(3)
COVARIANCE = TastePrior().covariance(VECTORS @ VECTORS.T)


def taste(clicks: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return tastes(clicks, expected, COVARIANCE[None], [0.1])[0]


def test_no_evidence_means_no_taste() -> None:
    assert taste(np.zeros((2, 5)), np.zeros((2, 5))) == pytest.approx(np.zeros((2, 5)))


@pytest.mark.parametrize("evidence", [1, 5, 40])
def test_taste_is_near_the_mode_of_the_posterior(evidence: int) -> None:
    expected = evidence * np.array([[0.5, 1.0, 0.2, 0.0, 0.8]])
    clicks = evidence * np.array([[2.0, 0.0, 1.0, 0.0, 0.5]])
    full = COVARIANCE + 0.1
    precision = np.linalg.inv(full)

    def negative_log_posterior(d: np.ndarray) -> float:
        likelihood = (clicks[0] * d - expected[0] * np.exp(d)).sum()
        return float(-likelihood + d @ precision @ d / 2)

    mode = minimize(negative_log_posterior, np.zeros(5), tol=1e-12).x
    of_styles = COVARIANCE @ precision @ mode
    assert taste(clicks, expected)[0] == pytest.approx(of_styles, abs=0.03)


def test_more_clicks_are_never_less_taste() -> None:
    expected = np.full((6, 5), 0.4)
    clicks = np.zeros((6, 5))
    clicks[:, 2] = np.arange(6)
    assert (np.diff(taste(clicks, expected)[:, 2]) > 0).all()


def test_users_do_not_touch_one_another() -> None:
    clicks, expected = RNG.poisson(0.5, (4, 5)).astype(float), RNG.random((4, 5))
    together = taste(clicks, expected)
    for user in range(4):
        alone = taste(clicks[[user]], expected[[user]])
        assert alone[0] == pytest.approx(together[user], abs=1e-12)


def test_priors_and_parts_of_the_users_are_solved_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    clicks, expected = RNG.poisson(0.5, (7, 5)).astype(float), RNG.random((7, 5))
    expected[3] = clicks[3] = 0.0
    both = np.array([COVARIANCE, 0.3 * COVARIANCE]), [0.1, 0.4]
    together = tastes(clicks, expected, *both)
    for n in range(2):
        alone = tastes(clicks, expected, both[0][[n]], both[1][n : n + 1])
        assert together[n] == pytest.approx(alone[0], abs=1e-12)
    assert np.abs(together[0] - together[1]).max() > 0.01
    monkeypatch.setattr(taste_module, "MAX_CELLS", 2 * 2 * 5**2)
    assert tastes(clicks, expected, *both) == pytest.approx(together, abs=1e-12)
    assert not together[:, 3].any()
