"""Derived columns and the cap of a winsorised mean."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import CTR, Metric, Units, cap_at, capped, compare, difference, ratio_of_means
from analytics.derived import Derived, plain_columns, with_derived
from analytics.errors import InsufficientData
from analytics.inference.winsor import order_rank

levels = st.floats(0.001, 0.999)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40), levels)
def test_the_cap_is_numpys_inverted_distribution_function(values: list[int], level: float) -> None:
    assert cap_at(np.array(values), level) == np.quantile(values, level, method="inverted_cdf")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), levels)
def test_at_least_the_level_lies_at_or_below_the_cap_and_less_below(values: list[int], level: float) -> None:
    cap, array = cap_at(np.array(values), level), np.array(values)
    assert np.mean(array <= cap) >= level - 1e-9
    assert np.mean(array < cap) < level + 1e-9


def test_a_thousandth_of_a_thousand_users_is_one_user() -> None:
    assert order_rank(1000, 0.999) == 998
    assert order_rank(1, 0.5) == 0


def test_a_cap_of_nothing_or_of_infinity_is_refused() -> None:
    with pytest.raises(InsufficientData, match="no values"):
        cap_at(np.array([]), 0.9)
    with pytest.raises(InsufficientData, match="not a finite number"):
        cap_at(np.array([1.0, np.inf]), 0.9)
    with pytest.raises(ValueError, match="level"):
        cap_at(np.array([1.0]), 1.0)
    with pytest.raises(ValueError, match="finite cap"):
        capped(Metric.conversion("revenue"), 9)


def shop() -> Units:
    rng = np.random.default_rng(3)
    n = 2000
    revenue = np.where(rng.random(n) < 0.2, np.round(rng.lognormal(3, 2, n), 2), 0.0)
    variant = np.where(rng.random(n) < 0.5, "a", "b")
    columns = {"revenue": revenue, "purchases": (revenue > 0) * rng.integers(1, 4, n)}
    return Units(np.arange(n).astype(str), variant, columns)


def test_a_winsorised_mean_is_the_mean_of_capped_values_and_narrower() -> None:
    from scipy.stats.mstats import winsorize

    units = shop()
    cap = cap_at(units["revenue"], 0.99)
    found = compare(units, control="a", metric=capped(Metric.mean("revenue"), cap))["b"]
    by_scipy = np.asarray(winsorize(units["revenue"], limits=(0, 0.01)))
    arms = [ratio_of_means(v, np.ones(len(v))) for v in (by_scipy[units.variant == name] for name in "ba")]
    assert found.effect == pytest.approx(difference(*arms).value, rel=1e-9)
    assert found.p == pytest.approx(difference(*arms).p(), rel=1e-9)
    plain = compare(units, control="a", metric=Metric.mean("revenue"))["b"]
    assert (found.standard_error or 9) < 0.8 * (plain.standard_error or 0)


def test_two_libraries_agree_on_conversion() -> None:
    import tea_tasting as tt
    from statsmodels.stats.weightstats import ttest_ind

    units = shop()
    bought = (units["purchases"] > 0).astype(int)
    found = compare(units, control="a", metric=Metric.conversion("purchases", name="bought"))["b"]
    frame = pd.DataFrame({"variant": units.variant, "bought": bought})
    theirs = tt.Experiment({"m": tt.Mean("bought")}, variant="variant").analyze(frame, control="a")["m"]
    _, p, _ = ttest_ind(*(bought[units.variant == name] for name in "ba"), usevar="unequal")
    assert found.effect == pytest.approx(theirs.effect_size, rel=1e-9)
    assert (found.ci_low, found.ci_high) == pytest.approx(
        (theirs.effect_size_ci_lower, theirs.effect_size_ci_upper), rel=1e-9
    )
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert found.p == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("name", ["any(purchases)", "min(revenue,250)", "min(revenue,0.5)"])
def test_the_name_of_a_derived_column_is_read_back(name: str) -> None:
    derived = Derived.parse(name)
    assert derived is not None
    assert derived.name == name


def test_plain_names_are_not_derived_and_a_cap_must_be_a_number() -> None:
    assert Derived.parse("clicks") is None
    assert Derived.parse("minimum(clicks)") is None
    with pytest.raises(ValueError, match="a cap reads"):
        Derived.parse("min(revenue,lots)")


def test_derived_columns_keep_whole_numbers_whole_and_infinities_visible() -> None:
    columns = {"n": np.array([0, 3, 9]), "money": np.array([0.0, np.inf, np.nan])}
    made = with_derived(columns, ["n", "any(n)", "min(n,5)", "min(money,5)", "any(money)"])
    assert made["any(n)"].tolist() == [0, 1, 1]
    assert made["min(n,5)"].tolist() == [0, 3, 5]
    assert made["min(n,5)"].dtype.kind == "i"
    for name in ("min(money,5)", "any(money)"):
        assert made[name][0] == 0
        assert np.isinf(made[name][1])
        assert np.isnan(made[name][2])
    assert plain_columns(["any(n)", "n", "min(money,5)"]) == ("n", "money")
    with pytest.raises(KeyError):
        with_derived(columns, ["any(missing)"])


def test_metrics_know_the_columns_of_their_covariates() -> None:
    from analytics import Covariate

    metric = Metric(
        "ctr", "clicks", "impressions", (Covariate.parse("pre_clicks / pre_impressions"), Covariate("clicks"))
    )
    assert metric.columns == ("clicks", "impressions", "pre_clicks", "pre_impressions")
    assert [c.name for c in metric.covariates] == ["pre_clicks/pre_impressions", "clicks"]
    assert CTR.is_rate
    assert Metric.conversion("purchases").is_rate
    assert not capped(Metric.mean("revenue"), 9).is_rate
    with pytest.raises(ValueError, match="a covariate reads"):
        Covariate.parse("a/b/c")
