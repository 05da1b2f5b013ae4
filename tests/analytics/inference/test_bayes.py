"""The posterior against numerical integration, and its promises against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from analytics import Estimate, posterior

CONTROL = Estimate(0.05, 0.002, 5000)
TREATMENT = Estimate(0.053, 0.0025, 5000)


def test_bayes_rule_by_numerical_integration() -> None:
    found = posterior(TREATMENT, CONTROL, prior_deviation=0.1)
    error = math.hypot(0.002, 0.0025)

    def weight(delta: float) -> float:
        return float(norm.pdf(delta, 0, 0.005) * norm.pdf(0.003, delta, error))

    def integral(of: object, low: float = -0.05, high: float = 0.05) -> float:
        return float(quad(lambda d: of(d) * weight(d), low, high, points=[0.0], epsabs=1e-13)[0])  # type: ignore[operator]

    total = integral(lambda d: 1.0)
    assert found.effect == pytest.approx(integral(lambda d: d) / total, rel=1e-8)
    assert found.chance_to_win == pytest.approx(integral(lambda d: 1.0, low=0.0) / total, rel=1e-8)
    assert found.expected_loss == pytest.approx(integral(lambda d: max(-d, 0.0)) / total, rel=1e-7)
    assert found.expected_loss_of_control == pytest.approx(integral(lambda d: max(d, 0.0)) / total, rel=1e-7)
    inside = integral(lambda d: 1.0, found.ci_low or 0, found.ci_high or 0)
    assert inside / total == pytest.approx(0.95, rel=1e-9)


def test_a_flat_prior_gives_the_frequentist_interval_and_chance() -> None:
    found = posterior(TREATMENT, CONTROL, prior_deviation=1e9)
    error = math.hypot(0.002, 0.0025)
    assert found.effect == pytest.approx(0.003, rel=1e-9)
    assert found.ci_low == pytest.approx(0.003 - norm.ppf(0.975) * error, rel=1e-9)
    assert found.chance_to_win == pytest.approx(norm.cdf(0.003 / error), rel=1e-9)


@given(st.floats(0.5, 2.0), st.floats(0.001, 0.5), st.floats(0.01, 1.0))
def test_it_shrinks_towards_nothing_and_losses_differ_by_the_effect(
    value: float, error: float, prior: float
) -> None:
    found = posterior(Estimate(value, error, 99), Estimate(1.0, error, 99), prior_deviation=prior)
    assert abs(found.effect or 0) <= abs(value - 1.0)
    assert 0 <= (found.chance_to_win or 0) <= 1
    difference = (found.expected_loss_of_control or 0) - (found.expected_loss or 0)
    assert difference == pytest.approx(found.effect, abs=1e-9)


def test_chances_to_win_come_true_when_the_prior_is_right() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 0.2, 4000)
    seen = 1.0 + truth + rng.normal(0, 0.15, 4000)
    chance = [posterior(Estimate(v, 0.15, 1e6), Estimate(1.0, 1e-9, 1e6)).chance_to_win or 0 for v in seen]
    sure = np.array(chance) > 0.8
    assert np.mean(truth[sure] > 0) == pytest.approx(np.mean(np.array(chance)[sure]), abs=0.02)


def test_what_cannot_be_read_says_why() -> None:
    alike = posterior(Estimate(1.0, 0.0, 9), Estimate(1.0, 0.0, 9))
    nothing = posterior(Estimate(1.0, 0.1, 9), Estimate(0.0, 0.0, 9))
    assert "behave alike" in (alike.why_none or "")
    assert "not above zero" in (nothing.why_none or "")
    assert nothing.to_dict()["chance_to_win"] is None
    with pytest.raises(ValueError, match="prior deviation"):
        posterior(TREATMENT, CONTROL, prior_deviation=0.0)
