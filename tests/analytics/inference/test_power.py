"""Users for an uplift and uplifts for users: against statsmodels, each other and simulation."""

import numpy as np
import pandas as pd
import pytest

from analytics import (
    CTR,
    Covariate,
    Metric,
    compare,
    noninferiority,
    ratio_of_means,
    simulate_units,
    simulate_with_history,
)
from analytics.errors import InsufficientData
from analytics.inference.power import (
    Baseline,
    achieved_power,
    detectable_uplift,
    plan,
    users_for_noninferiority,
    users_needed,
)
from analytics.sums import Sums

BASELINE = Baseline(value=0.05, user_variance=0.009, n_users=1000)


def test_statsmodels_agrees() -> None:
    from statsmodels.stats.power import NormalIndPower

    effect = 0.05 * 0.1 / np.sqrt(0.009)
    in_control = NormalIndPower().solve_power(effect, alpha=0.05, power=0.9, ratio=0.25)
    found = detectable_uplift(BASELINE, in_control * 1.25, power=0.9, treatment_share=0.2)
    assert found == pytest.approx(0.1, rel=1e-9)
    theirs = NormalIndPower().power(effect, 400, 0.05, ratio=0.25)
    assert achieved_power(BASELINE, 0.1, 500, treatment_share=0.2) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    "covariates", [(), (Covariate("pre_clicks", "pre_impressions"),)], ids=["plain", "cuped"]
)
def test_tea_tasting_agrees_from_the_same_history(covariates: tuple[Covariate, ...]) -> None:
    import tea_tasting as tt

    units = simulate_with_history(np.random.default_rng(2), 3000, {"past": 0.1})
    names = ("pre_clicks", "pre_impressions") if covariates else (None, None)
    metric = tt.RatioOfMeans("clicks", "impressions", *names, use_t=False, power=0.8, n_obs=20_000)
    [theirs] = metric.solve_power(pd.DataFrame(dict(units.columns)), "rel_effect_size")
    baseline = Baseline.of_metric(units.moments()["past"], Metric("ctr", "clicks", "impressions", covariates))
    assert detectable_uplift(baseline, 20_000) == pytest.approx(theirs.rel_effect_size, rel=1e-9)


def test_a_longer_memory_needs_fewer_users() -> None:
    moments = simulate_with_history(np.random.default_rng(3), 20_000, {"past": 0.06}).moments()["past"]
    adjusted = Metric("ctr", "clicks", "impressions", (Covariate("pre_clicks", "pre_impressions"),))
    plain = users_needed(Baseline.of(moments.sums(CTR)), 0.05)
    assert users_needed(Baseline.of_metric(moments, adjusted), 0.05) == pytest.approx(0.57 * plain, rel=0.05)


@pytest.mark.parametrize("power", [0.3, 0.8, 0.99])
def test_the_uplift_found_has_the_power_asked_for(power: float) -> None:
    uplift = detectable_uplift(BASELINE, 7000, power=power, alpha=0.1)
    assert achieved_power(BASELINE, uplift, 7000, alpha=0.1) == pytest.approx(power, rel=1e-9)


def test_as_many_users_as_planned_show_a_guardrail_harmless() -> None:
    rng = np.random.default_rng(4)
    baseline = Baseline(value=2.0, user_variance=2.0, n_users=1)
    n_users = users_for_noninferiority(baseline, 0.1, treatment_share=0.4)
    shown = 0
    for _ in range(600):
        treatment, control = rng.poisson(2.0, round(0.4 * n_users)), rng.poisson(2.0, round(0.6 * n_users))
        arms = [ratio_of_means(values, np.ones(len(values), int)) for values in (treatment, control)]
        shown += bool(noninferiority(*arms, margin=0.1).is_noninferior)
    assert shown / 600 == pytest.approx(0.8, abs=0.05)


def test_days_are_users_over_traffic_rounded_up() -> None:
    [row] = plan(BASELINE, uplifts=[0.05], users_per_day=1000).rows
    assert row.days == -(-row.users // 1000)
    assert plan(BASELINE, uplifts=[0.05]).rows[0].days is None
    with pytest.raises(ValueError, match="users a day"):
        plan(BASELINE, users_per_day=0.0)


def test_a_power_that_chance_alone_has_is_refused() -> None:
    with pytest.raises(ValueError, match="chance alone"):
        detectable_uplift(BASELINE, 100, power=0.04)
    with pytest.raises(ValueError, match="worse than the margin"):
        users_for_noninferiority(BASELINE, 0.05, expected_uplift=-0.05)


@pytest.mark.parametrize("uplift", [0.01, -0.05, 0.3])
def test_the_two_questions_are_inverse_to_each_other(uplift: float) -> None:
    users = users_needed(BASELINE, uplift)
    assert detectable_uplift(BASELINE, users) <= abs(uplift) < detectable_uplift(BASELINE, users - 1)


def test_as_many_users_as_planned_find_the_uplift_four_times_in_five() -> None:
    rng = np.random.default_rng(9)
    history = simulate_units(rng, 40_000, {"past": 0.10}).moments()["past"]
    n_users = users_needed(Baseline.of(history.sums(CTR)), 0.15)
    found = 0
    for _ in range(400):
        units = simulate_units(rng, n_users, {"a": 0.10, "b": 0.115})
        found += (compare(units, control="a")["b"].p or 1.0) < 0.05
    assert found / 400 == pytest.approx(0.8, abs=0.06)


def test_a_plan_without_a_question_answers_the_usual_ones() -> None:
    assert [row.relative_uplift for row in plan(BASELINE).rows] == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert [row.users for row in plan(BASELINE, users=[500]).rows] == [500]


def test_history_without_spread_cannot_be_planned_from() -> None:
    with pytest.raises(InsufficientData, match="above zero"):
        Baseline.of(Sums.of(np.zeros(9, int), np.ones(9, int)))


@pytest.mark.parametrize("bad", [{"alpha": 0.0}, {"power": 1.0}, {"treatment_share": 1.0}])
def test_chances_outside_0_and_1_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        users_needed(BASELINE, 0.1, **bad)


def test_an_uplift_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="never be found"):
        users_needed(BASELINE, 0.0)
