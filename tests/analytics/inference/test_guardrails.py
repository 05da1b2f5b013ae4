"""Non-inferiority: against statsmodels, against its own interval, and how often harm is overlooked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import Anytime, Estimate, noninferiority, ratio_of_means
from analytics.inference.sequential import FIXED, Look

positive = st.floats(0.5, 2.0)
errors = st.floats(0.001, 0.2)
estimate = st.builds(Estimate, positive, errors, st.floats(20.0, 1e6))


def test_statsmodels_agrees_on_an_absolute_margin() -> None:
    from statsmodels.stats.weightstats import ttest_ind

    rng = np.random.default_rng(1)
    treatment, control = rng.gamma(2.0, 1.0, 400), rng.gamma(2.0, 1.1, 300)
    arms = [ratio_of_means(values, np.ones(len(values))) for values in (treatment, control)]
    _, larger, _ = ttest_ind(treatment, control, alternative="larger", usevar="unequal", value=-0.5)
    found = noninferiority(*arms, margin=0.5, is_relative=False)
    assert found.p == pytest.approx(larger, rel=1e-9)
    _, smaller, _ = ttest_ind(treatment, control, alternative="smaller", usevar="unequal", value=0.1)
    found = noninferiority(*arms, margin=0.1, is_relative=False, increase_is_good=False)
    assert found.p == pytest.approx(smaller, rel=1e-9)


def test_statsmodels_agrees_on_a_relative_margin() -> None:
    from statsmodels.stats.weightstats import ttest_ind

    rng = np.random.default_rng(2)
    treatment, control = rng.gamma(2.0, 1.0, 400), rng.gamma(2.0, 1.0, 300)
    arms = [ratio_of_means(values, np.ones(len(values))) for values in (treatment, control)]
    _, p, _ = ttest_ind(treatment, 0.9 * control, alternative="larger", usevar="unequal")
    assert noninferiority(*arms, margin=0.1).p == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("look", [FIXED, Anytime(1000)], ids=["fixed", "anytime"])
@pytest.mark.parametrize("increase_is_good", [True, False])
@pytest.mark.parametrize("is_relative", [True, False])
@given(treatment=estimate, control=estimate, margin=st.floats(0.0, 0.5))
def test_the_verdict_says_whether_the_worst_end_is_within_the_margin(
    look: Look,
    increase_is_good: bool,
    is_relative: bool,
    treatment: Estimate,
    control: Estimate,
    margin: float,
) -> None:
    found = noninferiority(
        treatment,
        control,
        margin=margin,
        is_relative=is_relative,
        increase_is_good=increase_is_good,
        look=look,
    )
    if found.worst is None:
        assert "too close to zero" in (found.why_none or "")
        return
    gap = found.worst + margin if increase_is_good else margin - found.worst
    if abs(gap) > 1e-9:
        assert found.is_noninferior == (gap > 0)


def test_harm_just_at_the_margin_is_overlooked_one_time_in_forty() -> None:
    rng = np.random.default_rng(3)
    n_runs, overlooked = 4000, 0
    for _ in range(n_runs):
        treatment, control = rng.poisson(1.9, 200), rng.poisson(2.0, 200)
        arms = [ratio_of_means(values, np.ones(200, int)) for values in (treatment, control)]
        overlooked += bool(noninferiority(*arms, margin=0.05).is_noninferior)
    assert overlooked / n_runs == pytest.approx(0.025, abs=0.008)


def test_margins_that_are_none_are_refused() -> None:
    one = Estimate(1.0, 0.1, 99)
    for margin in (-0.1, 1.0):
        with pytest.raises(ValueError, match="margin"):
            noninferiority(one, one, margin=margin)


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (Estimate(0.0, 0.0, 9), "not above zero"),
        (Estimate(0.1, 0.2, 9), "too close to zero"),
        (Estimate(1.0, 0.0, 9), "behave alike"),
    ],
)
def test_a_guardrail_that_cannot_be_judged_says_why(control: Estimate, reason: str) -> None:
    treatment = Estimate(1.0, 0.0 if control.standard_error == 0 else 0.1, 9)
    found = noninferiority(treatment, control, margin=0.02)
    assert found.is_noninferior is None
    assert reason in (found.why_none or "")
    assert found.to_dict()["margin"] == 0.02
