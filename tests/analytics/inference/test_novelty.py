"""Trends of an effect: against a clustered regression, and how often nothing looks like a trend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analytics import CTR, Metric, Moments, UnitDays, Units, novelty, simulate_days, trend_units
from analytics.errors import InsufficientData
from analytics.inference.novelty import trend, trend_columns


def moments_by_variant(days: UnitDays, metric: Metric, since: Any = "start") -> dict[str, Moments]:
    return trend_units(days, metric, since=since).moments()


def day_index(days: UnitDays) -> np.ndarray:
    return np.array([int(str(text)[-2:]) for text in days.day]) - 1


def fading(rng: np.random.Generator, n_users: int = 1500, n_days: int = 7) -> UnitDays:
    """The treatment lifts clicks on the first day and no more on the last."""
    world = simulate_days(rng, n_users, {"a": 0.1, "b": 0.1}, n_days=n_days)
    extra = np.where(world.variant == "b", 0.1 * (1 - day_index(world) / (n_days - 1)), 0.0)
    clicks = world["clicks"] + rng.binomial(world["impressions"] - world["clicks"], extra)
    return UnitDays(world.user, world.variant, world.day, {**world.columns, "clicks": clicks})


def test_statsmodels_agrees_on_a_weighted_line_with_errors_clustered_by_user() -> None:
    import statsmodels.api as sm

    days = simulate_days(np.random.default_rng(1), 300, {"a": 0.1}, n_days=6)
    rows = days["impressions"] > 0
    t, x = day_index(days)[rows], days["impressions"][rows]
    _, user = np.unique(days.user[rows], return_inverse=True)
    fit = sm.WLS(days["clicks"][rows] / x, np.column_stack([np.ones(len(t)), t]), weights=x).fit(
        cov_type="cluster", cov_kwds={"groups": user, "use_correction": False}
    )
    ours = trend(moments_by_variant(days, CTR)["a"], CTR)
    n = ours.slope.degrees_of_freedom + 1
    assert (ours.level, ours.slope.value) == pytest.approx(tuple(fit.params), rel=1e-9)
    assert ours.slope.standard_error * np.sqrt((n - 1) / n) == pytest.approx(fit.bse[1], rel=1e-9)


def test_the_five_columns_of_one_user_by_hand() -> None:
    days = UnitDays(
        np.array(["u", "u"]),
        np.array(["a", "a"]),
        np.array(["2030-01-03", "2030-01-05"]),
        {"clicks": np.array([1, 2]), "impressions": np.array([4, 5])},
    )
    other = UnitDays(
        np.array(["u", "u", "w"]),
        np.array(["a", "a", "a"]),
        np.array(["2030-01-03", "2030-01-05", "2030-01-01"]),
        {"clicks": np.array([1, 2, 0]), "impressions": np.array([4, 5, 1])},
    )
    exposure = trend_units(days, CTR, since="exposure")
    assert {name: values.tolist() for name, values in exposure.columns.items()} == dict(
        zip(trend_columns(CTR), ([3], [9], [4], [10], [20]), strict=True)
    )
    start = trend_units(other, CTR, since="start")
    assert [start[name][0] for name in trend_columns(CTR)] == [
        3,
        9,
        1 * 2 + 2 * 4,
        4 * 2 + 5 * 4,
        4 * 4 + 5 * 16,
    ]
    per_day = trend_units(other, Metric.mean("clicks"), since="exposure")
    assert [per_day[name][0] for name in trend_columns(Metric.mean("clicks"))] == [3, 2, 4, 2, 4]


def test_a_fading_effect_is_seen_with_its_first_and_last_size() -> None:
    found = novelty(*_arms(fading(np.random.default_rng(2), 20_000)), CTR, 7)
    assert (found.p or 1) < 1e-4
    assert found.effect_first == pytest.approx(0.09, abs=0.015)
    assert found.effect_last == pytest.approx(0.0, abs=0.015)
    assert (found.ci_low or 9) < -0.09 / 6 < (found.ci_high or -9)


def test_an_effect_that_stays_looks_like_a_trend_one_time_in_twenty() -> None:
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(400):
        days = simulate_days(rng, 400, {"a": 0.1, "b": 0.12}, n_days=5)
        wrong += (novelty(*_arms(days, "exposure"), CTR, 5).p or 1) < 0.05
    assert 0.03 <= wrong / 400 <= 0.075


def _arms(days: UnitDays, since: Any = "start") -> tuple[Moments, Moments]:
    found = moments_by_variant(days, CTR, since)
    return found["b"], found["a"]


def units_of(rows: list[tuple[float, float, float, float, float]]) -> Moments:
    columns = dict(zip(trend_columns(CTR), np.array(rows, float).reshape(-1, 5).T, strict=True))
    return Moments.of(columns)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "two users"),
        ([(1, 4, 1, 4, 4)], "two users"),
        ([(1, 4, 0, 0, 0), (2, 4, 0, 0, 0)], "not two days"),
        ([(np.inf, 4, 0, 4, 4), (2, 4, 0, 0, 0)], "not a finite number"),
    ],
)
def test_days_that_show_no_trend_say_why(rows: list[tuple[float, ...]], reason: str) -> None:
    moments = units_of(rows)  # type: ignore[arg-type]
    with pytest.raises(InsufficientData, match=reason):
        trend(moments, CTR)
    assert reason in (novelty(moments, moments, CTR, 2).why_none or "")


def test_users_who_click_everything_every_day_have_no_error() -> None:
    found = novelty(*[units_of([(4, 4, 4, 4, 4), (6, 6, 3, 3, 3)])] * 2, CTR, 2)
    assert "behave alike" in (found.why_none or "")


def test_no_days_at_all_are_no_exception() -> None:
    nobody = np.array([], dtype=str)
    empty = {"clicks": np.array([], int), "impressions": np.array([], int)}
    found = trend_units(UnitDays(nobody, nobody, nobody, empty), CTR, since="exposure")
    assert isinstance(found, Units)
    assert len(found) == 0
