"""The front door: named results, honest reasons, and JSON without NaN."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import (
    Anytime,
    Comparison,
    Covariate,
    Experiment,
    Metric,
    PlannedLooks,
    Units,
    compare,
    simulate_with_history,
)
from analytics.errors import MissingColumns, UnknownVariant
from analytics.inference.corrections import holm
from analytics.reporting.report import html_report, markdown_report


def units(**variants: Sequence[tuple[float, float]]) -> Units:
    """Units from (clicks, impressions) pairs by variant."""
    rows = [(name, y, x) for name, pairs in variants.items() for y, x in pairs]
    user = np.array([f"u{i}" for i in range(len(rows))], dtype=str)
    columns = {"clicks": np.array([y for _, y, _ in rows]), "impressions": np.array([x for _, _, x in rows])}
    return Units(user, np.array([name for name, _, _ in rows], dtype=str), columns)


BUSY = [(1, 9), (0, 4), (3, 12), (2, 7), (0, 11)]
KEEN = [(4, 9), (2, 4), (6, 12), (3, 7), (5, 11)]


def test_the_control_comes_first_then_the_plan_then_the_rest() -> None:
    found = compare(units(z=BUSY, a=KEEN, m=BUSY), control="m", shares={"z": 1, "empty": 1, "m": 1})
    assert list(found.variants) == ["m", "z", "empty", "a"]
    assert [c.name for c in found.contrasts] == ["z_vs_m", "empty_vs_m", "a_vs_m"]


def test_effects_are_treatment_minus_control(comparison: Comparison) -> None:
    found = comparison["personal", "popular"]
    values = {name: variant.value or 0.0 for name, variant in comparison.variants.items()}
    assert found.effect == pytest.approx(values["personal"] - values["popular"])
    assert found.relative_uplift == pytest.approx(values["personal"] / values["popular"] - 1)
    assert comparison["personal"] is comparison["personal", "original"]


def test_all_pairs_hold_each_comparison_and_its_mirror(comparison: Comparison) -> None:
    assert len(comparison.contrasts) == 6
    forward, mirror = comparison["personal", "original"], comparison["original", "personal"]
    assert forward.effect == -(mirror.effect or 0)
    assert (forward.ci_low, forward.ci_high) == pytest.approx((-(mirror.ci_high or 0), -(mirror.ci_low or 0)))
    assert forward.p == pytest.approx(mirror.p)
    assert forward.p_holm == pytest.approx(mirror.p_holm)


def test_holm_counts_a_pair_and_its_mirror_once(comparison: Comparison) -> None:
    names = [("popular", "original"), ("personal", "original"), ("personal", "popular")]
    expected = holm([comparison[pair].p or 1.0 for pair in names])
    assert [comparison[pair].p_holm for pair in names] == pytest.approx(expected)


def test_a_single_comparison_is_not_adjusted() -> None:
    found = compare(units(a=BUSY, b=KEEN), control="a")["b"]
    assert found.p == found.p_holm


def test_only_the_pairs_asked_for_are_compared(comparison: Comparison) -> None:
    found = compare(units(a=BUSY, b=KEEN, c=BUSY), control="a", pairs=[("c", "b")])
    assert [c.name for c in found.contrasts] == ["c_vs_b"]


def test_the_any_time_interval_holds_the_fixed_one(comparison: Comparison) -> None:
    for found in comparison.contrasts:
        assert found.anytime_low is not None
        assert found.anytime_high is not None
        assert found.anytime_low < (found.ci_low or 0) < (found.ci_high or 0) < found.anytime_high


@given(st.permutations(range(10)))
def test_the_order_of_users_does_not_matter(order: list[int]) -> None:
    world = units(a=BUSY, b=KEEN)
    columns = {name: values[order] for name, values in world.columns.items()}
    shuffled = Units(world.user[order], world.variant[order], columns)
    assert compare(shuffled, control="a") == compare(world, control="a")


def test_other_metrics_read_their_own_columns() -> None:
    found = compare(units(a=BUSY, b=KEEN), control="a", metric=Metric.parse("shown=impressions/users"))
    assert found.variants["a"].value == pytest.approx(43 / 5)
    assert found.to_dict()["variants"]["a"]["shown"] == pytest.approx(43 / 5)


def test_a_metric_named_like_a_total_leaves_the_total_alone() -> None:
    found = compare(units(a=BUSY, b=KEEN), control="a", metric=Metric.parse("clicks=clicks/users"))
    assert found.to_dict()["variants"]["a"]["clicks"] == 6
    assert found.to_dict()["variants"]["a"]["value"] == pytest.approx(6 / 5)


def test_an_unknown_variant_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownVariant, match=r"'b', 'c'.*name one of these"):
        compare(units(b=BUSY, c=KEEN), control="a")
    with pytest.raises(UnknownVariant, match="'zz'"):
        compare(units(a=BUSY, c=KEEN), control="a", pairs=[("zz", "a")])


def test_a_metric_of_missing_columns_is_refused() -> None:
    with pytest.raises(MissingColumns, match="revenue"):
        compare(units(a=BUSY, b=KEEN), control="a", metric=Metric.parse("revenue/users"))


def test_a_comparison_that_was_not_made_cannot_be_looked_up(comparison: Comparison) -> None:
    with pytest.raises(UnknownVariant, match="personal_vs_nobody"):
        comparison["personal", "nobody"]


ZOO: dict[str, tuple[Units, str]] = {
    "no users at all": (units(), "no users"),
    "one user": (units(a=[(1, 5)], b=KEEN), "one user"),
    "an empty variant": (units(b=KEEN), "no users"),
    "nobody was shown anything": (units(a=[(0, 0)] * 4, b=KEEN), "denominator is zero"),
    "nobody clicked": (units(a=[(0, 5)] * 4, b=[(0, 7)] * 4), "behave alike"),
    "everyone clicked everything": (units(a=[(5, 5)] * 4, b=[(2, 2), (3, 3)]), "behave alike"),
    "all against nothing": (units(a=[(0, 5)] * 4, b=[(5, 5)] * 4), "behave alike"),
    "an infinite count": (units(a=[(math.inf, 5), (1, 2)], b=KEEN), "not a finite number"),
    "a count that is no number": (units(a=[(math.nan, 5), (1, 2)], b=KEEN), "not a finite number"),
    "sums beyond floating point": (units(a=[(1e200, 1e200), (1.0, 3.0)], b=KEEN), "not a finite number"),
}


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [n for v in value.values() for n in numbers(v)]
    if isinstance(value, list):
        return [n for v in value for n in numbers(v)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("name", ZOO)
def test_degenerate_data_give_a_reason_and_no_number(name: str) -> None:
    data, reason = ZOO[name]
    found = compare(data, control="a", shares={"a": 1, "b": 1})
    contrast = found["b"]
    assert contrast.p is None
    assert contrast.ci_low is None
    assert reason in (contrast.why_none or "")
    assert reason in found.conclusion
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert all(map(math.isfinite, numbers(json.loads(text))))
    result = Experiment("", data, control="a", plan={"a": 1, "b": 1}).analyze()
    for report in (html_report(result), markdown_report(result)):
        assert not any(word in report.lower() for word in (">nan", "| nan", ">inf", "none%", "| none"))


def test_values_of_1e15_are_as_exact_as_small_ones() -> None:
    huge = [(y * 10**15, x * 10**15) for y, x in BUSY]
    small, large = (compare(units(a=pairs, b=KEEN), control="a").variants["a"] for pairs in (BUSY, huge))
    assert large.value == small.value
    assert large.standard_error == pytest.approx(small.standard_error, rel=1e-12)


def test_a_control_without_clicks_has_an_effect_but_no_relative_one() -> None:
    found = compare(units(a=[(0, 5), (0, 8), (0, 2)], b=KEEN), control="a")["b"]
    assert found.p is not None
    assert found.relative_uplift is None
    assert "not above zero" in (found.why_no_relative or "")


def test_the_conclusion_begins_with_the_split() -> None:
    sound = compare(units(a=BUSY * 9, b=KEEN * 9), control="a", shares={"a": 1, "b": 1})
    broken = compare(units(a=BUSY * 90, b=KEEN * 9), control="a", shares={"a": 1, "b": 1})
    unknown = compare(units(a=BUSY, b=KEEN), control="a")
    assert sound.conclusion.startswith("Users were split as planned")
    assert "“b” raised click-through from 14.0% (“a”) to 46.5%" in sound.conclusion
    assert broken.conclusion.startswith("Do not believe these numbers yet")
    assert "450 in “a” where 248 were due" in broken.conclusion
    assert unknown.conclusion.startswith("The split of users could not be checked: the planned shares")


def test_no_difference_is_said_to_be_not_shown_rather_than_absent() -> None:
    found = compare(units(a=BUSY, b=[*BUSY[1:], (1, 8)]), control="a")
    assert "No difference between “b” and “a” has been shown" in found.conclusion


def test_one_variant_alone_has_nothing_to_be_compared_with() -> None:
    assert "nothing to compare it with" in compare(units(a=BUSY), control="a").conclusion


def test_alpha_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha"):
        compare(units(a=BUSY, b=KEEN), control="a", alpha=1.0)


def test_the_conclusion_says_what_was_adjusted_for_and_how_one_may_look() -> None:
    world = simulate_with_history(np.random.default_rng(2), 900, {"a": 0.06, "b": 0.06})
    metric = Metric("ctr", "clicks", "impressions", (Covariate("pre_clicks", "pre_impressions"),))
    found = compare(world, control="a", metric=metric, look=Anytime(900))
    assert f"explains {100 * (found['b'].variance_reduction or 0):.0f}% of the variance" in found.conclusion
    assert found.conclusion.endswith("hold at any time, however often one looks.")
    assert (found["b"].ci_low, found["b"].p) == (found["b"].anytime_low, found["b"].anytime_p)
    assert found.planned_users == 900
    planned = compare(world, control="a", look=PlannedLooks.evenly(5, 2))
    assert "This is look 2 of 5 that were planned" in planned.conclusion
    assert planned.to_dict()["look"] == {"fractions": (0.2, 0.4, 0.6, 0.8, 1.0), "look": 2, "rule": "planned"}
    without = Units(world.user, world.variant, {**world.columns, "pre_impressions": world["clicks"] * 0})
    spoiled = compare(without, control="a", metric=metric)
    assert "Not adjusted for “pre_clicks/pre_impressions”: some variant has nothing" in spoiled.conclusion


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, analytics; print(sorted({'pandas', 'scipy', 'sqlalchemy', 'torch'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
