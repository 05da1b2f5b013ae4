"""A/A mode calls a sound metric sound and a broken one broken."""

import numpy as np
import pytest
from scipy.stats import kstest

from analytics import CTR, Covariate, Metric, Units, aa_test, simulate_units, simulate_with_history
from analytics.inference.aa import wilson_interval


def test_click_through_by_user_is_sound() -> None:
    units = simulate_with_history(np.random.default_rng(1), 2000, {"all": 0.06})
    metric = Metric("ctr", "clicks", "impressions", (Covariate("pre_clicks", "pre_impressions"),))
    found = aa_test(units, metric, np.random.default_rng(2), runs=1000, treatment_share=0.3)
    assert found.is_sound
    assert found.runs == 1000
    assert 0.035 <= (found.rate or 0) <= 0.065
    assert (found.rate_low or 9) <= 0.05 <= (found.rate_high or 0)
    assert found.uniform_p == pytest.approx(
        kstest(found.p_values, "uniform", method="asymp").pvalue, rel=1e-6
    )


def test_one_whale_among_few_users_makes_it_unsound() -> None:
    rng = np.random.default_rng(3)
    revenue = np.append(rng.exponential(1.0, 299), 1e6)
    units = Units(np.arange(300).astype(str), np.full(300, "all"), {"revenue": revenue})
    found = aa_test(units, Metric.mean("revenue"), rng, runs=400)
    assert found.is_sound is False
    capped = aa_test(units, Metric.mean("min(revenue,5)", name="revenue"), rng, runs=400)
    assert capped.is_sound


def test_the_interval_of_the_rate_is_wilsons() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for hits, n in [(0, 50), (7, 100), (50, 1000)]:
        theirs = proportion_confint(hits, n, method="wilson")
        assert tuple(wilson_interval(hits / n, n)) == pytest.approx(theirs, rel=1e-9, abs=1e-15)


def test_the_same_seed_gives_the_same_answer_whatever_the_variants_were() -> None:
    units = simulate_units(np.random.default_rng(4), 300, {"a": 0.1, "b": 0.1})
    renamed = Units(units.user, np.full(300, "x"), units.columns)
    first, second = (aa_test(u, CTR, np.random.default_rng(5), runs=50) for u in (units, renamed))
    assert first == second


@pytest.mark.parametrize(
    ("clicks", "reason"),
    [([], "no users"), ([1, 1, 1, 1, 1, 1, 1, 1], "behave alike"), ([np.inf] * 8, "finite")],
)
def test_users_that_cannot_be_split_say_why(clicks: list[float], reason: str) -> None:
    names = np.arange(len(clicks)).astype(str)
    units = Units(names, names, {"clicks": np.array(clicks)})
    found = aa_test(units, Metric.mean("clicks"), np.random.default_rng(6), runs=20)
    assert found.rate is None
    assert found.is_sound is None
    assert reason in (found.why_none or "")


def test_no_runs_are_refused() -> None:
    units = simulate_units(np.random.default_rng(7), 10, {"a": 0.1})
    with pytest.raises(ValueError, match="at least one run"):
        aa_test(units, CTR, np.random.default_rng(8), runs=0)
