"""A quantile as a metric: the same number through every door, and a sentence where there can be none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analytics_page_times import impressions
from analytics_shop import SHARES, units
from hypothesis import given
from hypothesis import strategies as st

from analytics import (
    OBF,
    Cleaning,
    Definition,
    Experiment,
    Measure,
    Metric,
    Moments,
    Result,
    Tables,
    UnitDays,
    Units,
    aa_test,
    compare,
    difference,
    quantile,
)
from analytics.errors import InvalidRequest, InvalidRows, MissingColumns, NoEvents
from analytics.event_values import EventValues
from analytics.experiment import LookPlan
from analytics.inference.corrections import adjust
from analytics.metrics import Covariate
from analytics.reading import Database, Source

LOAD = "load=-p95(page_ms)"
PLAN = {"control": 0.5, "new": 0.5}


def analyze(events: pd.DataFrame, *metrics: str | Measure, look: LookPlan = "fixed") -> Result:
    return Experiment("", Tables(events=events), metrics or [LOAD], plan=PLAN).analyze(look)


def variants(events: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return events[events["variant"] == "new"], events[events["variant"] == "control"]


@pytest.mark.parametrize("level", [0.5, 0.95, 0.985])
def test_the_values_are_order_statistics_and_the_effect_their_difference(level: float) -> None:
    events = impressions(seed=1)
    result = analyze(events, Measure(Metric.of_quantile("page_ms", level, name="load")))
    found, alone = result["new", "load"], result.comparisons["load"].variants
    arms = [quantile(one["page_ms"].to_numpy(), one["user"].to_numpy(), level) for one in variants(events)]
    for name, arm in zip(("new", "control"), variants(events), strict=True):
        assert alone[name].value == np.quantile(arm["page_ms"], level, method="inverted_cdf")
        assert alone[name].totals["impressions"] == len(arm)
    expected = difference(*arms)
    assert (found.effect, found.standard_error) == (expected.value, expected.standard_error)
    assert found.p == pytest.approx(expected.p(), rel=1e-12)
    assert found.relative == pytest.approx(arms[0].value / arms[1].value - 1.0)


def test_a_bootstrap_of_users_agrees_on_the_difference() -> None:
    events = impressions(2000, 10, seed=2)
    rng = np.random.default_rng(3)
    draws = []
    for arm in variants(events):
        by_user = arm["page_ms"].to_numpy().reshape(-1, 10)
        again = rng.integers(0, len(by_user), (500, len(by_user)))
        draws.append(np.array([np.quantile(by_user[users], 0.95) for users in again]))
    spread = np.std(draws[0] - draws[1])
    assert analyze(events)["new", "load"].standard_error == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize(("rounded_to", "least"), [(0.0, 0.03), (50.0, 0.03), (200.0, 0.0)])
def test_nothing_is_found_one_time_in_twenty_where_users_have_twenty_pages_each(
    rounded_to: float, least: float
) -> None:
    metric = Metric.of_quantile("page_ms", 0.95)
    rng = np.random.default_rng(4)
    user = np.repeat(np.arange(400), 20)
    found = []
    for _ in range(400):
        times = np.exp(rng.normal(6.0, 0.5, 400)[user] + rng.normal(0.0, 0.5, len(user)))
        times = np.round(times / rounded_to) * rounded_to if rounded_to else times
        variant = np.where(rng.random(400) < 0.5, "new", "control")
        columns = {"impressions": np.full(400, 20)}
        world = Units(np.arange(400).astype(str), variant, columns, {"page_ms": EventValues(times, user)})
        p = compare(world, control="control", metric=metric)["new"].p
        found.append(p is not None and p < 0.05)
    assert least <= np.mean(found) <= 0.08


@pytest.mark.parametrize("look", ["fixed", "anytime", OBF(looks=3, look=2)], ids=str)
def test_both_intervals_exclude_zero_exactly_when_p_is_below_alpha(look: LookPlan) -> None:
    shown = set()
    for seed in range(16):
        found = analyze(impressions(600, 8, slower=1.15, seed=seed), look=look)["new", "load"]
        assert found.p is not None
        assert found.ci is not None
        assert found.relative_ci is not None
        shown.add(found.p < 0.05)
        for low, high in (found.ci, found.relative_ci):
            assert (low > 0 or high < 0) is (found.p < 0.05)
    assert shown == {True, False}


def test_files_frames_and_logs_say_the_same(tmp_path: Path) -> None:
    events = impressions(seed=5).assign(page_ms=lambda e: e["page_ms"].round(3))
    events["impression_id"] = [f"i{n}" for n in range(len(events))]
    events.to_csv(tmp_path / "e.csv.gz", index=False)
    events.to_parquet(tmp_path / "e.parquet")
    shuffled = events.sample(frac=1.0, random_state=0)
    sources = [
        Tables(events=events),
        Tables(events=shuffled),
        Tables(events=tmp_path / "e.csv.gz"),
        Tables(events=tmp_path / "e.parquet"),
        Tables(impressions=shuffled.drop(columns="clicked")),
    ]
    results = [Experiment("", source, [LOAD, "p50(page_ms)"], plan=PLAN).analyze() for source in sources]
    assert all(r.effects == results[0].effects for r in results)
    assert results[0]["new", "p50(page_ms)"].p is not None


def test_rows_that_do_not_count_do_not_enter_the_quantile() -> None:
    events = impressions(seed=6)
    events["impression_id"] = [f"i{n}" for n in range(len(events))]
    again = events.iloc[:500].assign(page_ms=math.nan)
    nobody = events.iloc[500:600].assign(user=" ", impression_id="x", page_ms=1e9)
    dirty = analyze(pd.concat([events, again, nobody], ignore_index=True))
    assert dirty.effects == analyze(events).effects
    assert dirty.funnel is not None
    assert dirty.funnel["impressions"].dropped["duplicates"] == 500


def test_a_time_that_is_missing_is_refused_with_the_number_of_rows() -> None:
    events = impressions(20)
    events.loc[[3, 4], "page_ms"] = math.nan
    with pytest.raises(InvalidRows, match="2 rows with a 'page_ms' that is not a number"):
        analyze(events)
    with pytest.raises(MissingColumns, match="'load_ms'"):
        analyze(events, "p50(load_ms)")


@pytest.mark.parametrize("kind", ["Float64", "double[pyarrow]", "str", "category"])
def test_numbers_of_any_kind_of_column_are_the_same(kind: str) -> None:
    events = impressions(200)
    assert analyze(events.astype({"page_ms": kind})).effects == analyze(events).effects


def test_durations_are_not_taken_for_nanoseconds() -> None:
    events = impressions(20)
    with pytest.raises(InvalidRows, match="400 rows with a 'page_ms' that is not a number"):
        analyze(events.assign(page_ms=pd.to_timedelta(events["page_ms"], "ms")))


@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_p_values_are_adjusted_together_with_those_of_ratios(correction: str) -> None:
    metrics = ["ctr=clicks/impressions", LOAD, "p50(page_ms)"]
    experiment = Experiment("", Tables(events=impressions(slower=1.1)), metrics)
    result = experiment.analyze(correction=correction)  # type: ignore[arg-type]
    effects = list(result.effects.values())
    raw = [effect.p for effect in effects]
    assert [e.p_adjusted for e in effects] == adjust(raw, correction)  # type: ignore[arg-type]
    assert result.to_pandas()["metric"].tolist() == ["ctr", "load", "p50(page_ms)"]


def test_a_segment_is_compared_as_if_it_stood_alone() -> None:
    events = impressions(1200, slower=1.2, seed=7)
    source = Tables(events=events)
    result = Experiment("", source, [LOAD], plan=PLAN).analyze(segments=["device"])
    assert result.effects == analyze(events).effects
    found = result.segment("device")
    for device, rows in events.groupby("device"):
        assert found[str(device)]["new", "load"].ci == analyze(rows)["new", "load"].ci
    assert found.interactions["new", "load"].segments == ("phone", "tv")
    assert found.interactions["new", "load"].p is not None


@pytest.mark.parametrize(
    ("slower", "n_users", "verdict"),
    [(1.0, 6000, "ship"), (1.0, 200, "wait"), (1.4, 2000, "do not ship"), (0.7, 2000, "ship")],
    ids=["kept", "not shown", "harmed", "faster"],
)
def test_a_guardrail_of_page_times_decides(slower: float, n_users: int, verdict: str) -> None:
    events = impressions(n_users, 10, slower=slower, seed=8)
    guardrail = Measure.parse(LOAD + ":0.1", "guardrail")
    result = analyze(events, "ctr=clicks/impressions", guardrail)
    assert result.decision.verdict == verdict
    judged = result["new", "load"].noninferiority
    assert judged is not None
    assert judged.is_noninferior is (verdict == "ship")
    assert (judged.worst or 1.0) < 0.1 if verdict == "ship" else (judged.worst or 0.0) > 0.1


def test_a_definition_names_a_guardrail_of_page_times() -> None:
    definition = Definition("demo", PLAN, guardrails=(LOAD + ":0.1",))
    result = Experiment("demo", Tables(events=impressions()), definition=definition).analyze()
    assert [m.role for m in result.measures] == ["goal", "guardrail"]
    assert result["new", "load"].noninferiority is not None


NOBODY = impressions(0)
ROWS = impressions(200)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (NOBODY, "no users"),
        (ROWS[ROWS["user"] == "u0"], "there are no users"),
        (ROWS[(ROWS["variant"] == "control") | (ROWS["user"] == "u1")], "in “new”, one user alone"),
        (ROWS[ROWS["variant"] == "new"], "in “control”, there are no users"),
        (ROWS.assign(page_ms=5), "too few different events"),
        (ROWS.assign(page_ms=np.where(ROWS.index % 37, 5.0, 7.0)), "around 5 are all alike"),
        (ROWS.assign(page_ms=ROWS["page_ms"].where(ROWS.index > 0, math.inf)), "not a finite number"),
        (ROWS.assign(page_ms=ROWS["page_ms"] * 1e300), "too large"),
    ],
    ids=["no events", "one user", "one in a variant", "empty variant", "equal", "ties", "infinite", "huge"],
)
def test_events_that_cannot_carry_an_answer_give_a_reason(events: pd.DataFrame, why: str) -> None:
    result = analyze(events)
    effect = result["new", "load"]
    assert (effect.effect, effect.p, effect.ci) == (None, None, None)
    assert why in str(effect.why_none)
    text = json.dumps(result.to_dict(), allow_nan=False) + result.to_html()
    assert "nan" not in text.lower().replace("nanpx", "")
    assert len(result.to_pandas()) == 1


def test_a_value_without_an_error_is_still_told() -> None:
    alike = analyze(ROWS.assign(page_ms=5)).comparisons["load"].variants["control"]
    assert (alike.value, alike.ci_low) == (5.0, None)
    assert "too few different events" in str(alike.why_none)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"), st.one_of(st.sampled_from([0.0, 1.0, math.inf, math.nan]), st.floats())
        ),
        max_size=40,
    ),
    st.sampled_from([0.001, 0.5, 0.9]),
)
def test_whatever_the_events_there_is_a_number_or_a_reason(
    rows: list[tuple[str, float]], level: float
) -> None:
    user, codes = np.unique(np.array([name for name, _ in rows], dtype=str), return_inverse=True)
    values = EventValues(np.array([value for _, value in rows], float), codes)
    variant = np.where(np.isin(user, ["a", "b", "c"]), "control", "new")
    columns = {"impressions": np.bincount(codes, minlength=len(user))}
    world = Units(user, variant, columns, {"page_ms": values})
    found = compare(world, control="control", metric=Metric.of_quantile("page_ms", level), shares=PLAN)
    json.dumps(found.to_dict(), allow_nan=False)
    assert (found["new"].p is None) == (found["new"].why_none is not None)


def test_sums_cannot_give_a_quantile_and_say_so(days: UnitDays, sqlite_url: str) -> None:
    whole = units({"control": 0.1, "new": 0.1}, {"control": 1.0, "new": 1.0}, 50)
    totals = pd.DataFrame({"user": whole.user, "variant": whole.variant, **whole.columns})
    sources: list[Source] = [Tables(totals=totals), whole, days, whole.moments(), Database(sqlite_url)]
    for source in sources:
        with pytest.raises(NoEvents, match="'page_ms' is taken over single impressions") as raised:
            Experiment("demo", source, [LOAD], control="control", plan=SHARES).analyze()
        assert raised.value.columns == ("page_ms",)
    with pytest.raises(NoEvents):
        compare(
            {"control": Moments(1, {"impressions": 1}, {})},
            control="control",
            metric=Metric.of_quantile("page_ms", 0.5),
        )


def test_what_a_quantile_cannot_be_asked_is_told_beside_the_rest() -> None:
    events = impressions(seed=9).assign(shown_at=np.where(np.arange(8000) % 2, "2030-01-01", "2030-01-02"))
    before = pd.DataFrame({"user": events["user"].unique()}).assign(pre_clicks=np.arange(400) % 7)
    adjusted = Metric("load", "p95(page_ms)", "impressions", (Covariate("pre_clicks"),))
    ctr = Metric("ctr", "clicks", "impressions", (Covariate("pre_clicks"),))
    experiment = Experiment("", Tables(events=events, users=before), [adjusted, ctr], plan=PLAN)
    result = experiment.analyze()
    effect = result["new", "load"]
    assert "not adjusted: what users did before" in str(effect.why_not_adjusted)
    assert effect.variance_reduction is None
    assert effect.ci == analyze(events, "load=p95(page_ms)")["new", "load"].ci
    assert result["new", "ctr"].why_not_adjusted is None
    assert list(result.by_day()) == ["ctr"]
    assert "no daily data" in str(result.novelty()["new", "load"].why_none)
    assert "Quantiles have no daily course" in result.to_html()
    split = experiment.aa("load")
    assert (split.rate, split.is_sound) == (None, None)
    assert "splits of the same events" in split.conclusion
    with pytest.raises(InvalidRequest, match=r"'load' is a quantile, .* cap none"):
        analyze(events, Measure(Metric.parse("load=p95(page_ms)"), cap=0.99))


def test_users_of_two_variants_who_are_kept_have_events_in_each() -> None:
    events = impressions(100, seed=10)
    rows = np.arange(len(events)) % 2 == 0
    events.loc[rows, "variant"] = np.where(events.loc[rows, "variant"] == "new", "control", "new")
    kept = Cleaning(two_variants="keep")
    found = Experiment("", Tables(events=events), [LOAD], cleaning=kept).analyze().comparisons["load"]
    for name, rows_of in events.groupby("variant"):
        assert found.variants[str(name)].users == 100
        assert found.variants[str(name)].value == np.quantile(rows_of["page_ms"], 0.95, method="inverted_cdf")


def test_splits_of_a_quantile_need_no_events() -> None:
    nobody = np.array([], dtype=str)
    found = aa_test(Units(nobody, nobody, {}), Metric.parse("p50(page_ms)"), np.random.default_rng(0))
    assert found.p_values == ()
