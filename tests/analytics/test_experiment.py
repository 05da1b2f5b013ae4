"""The front door: one answer from every source, everything by name, a reason where there is no number."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from analytics_shop import LOGS, SHARES, START, STOP, units, world

import analytics
from analytics import OBF, Cleaning, Definition, Experiment, Measure, Metric, Tables, UnitDays, Units
from analytics.errors import InvalidRequest, MissingColumns, UnknownVariant
from analytics.inference.corrections import holm
from analytics.reading import Database, Source
from analytics.rollup import Rollup


def numbers(result: analytics.Result) -> dict[tuple[str, str], tuple[object, ...]]:
    return {key: (e.effect, e.ci, e.p, e.relative_ci) for key, e in result.effects.items()}


def test_every_source_gives_the_same_answer(database: sa.Engine) -> None:
    shown, clicks, _ = world()
    events = shown.assign(clicked=shown["impression_id"].isin(clicks["impression_id"]))
    totals = events.groupby(["user", "variant"]).agg(
        clicks=("clicked", "sum"), impressions=("clicked", "size")
    )
    sources: list[Source] = [
        Database(database, LOGS),
        Tables(events=events),
        Tables(impressions=shown, clicks=clicks),
        Tables(totals=totals.reset_index()),
    ]
    results = [Experiment("demo", source, plan=SHARES).analyze() for source in sources]
    Rollup(Definition("demo", SHARES, started_at=START), LOGS).refresh(database)
    results.append(Experiment("demo", Database(database, LOGS)).analyze())
    assert [r.came_from for r in results] == ["logs", "units", "units", "units", "rollup"]
    assert all(numbers(r) == numbers(results[0]) for r in results)
    assert all(r.srm == results[0].srm for r in results)
    days = [r.by_day() for r in results]
    assert days[0] == days[1] == days[2] == days[4]
    assert days[3] == {}


def test_segments_and_what_users_did_before_come_from_a_table_of_users(database: sa.Engine) -> None:
    from analytics.metrics import Covariate
    from analytics.sql.raw import Users

    shown, clicks, users = world()
    metric = Metric("ctr", "clicks", "impressions", (Covariate("pre_clicks"),))
    tables = Tables(impressions=shown, clicks=clicks, users=users)
    found = [
        Experiment("demo", source, [metric], plan=SHARES).analyze(segments=["device"])
        for source in (tables, Database(database, LOGS, Users("people")))
    ]
    assert numbers(found[0]) == numbers(found[1])
    assert found[0]["personal", "ctr"].variance_reduction is not None
    by_device = [r.segment("device") for r in found]
    assert by_device[0] == by_device[1]
    assert set(by_device[0].effects) == {"mobile", "desktop"}
    assert by_device[0].interactions["personal", "ctr"].p is not None
    alone = shown[shown["user"].isin(users.loc[users["device"] == "mobile", "user"])]
    only = Experiment("demo", Tables(impressions=alone, clicks=clicks)).analyze()
    plain = Experiment("demo", tables).analyze(segments=["device"])
    assert plain.segment("device")["mobile"]["personal", "ctr"].ci == only["personal", "ctr"].ci


def test_p_values_are_adjusted_over_metrics_and_variants_together(days: UnitDays) -> None:
    metrics = ["ctr=clicks/impressions", "clicks=clicks/users"]
    result = Experiment("demo", days, metrics, control="original").analyze()
    effects = list(result.effects.values())
    assert len(effects) == 4
    assert [e.p_adjusted for e in effects] == holm([e.p or 0.0 for e in effects])
    bare = Experiment("demo", days, metrics, control="original").analyze(correction="none")
    assert all(e.p_adjusted == e.p for e in bare.effects.values())


def test_the_look_decides_how_wide_the_interval_is(days: UnitDays) -> None:
    experiment = Experiment("demo", days, control="original")
    widths = {}
    for look in ("fixed", "anytime", OBF(looks=14, look=3), OBF(looks=14)):
        low, high = experiment.analyze(look)["personal", "ctr"].ci or (0.0, 0.0)  # type: ignore[arg-type]
        widths[str(look)] = high - low
    fixed, anytime, third, last = widths.values()
    assert fixed < last < anytime < third
    with pytest.raises(InvalidRequest, match="not 'daily'"):
        experiment.analyze("daily")  # type: ignore[arg-type]


def test_a_broken_split_ends_the_matter(days: UnitDays) -> None:
    plan = {"original": 0.9, "popular": 0.05, "personal": 0.05}
    decision = Experiment("demo", days, control="original", plan=plan).analyze().decision
    assert (decision.verdict, decision.variant) == ("do not trust", None)
    assert decision.reasons[0].startswith("Do not believe these numbers yet")
    assert len(decision.reasons) == 1


@pytest.mark.parametrize(
    ("ctr", "visits", "verdict", "variant"),
    [
        ({"control": 0.1, "a": 0.1, "b": 0.2}, {"control": 5.0, "a": 5.0, "b": 5.0}, "ship", "b"),
        ({"control": 0.1, "a": 0.16, "b": 0.2}, {"control": 5.0, "a": 5.0, "b": 3.0}, "ship", "a"),
        ({"control": 0.2, "a": 0.1, "b": 0.1}, {"control": 5.0, "a": 5.0, "b": 5.0}, "do not ship", None),
        ({"control": 0.1, "a": 0.1, "b": 0.1}, {"control": 5.0, "a": 5.0, "b": 5.0}, "wait", None),
    ],
)
def test_the_decision_weighs_goal_and_guardrails(
    ctr: dict[str, float], visits: dict[str, float], verdict: str, variant: str | None
) -> None:
    guardrail = Measure(Metric.mean("visits"), "guardrail", margin=0.05)
    result = Experiment("demo", units(ctr, visits), ["ctr=clicks/impressions", guardrail]).analyze()
    assert (result.decision.verdict, result.decision.variant) == (verdict, variant)


NOBODY = "user,variant,clicked\n"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("", "no users"),
        ("u,control,1\n", "no users"),
        ("u,control,1\nv,personal,0\n", "one user"),
        ("u,control,1\nv,control,1\nw,personal,1\nx,personal,1\n", "behave alike"),
        ("u,control,0\nv,control,0\nw,personal,0\nx,personal,0\n", "behave alike"),
    ],
)
def test_data_that_cannot_carry_an_answer_give_a_reason(tmp_path: Path, rows: str, why: str) -> None:
    (tmp_path / "e.csv").write_text(NOBODY + rows)
    result = Experiment("", Tables(events=tmp_path / "e.csv"), plan=SHARES).analyze(segments=[])
    effect = result["personal", "ctr"]
    assert effect.p is None
    assert why in str(effect.why_none)
    text = json.dumps(result.to_dict(), allow_nan=False) + result.to_html() + result._repr_html_()
    assert "nan" not in text.lower().replace("nanpx", "")
    assert len(result.to_pandas()) == 1


def test_an_infinite_amount_gives_a_reason_too(tmp_path: Path) -> None:
    rows = "u,control,1,2,inf\nv,control,0,2,1\nw,personal,1,2,3\nx,personal,0,1,4\n"
    (tmp_path / "t.csv").write_text("user,variant,clicks,impressions,revenue\n" + rows)
    result = Experiment("", Tables(totals=tmp_path / "t.csv"), ["spend=revenue/users"]).analyze()
    assert "not a finite number" in str(result["personal", "spend"].why_none)
    json.dumps(result.to_dict(), allow_nan=False)


def test_what_is_not_there_is_named(days: UnitDays) -> None:
    with pytest.raises(MissingColumns, match="'orders'"):
        Experiment("demo", days, ["orders/users"], control="original").analyze()
    with pytest.raises(UnknownVariant, match="no variant 'control', only 'personal'"):
        Experiment(
            "demo",
            Units(
                np.array(["u"]),
                np.array(["personal"]),
                {"clicks": np.array([1]), "impressions": np.array([1])},
            ),
        ).analyze()
    with pytest.raises(InvalidRequest, match="two metrics called 'ctr'"):
        Experiment("demo", days, ["ctr=clicks/impressions"] * 2, control="original").analyze()
    with pytest.raises(UnknownVariant, match="personal/ctr"):
        Experiment("demo", days, control="original").analyze()["nobody", "ctr"]


def test_the_definition_brings_metrics_shares_and_window() -> None:
    shown, clicks, _ = world()
    definition = Definition("demo", SHARES, started_at=START, stopped_at=START + (STOP - START) / 3)
    result = Experiment("demo", Tables(impressions=shown, clicks=clicks), definition=definition).analyze()
    assert result.funnel is not None
    assert result.funnel["impressions"].dropped["outside_window"] > 100
    assert result.srm.expected["control"] == result.srm.expected["personal"]
    assert result.cleaning == Cleaning().within(definition)


def test_a_report_is_one_file_with_the_split_first_and_a_table_beside_every_plot() -> None:
    shown, clicks, users = world()
    tables = Tables(impressions=shown, clicks=clicks, users=users)
    page = Experiment("demo", tables, plan=SHARES).analyze(segments=["device"]).to_html()
    assert page.index("Split as planned") < page.index("<h2>Differences")
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert page.count("<table>") >= page.count('class="plot"') >= 3
    for words in ("By device", "Which rows count", "The split", "Day by day"):
        assert words in page


def test_importing_the_front_door_stays_light() -> None:
    code = (
        "import sys, analytics\n"
        "print(sorted({'sqlalchemy', 'pandas', 'scipy'} & set(sys.modules)))\n"
        "analytics.Experiment\n"
        "print(sorted({'torch', 'pandas', 'scipy.stats', 'statsmodels'} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[:2] == ["[]", "[]"]
