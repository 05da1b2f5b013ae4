"""Click-through by the delta method against hand-worked numbers and two other libraries."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics import Estimate, Sums, Units, ratio_from_sums, ratio_of_means, simulate_units
from analytics.errors import InsufficientData
from analytics.inference.ratio import difference, relative_interval, relative_uplift

CLOSE = 1e-9


@pytest.fixture(scope="module")
def units() -> Units:
    return simulate_units(np.random.default_rng(3), 900, {"control": 0.05, "treatment": 0.07})


def estimates(units: Units, per_user: bool = False) -> tuple[Estimate, Estimate]:
    """Treatment and control."""
    found = []
    for name in ("treatment", "control"):
        y, x = (units[c][units.variant == name] for c in ("clicks", "impressions"))
        found.append(ratio_of_means(y, np.ones_like(x) if per_user else x))
    return found[0], found[1]


def test_three_users_by_hand() -> None:
    # R = 3/12; s_yy = s_xy = s_xx = 1, so Var = (1 - 0.5 + 0.0625) / (3 * 16)
    estimate = ratio_of_means(np.array([1, 0, 2]), np.array([4, 3, 5]))
    assert estimate.value == 0.25
    assert estimate.standard_error == pytest.approx(math.sqrt(0.5625 / 48), rel=1e-15)
    assert estimate.degrees_of_freedom == 2


@pytest.mark.parametrize("metric", ["ctr", "clicks_per_user"])
def test_tea_tasting_agrees_on_effect_interval_and_p(units: Units, metric: str) -> None:
    import tea_tasting as tt

    frame = pd.DataFrame({"variant": units.variant, **units.columns})
    per_user = metric == "clicks_per_user"
    inference = tt.Mean("clicks") if per_user else tt.RatioOfMeans("clicks", "impressions")
    theirs = tt.Experiment({"m": inference}, variant="variant").analyze(frame, control="control")["m"]
    treatment, control = estimates(units, per_user)
    ours = difference(treatment, control)
    assert treatment.value == pytest.approx(theirs.treatment, rel=CLOSE)
    assert ours.value == pytest.approx(theirs.effect_size, rel=CLOSE)
    assert tuple(ours.interval(0.05)) == pytest.approx(
        (theirs.effect_size_ci_lower, theirs.effect_size_ci_upper), rel=CLOSE
    )
    assert ours.p() == pytest.approx(theirs.pvalue, rel=CLOSE)
    assert relative_uplift(treatment, control) == pytest.approx(theirs.rel_effect_size, rel=CLOSE)


def test_statsmodels_agrees_with_errors_clustered_by_user_over_single_impressions(units: Units) -> None:
    import statsmodels.api as sm

    clicks, impressions = units["clicks"], units["impressions"]
    user = np.repeat(np.arange(len(units)), impressions)
    within = np.arange(len(user)) - np.repeat(np.cumsum(impressions) - impressions, impressions)
    clicked = (within < np.repeat(clicks, impressions)).astype(float)
    design = np.column_stack([units.variant[user] == name for name in ("treatment", "control")]).astype(float)
    fit = sm.OLS(clicked, design).fit(cov_type="cluster", cov_kwds={"groups": user, "use_correction": False})
    for ours, value, error in zip(estimates(units), fit.params, fit.bse, strict=True):
        n = ours.degrees_of_freedom + 1
        assert ours.value == pytest.approx(value, rel=CLOSE)
        assert ours.standard_error * math.sqrt((n - 1) / n) == pytest.approx(error, rel=CLOSE)


def test_statsmodels_agrees_on_welch_for_a_mean_per_user(units: Units) -> None:
    from statsmodels.stats.weightstats import ttest_ind

    groups = [units["clicks"][units.variant == name] for name in ("treatment", "control")]
    statistic, p, freedom = ttest_ind(*groups, usevar="unequal")
    ours = difference(*estimates(units, per_user=True))
    assert ours.value / ours.standard_error == pytest.approx(statistic, rel=CLOSE)
    assert ours.degrees_of_freedom == pytest.approx(freedom, rel=CLOSE)
    assert ours.p() == pytest.approx(p, rel=CLOSE)


def test_fieller_ends_are_where_the_test_changes_its_mind(units: Units) -> None:
    from scipy.optimize import brentq

    treatment, control = estimates(units)
    critical = difference(treatment, control).critical(0.05)

    def excess(relative: float) -> float:
        gap = abs(treatment.value - (1 + relative) * control.value)
        error = math.hypot(treatment.standard_error, (1 + relative) * control.standard_error)
        return gap - critical * error

    middle = relative_uplift(treatment, control)
    expected = brentq(excess, -1.0, middle, xtol=1e-14), brentq(excess, middle, 20.0, xtol=1e-14)
    assert tuple(relative_interval(treatment, control, critical)) == pytest.approx(expected, rel=1e-9)


positive = st.floats(0.01, 1.0)
errors = st.floats(0.0001, 0.2)
estimate = st.builds(Estimate, positive, errors, st.floats(1.0, 1e6))


@given(estimate, estimate, st.floats(0.001, 0.3))
def test_absolute_and_relative_intervals_and_p_agree_about_zero(
    treatment: Estimate, control: Estimate, alpha: float
) -> None:
    uplift = difference(treatment, control)
    critical = uplift.critical(alpha)
    assume(critical * control.standard_error < 0.99 * control.value)
    assume(abs(abs(uplift.value) / (critical * uplift.standard_error) - 1.0) > 1e-6)
    is_significant = uplift.p() < alpha
    for low, high in (uplift.interval(alpha), relative_interval(treatment, control, critical)):
        assert (low > 0 or high < 0) == is_significant
        assert low <= high


@given(estimate, estimate)
def test_swapping_the_variants_flips_the_sign_and_nothing_else(a: Estimate, b: Estimate) -> None:
    forward, backward = difference(a, b), difference(b, a)
    assert forward.value == -backward.value
    assert forward.standard_error == pytest.approx(backward.standard_error)
    assert forward.p() == pytest.approx(backward.p())


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=2, max_size=20), st.integers(2, 9)
)
def test_ten_impressions_called_one_change_the_unit_only(pairs: list[tuple[int, int]], factor: int) -> None:
    y, x = np.array(pairs).T
    ours, scaled = ratio_of_means(y, x), ratio_of_means(y, factor * x)
    assert scaled.value == pytest.approx(ours.value / factor)
    assert scaled.standard_error == pytest.approx(ours.standard_error / factor)


def test_users_who_all_click_everything_have_exactly_no_error() -> None:
    shown = np.arange(1, 1001)
    assert ratio_of_means(shown, shown) == Estimate(1.0, 0.0, 999)


def test_equal_amounts_of_money_leave_no_rounding_behind() -> None:
    assert ratio_of_means(np.full(1000, 0.1), np.ones(1000)).standard_error == 0.0


def test_a_variance_far_below_the_mean_is_not_lost() -> None:
    money = np.array([1e9, 1e9 + 1, 1e9 + 2], dtype=np.int64)
    assert ratio_of_means(money, np.ones(3, int)).standard_error == pytest.approx(1 / math.sqrt(3), rel=1e-12)


@pytest.mark.parametrize(
    ("sums", "reason"),
    [
        (Sums(0, 0, 0, 0, 0, 0), "no users"),
        (Sums(1, 1, 4, 1, 4, 16), "one user"),
        (Sums(5, 0, 0, 0, 0, 0), "denominator is zero"),
        (Sums(5, math.inf, 1, 1, 1, 1), "not a finite number"),
    ],
)
def test_too_little_data_is_refused_with_the_reason(sums: Sums, reason: str) -> None:
    with pytest.raises(InsufficientData, match=reason):
        ratio_from_sums(sums)


def test_a_control_near_zero_has_no_bounded_relative_interval() -> None:
    with pytest.raises(InsufficientData, match="too close to zero"):
        relative_interval(Estimate(0.1, 0.01, 99), Estimate(0.001, 0.001, 99), 1.96)


def test_a_control_of_zero_has_no_relative_uplift() -> None:
    with pytest.raises(InsufficientData, match="not above zero"):
        relative_uplift(Estimate(0.1, 0.01, 99), Estimate(0.0, 0.0, 99))
