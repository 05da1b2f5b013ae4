"""Daily rows become units and running moments, the same as a slow count in plain Python."""

from collections import defaultdict

import numpy as np
import pytest

from analytics import CTR, UnitDays, Units
from analytics.sums import Sums


def slow_sums(days: UnitDays, variant: str, last_day: str) -> Sums:
    """Adds up every user's rows one by one."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for i in range(len(days.user)):
        if days.variant[i] == variant and days.day[i] <= last_day:
            totals[str(days.user[i])][0] += int(days["clicks"][i])
            totals[str(days.user[i])][1] += int(days["impressions"][i])
    pairs = list(totals.values())
    return Sums(
        n=len(pairs),
        y=sum(y for y, _ in pairs),
        x=sum(x for _, x in pairs),
        yy=sum(y * y for y, _ in pairs),
        xy=sum(x * y for y, x in pairs),
        xx=sum(x * x for _, x in pairs),
    )


def test_running_moments_equal_a_slow_count_for_every_variant_and_day(days: UnitDays) -> None:
    running = days.cumulative_moments()
    for variant, of_variant in running.items():
        assert list(of_variant) == sorted(set(days.day))
        for day, moments in of_variant.items():
            assert moments.sums(CTR) == slow_sums(days, variant, day)


def test_the_last_day_is_the_total(days: UnitDays) -> None:
    totals = days.units().moments()
    for variant, of_variant in days.cumulative_moments().items():
        assert list(of_variant.values())[-1] == totals[variant]


def test_the_order_of_rows_does_not_matter(days: UnitDays) -> None:
    order = np.random.default_rng(0).permutation(len(days.user))
    columns = {name: values[order] for name, values in days.columns.items()}
    shuffled = UnitDays(days.user[order], days.variant[order], days.day[order], columns)
    assert shuffled.cumulative_moments() == days.cumulative_moments()


def test_several_rows_of_a_user_on_one_day_are_one_user() -> None:
    text = np.array(["u", "u", "u"])
    rows = UnitDays(
        text,
        np.array(["a"] * 3),
        np.array(["2030-01-02", "2030-01-01", "2030-01-02"]),
        {"clicks": np.array([1, 2, 3])},
    )
    assert [m.n for m in rows.cumulative_moments()["a"].values()] == [1, 1]
    assert [m.products["clicks", "clicks"] for m in rows.cumulative_moments()["a"].values()] == [4, 36]


def test_no_rows_are_no_units() -> None:
    nobody = np.array([], dtype=str)
    empty = UnitDays(nobody, nobody, nobody, {"clicks": np.array([], int), "impressions": np.array([], int)})
    assert len(empty.units()) == 0
    assert empty.cumulative_moments() == {}


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        Units(np.array(["a", "b"]), np.array(["x", "x"]), {"clicks": np.zeros(3)})
