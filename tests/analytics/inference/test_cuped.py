"""Adjustment for the past against two other libraries, its identities, and what it must not do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics import Metric, Moments, Units, simulate_with_history
from analytics.inference.contrasts import contrast_variants
from analytics.inference.cuped import estimate_variants
from analytics.inference.ratio import difference, ratio_covariances, ratio_from_sums
from analytics.metrics import Covariate

CLOSE = 1e-9
PAST_CTR = Covariate("pre_clicks", "pre_impressions")
CTR = Metric("ctr", "clicks", "impressions", (PAST_CTR,))
CLICKS = Metric.mean("clicks", covariates=(Covariate("pre_clicks"),))
BOTH = [("b", "a")]


@pytest.fixture(scope="module")
def units() -> Units:
    return simulate_with_history(np.random.default_rng(5), 800, {"a": 0.06, "b": 0.08})


@pytest.mark.parametrize("metric", [CTR, CLICKS], ids=["ratio", "mean"])
def test_tea_tasting_agrees_on_effect_interval_and_p(units: Units, metric: Metric) -> None:
    import tea_tasting as tt

    frame = pd.DataFrame({"variant": units.variant, **units.columns})
    inference = (
        tt.RatioOfMeans("clicks", "impressions", "pre_clicks", "pre_impressions")
        if metric is CTR
        else tt.Mean("clicks", "pre_clicks")
    )
    theirs = tt.Experiment({"m": inference}, variant="variant").analyze(frame, control="a")["m"]
    [ours] = contrast_variants(units.moments(), metric, BOTH)
    assert ours.effect == pytest.approx(theirs.effect_size, rel=CLOSE)
    assert (ours.ci_low, ours.ci_high) == pytest.approx(
        (theirs.effect_size_ci_lower, theirs.effect_size_ci_upper), rel=CLOSE
    )
    assert ours.p == pytest.approx(theirs.pvalue, rel=CLOSE)
    assert ours.relative_uplift == pytest.approx(theirs.rel_effect_size, rel=CLOSE)


def test_statsmodels_agrees_on_a_regression_over_several_covariates(units: Units) -> None:
    import statsmodels.api as sm
    from statsmodels.stats.weightstats import ttest_ind

    names = ("pre_clicks", "pre_impressions")
    metric = Metric.mean("clicks", covariates=tuple(map(Covariate, names)))
    fit = sm.OLS(units["clicks"], sm.add_constant(np.column_stack([units[n] for n in names]))).fit()
    groups = [fit.resid[units.variant == name] for name in ("b", "a")]
    statistic, p, freedom = ttest_ind(*groups, usevar="unequal")
    found = estimate_variants(units.moments(), metric)
    b, a = found["b"].adjusted, found["a"].adjusted
    assert a is not None
    assert b is not None
    uplift = difference(b, a)
    assert uplift.value == pytest.approx(groups[0].mean() - groups[1].mean(), rel=CLOSE)
    assert uplift.value / uplift.standard_error == pytest.approx(statistic, rel=CLOSE)
    assert uplift.degrees_of_freedom == pytest.approx(freedom, rel=CLOSE)
    assert uplift.p() == pytest.approx(p, rel=CLOSE)


def test_statsmodels_agrees_on_a_ratio_linearised_over_several_covariates(units: Units) -> None:
    import statsmodels.api as sm

    def linear(y: str, x: str | None) -> np.ndarray:
        bottom = units[x] if x else np.ones(len(units))
        return (units[y] - units[y].sum() / bottom.sum() * bottom) / bottom.mean()

    covariates = (PAST_CTR, Covariate("pre_impressions"))
    design = np.column_stack([linear("pre_clicks", "pre_impressions"), linear("pre_impressions", None)])
    theirs = sm.OLS(linear("clicks", "impressions"), design).fit()
    everyone = Units(units.user, np.full(len(units), "all"), units.columns).moments()
    metric = Metric("ctr", "clicks", "impressions", covariates)
    adjusted = estimate_variants(everyone, metric)["all"].adjusted
    assert adjusted is not None
    assert adjusted.standard_error**2 * len(units) == pytest.approx(theirs.ssr / (len(units) - 1), rel=CLOSE)


def test_covariances_of_a_metric_with_itself_are_its_squared_error(units: Units) -> None:
    moments = units.moments()["a"]
    [[variance]] = ratio_covariances(moments, [CTR])
    assert variance == pytest.approx(ratio_from_sums(moments.sums(CTR)).standard_error ** 2, rel=1e-12)


def test_without_covariates_nothing_is_adjusted(units: Units) -> None:
    plain = Metric("ctr", "clicks", "impressions")
    for found in estimate_variants(units.moments(), plain).values():
        assert found.plain is found.adjusted
    assert contrast_variants(units.moments(), plain, BOTH)[0].variance_reduction is None


def test_a_covariate_that_is_the_metric_explains_all_of_it(units: Units) -> None:
    metric = Metric("ctr", "clicks", "impressions", (Covariate("clicks", "impressions"),))
    [found] = contrast_variants(units.moments(), metric, BOTH)
    assert found.effect == pytest.approx(0.0, abs=1e-15)
    assert found.p is None
    assert "behave alike" in (found.why_none or "")


def test_a_covariate_named_twice_or_scaled_counts_once(units: Units) -> None:
    scaled = {**units.columns, "again": 7 * units["pre_clicks"]}
    moments = Units(units.user, units.variant, scaled).moments()
    once, twice = (
        contrast_variants(moments, Metric.mean("clicks", covariates=tuple(map(Covariate, names))), BOTH)[0]
        for names in (["pre_clicks"], ["pre_clicks", "again", "pre_clicks"])
    )
    assert once.effect == pytest.approx(twice.effect, rel=1e-9)
    assert once.standard_error == pytest.approx(twice.standard_error, rel=1e-9)


def test_more_covariates_never_leave_more_variance_over_all_users(units: Units) -> None:
    everyone = {"all": Units(units.user, np.full(len(units), "all"), units.columns).moments()["all"]}
    errors = []
    for names in ([], ["pre_clicks"], ["pre_clicks", "pre_impressions"]):
        metric = Metric.mean("clicks", covariates=tuple(map(Covariate, names)))
        adjusted = estimate_variants(everyone, metric)["all"].adjusted
        assert adjusted is not None
        errors.append(adjusted.standard_error)
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < 0.8 * errors[0]


def test_the_past_as_long_as_the_test_cuts_the_variance_by_half(units: Units) -> None:
    world = simulate_with_history(np.random.default_rng(8), 60_000, {"a": 0.06, "b": 0.06}).moments()
    clicks = Metric.mean("clicks", covariates=(Covariate("pre_clicks"), Covariate("pre_impressions")))
    assert (contrast_variants(world, clicks, BOTH)[0].variance_reduction or 0) >= 0.56
    assert (contrast_variants(world, CTR, BOTH)[0].variance_reduction or 0) >= 0.41


def test_adjusted_a_a_tests_are_significant_one_time_in_twenty() -> None:
    rng = np.random.default_rng(4)
    significant = covered = 0
    for _ in range(600):
        world = simulate_with_history(rng, 500, {"a": 0.06, "b": 0.06}).moments()
        [found] = contrast_variants(world, CTR, BOTH)
        significant += (found.p or 1) < 0.05
        covered += (found.ci_low or 1) <= 0 <= (found.ci_high or -1)
    assert 0.03 <= significant / 600 <= 0.07
    assert covered == 600 - significant


def moments(**columns: list[float]) -> Moments:
    return Moments.of({name: np.array(values) for name, values in columns.items()})


@pytest.mark.parametrize(
    ("pre", "reason"),
    [
        ([0, 0, 0], "nothing of it from before"),
        ([float("inf"), 1, 2], "not a finite number"),
        ([2, 4, 6], "the same for all users"),
    ],
)
def test_a_covariate_that_cannot_be_used_is_left_out_with_the_reason(pre: list[float], reason: str) -> None:
    clicks = [[1, 4, 2], [3, 5, 9]]
    world = {
        name: moments(clicks=y, pre_clicks=[1, 2, 3], pre_impressions=pre)
        for name, y in zip("ab", clicks, strict=True)
    }
    [found] = contrast_variants(world, Metric.mean("clicks", covariates=(PAST_CTR,)), BOTH)
    [plain] = contrast_variants(world, Metric.mean("clicks"), BOTH)
    assert found.p == plain.p
    assert reason in (found.why_not_adjusted or "")
    assert found.variance_reduction is None


def test_an_empty_variant_does_not_spoil_the_others(units: Units) -> None:
    world = {**units.moments(), "c": Moments.empty(tuple(units.columns))}
    with_empty, without = contrast_variants(world, CTR, [("b", "a"), ("c", "a")])
    assert with_empty == contrast_variants(units.moments(), CTR, BOTH)[0]
    assert "no users" in (without.why_none or "")
