"""Whatever the numbers: a reason or finite numbers, never NaN, never an exception, never a warning."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import (
    CTR,
    Anytime,
    Estimate,
    Metric,
    Moments,
    Units,
    aa_test,
    contrast_estimates,
    difference,
    interaction,
    noninferiority,
    novelty,
    posterior,
    quantile,
    sample_ratio_by,
    segment_interaction,
)
from analytics.errors import InsufficientData
from analytics.inference.novelty import trend_columns
from analytics.inference.power import Baseline, detectable_uplift, users_needed

values = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 5e-324, 1e15, -9e99, 9e99]),
    st.floats(-1e6, 1e6),
    st.floats(0, 1),
)
errors = st.one_of(st.sampled_from([0.0, 5e-324, 1e-99, 1e-9, 1.0, 9e99]), st.floats(0, 10))
estimates = st.builds(Estimate, values, errors, st.sampled_from([1, 2, 9, 1000, 10**9]))
wild = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e15, 1e200, 1.7e308, math.inf, -math.inf, math.nan]),
    st.floats(),
)


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def is_sound(found: Any) -> bool:
    """All numbers finite, and the first of them missing exactly when a reason is given."""
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    numbers = [value for value in dataclasses.asdict(found).values() if isinstance(value, float)]
    return all(map(math.isfinite, numbers))


@given(estimates, estimates, st.sampled_from([0.0, 0.02, 0.99]), st.booleans(), st.booleans())
def test_two_estimates_are_compared_judged_and_weighed(
    treatment: Estimate, control: Estimate, margin: float, is_relative: bool, increase_is_good: bool
) -> None:
    found = contrast_estimates(("b", "a"), treatment, control, 100, look=Anytime())
    assert is_sound(found)
    assert (found.p is None) == (found.why_none is not None)
    verdict = noninferiority(
        treatment, control, margin=margin, is_relative=is_relative, increase_is_good=increase_is_good
    )
    assert is_sound(verdict)
    assert (verdict.is_noninferior is None) == (verdict.why_none is not None)
    belief = posterior(treatment, control)
    assert is_sound(belief)
    assert (belief.chance_to_win is None) == (belief.why_none is not None)


@given(st.lists(estimates, max_size=4))
def test_segments_of_any_effect_are_tested_against_each_other(effects: list[Estimate]) -> None:
    found = interaction({str(i): effect for i, effect in enumerate(effects)})
    assert is_sound(found)
    assert (found.p is None) == (found.why_none is not None)
    assert len(found.segments) + len(found.left_out) == len(effects)


@given(
    st.lists(st.lists(wild, min_size=5, max_size=5), max_size=4),
    st.lists(st.lists(wild, min_size=5, max_size=5), max_size=4),
)
def test_users_of_any_kind_have_a_trend_or_a_reason(b: list[list[float]], a: list[list[float]]) -> None:
    arms = [
        Moments.of(dict(zip(trend_columns(CTR), np.array(rows, float).reshape(-1, 5).T, strict=True)))
        for rows in (b, a)
    ]
    found = novelty(arms[0], arms[1], CTR, 9)
    assert is_sound(found)
    assert (found.p is None) == (found.why_none is not None)
    everywhere = {"tv": {"a": arms[1], "b": arms[0]}, "phone": {"a": arms[0], "b": arms[0]}}
    assert is_sound(segment_interaction(everywhere, CTR, "b", "a"))


@given(st.lists(st.tuples(wild, wild), max_size=6))
def test_users_of_any_kind_can_be_split_planned_from_and_ranked(rows: list[tuple[float, float]]) -> None:
    clicks, impressions = np.array(rows, float).reshape(-1, 2).T
    names = np.arange(len(rows)).astype(str)
    units = Units(names, names, {"clicks": clicks, "impressions": impressions})
    for metric in (CTR, Metric.conversion("clicks"), Metric.mean("min(clicks,2)", name="clicks")):
        assert is_sound(aa_test(units, metric, np.random.default_rng(0), runs=3))
    with contextlib.suppress(InsufficientData):
        assert is_sound(quantile(clicks, names, 0.5))
    with contextlib.suppress(InsufficientData):
        baseline = Baseline.of_metric(Moments.of(units.columns), CTR)
        assert users_needed(baseline, 0.1) > 0
        assert 0 < detectable_uplift(baseline, 100) < math.inf


@given(
    st.dictionaries(st.sampled_from("xyz"), st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**15)))
)
def test_any_counts_are_checked_against_the_plan(groups: dict[str, dict[str, int]]) -> None:
    found = sample_ratio_by(groups, {"a": 1, "b": 2})
    json.dumps(found.to_dict(), allow_nan=False)


def test_numbers_too_large_to_compute_with_are_told() -> None:
    huge = Estimate(9e99, 1e50, 9)
    found = contrast_estimates(("b", "a"), huge, Estimate(-9e99, 1e50, 9), 20)
    assert "too large" in (found.why_none or "")
    assert difference(huge, huge).value == 0
    sure = contrast_estimates(("b", "a"), Estimate(9e99, 1e-99, 9), Estimate(1.0, 0.0, 9), 20, look=Anytime())
    assert sure.p == 0.0
    for number in (1e100, -1e300, math.inf, math.nan):
        with pytest.raises(InsufficientData, match="too large"):
            Estimate(number, 1.0, 9)
