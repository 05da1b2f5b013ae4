"""What stands beside the effects: the Bayesian reading, margins, caps, days and A/A mode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa
from analytics_shop import DEFINITION, LOGS, SHARES, units, world

from analytics import Experiment, Measure, Metric, Moments, Tables, UnitDays, noninferiority, posterior
from analytics.errors import InvalidRequest
from analytics.inference.cuped import estimate_variants
from analytics.inference.novelty import novelty, trend_units
from analytics.inference.winsor import cap_at, capped
from analytics.reading import Database
from analytics.rollup import Rollup

SPEND = Metric.mean("impressions", name="views")


@pytest.fixture
def sources(database: sa.Engine) -> list[Experiment]:
    """The same world as frames, as raw logs and as a rollup."""
    shown, clicks, _ = world()
    tables = Experiment("demo", Tables(impressions=shown, clicks=clicks), definition=DEFINITION)
    logs = Experiment("demo", Database(database, LOGS), definition=DEFINITION)
    before = logs.analyze()
    assert before.came_from == "logs"
    Rollup(DEFINITION, LOGS).refresh(database)
    return [tables, logs]


def test_novelty_is_the_same_from_frames_and_from_both_databases(sources: list[Experiment]) -> None:
    tables, rollup = (source.analyze() for source in sources)
    assert rollup.came_from == "rollup"
    for since in ("start", "exposure"):
        [found], [again] = (list(r.novelty(since).values()) for r in (tables, rollup))
        assert found.slope is not None
        assert found.n_days == again.n_days
        assert again.slope == pytest.approx(found.slope, rel=1e-9)
        assert again.p == pytest.approx(found.p, rel=1e-9)


def test_novelty_of_raw_logs_is_that_of_the_frames(database: sa.Engine) -> None:
    shown, clicks, _ = world()
    tables = Experiment("demo", Tables(impressions=shown, clicks=clicks), definition=DEFINITION).analyze()
    logs = Experiment("demo", Database(database, LOGS), definition=DEFINITION).analyze()
    assert logs.came_from == "logs"
    found, again = (r.novelty("exposure")["personal", "ctr"] for r in (tables, logs))
    assert (again.slope, again.p) == pytest.approx((found.slope, found.p), rel=1e-9)


def test_the_days_are_read_once_for_all_that_is_asked_of_them(
    sources: list[Experiment], database: sa.Engine
) -> None:
    result = sources[1].analyze()
    asked: list[str] = []
    sa.event.listen(database, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for _ in range(2):
        assert result.by_day()
        assert result.srm_by_day().groups
        assert [*result.novelty("start").values()] != [*result.novelty("exposure").values()]
    of_days = [statement for statement in asked if "FROM analytics_user_days" in statement]
    assert len(of_days) == 3  # the course, the first day, and both trends


def test_without_days_novelty_says_why() -> None:
    result = Experiment("demo", units({"control": 0.1, "a": 0.2}, {"control": 5.0, "a": 5.0}, 50)).analyze()
    assert "no daily data" in str(result.novelty()["a", "ctr"].why_none)
    assert result.srm_by_day().groups == {}


def test_every_user_is_new_on_one_day(sources: list[Experiment]) -> None:
    results = [source.analyze() for source in sources]
    checks = [r.srm_by_day() for r in results]
    assert checks[0] == checks[1]
    assert len(checks[0].groups) == 3
    for variant, n_users in results[0].srm.observed.items():
        assert sum(check.observed[variant] for check in checks[0].groups.values()) == n_users


def test_a_day_on_which_one_variant_lost_its_users_is_found() -> None:
    shown, clicks, _ = world(n_users=3000)
    day = shown["shown_at"].dt.date
    first = shown.groupby("user")["shown_at"].transform("min").dt.date
    lost = (first == sorted(day.unique())[1]) & (shown["variant"] == "personal")
    tables = Tables(impressions=shown[~lost], clicks=clicks)
    check = Experiment("demo", tables, plan=SHARES).analyze().srm_by_day()
    assert check.alarms == (str(sorted(day.unique())[1]),)


def test_the_split_within_segments_is_adjusted_for_there_being_several() -> None:
    shown, clicks, users = world()
    tables = Tables(impressions=shown, clicks=clicks, users=users)
    result = Experiment("demo", tables, plan=SHARES).analyze(segments=["device"])
    check = result.srm_by("device")
    assert set(check.groups) == {"mobile", "desktop"}
    assert not check.is_alarm


def test_a_cap_is_the_quantile_of_all_variants_from_every_source(sources: list[Experiment]) -> None:
    shown, *_ = world()
    measure = Measure(SPEND, cap=0.5)
    results = [replace(source, metrics=[measure]).analyze() for source in sources]
    views = shown.groupby("user").size().to_numpy()
    cap = cap_at(views, 0.5)
    assert cap < views.max()
    for result in results:
        assert result.measures[0].metric == capped(SPEND, cap)
        assert result["personal", "views"].effect == pytest.approx(results[0]["personal", "views"].effect)


def test_sums_cannot_be_capped_any_more() -> None:
    sums = {name: Moments.of({"impressions": np.arange(5)}) for name in SHARES}
    with pytest.raises(InvalidRequest, match="sums do not tell one user from another"):
        Experiment("", sums, [Measure(SPEND, cap=0.5)]).analyze()


def test_the_users_of_the_control_split_anew_find_nothing(sources: list[Experiment]) -> None:
    found = [source.aa(runs=200) for source in sources]
    assert found[0].is_sound
    assert found[0].n_users == found[1].n_users == 200
    assert found[0].rate is not None
    assert found[0].rate < 0.12
    with pytest.raises(InvalidRequest, match="no metric 'orders', only 'ctr'"):
        sources[0].aa("orders")


@pytest.mark.parametrize(
    ("n_users", "visits", "verdict"),
    [(3000, 5.0, "ship"), (120, 4.6, "wait")],
    ids=["margin kept", "margin not shown"],
)
def test_a_margin_holds_a_variant_back_until_it_is_shown_to_be_kept(
    n_users: int, visits: float, verdict: str
) -> None:
    world = units({"control": 0.1, "a": 0.5}, {"control": 5.0, "a": visits}, n_users)
    guardrail = Measure(Metric.mean("visits"), "guardrail", margin=0.05)
    result = Experiment("demo", world, ["ctr=clicks/impressions", guardrail]).analyze()
    assert result.decision.verdict == verdict
    found = result["a", guardrail.metric.name].noninferiority
    arms = estimate_variants(world.moments(), guardrail.metric)
    new, old = (arms[name].adjusted for name in ("a", "control"))
    assert new is not None
    assert old is not None
    assert found == noninferiority(new, old, margin=0.05)
    assert found.is_noninferior == (verdict == "ship")
    if verdict == "wait":
        assert "not shown yet to keep" in result.conclusion


def test_the_bayesian_reading_stands_beside_the_effect() -> None:
    world = units({"control": 0.1, "a": 0.14}, {"control": 5.0, "a": 5.0})
    result = Experiment("demo", world).analyze()
    arms = estimate_variants(world.moments(), result.measures[0].metric)
    new, old = (arms[name].adjusted for name in ("a", "control"))
    assert new is not None
    assert old is not None
    assert result["a", "ctr"].posterior == posterior(new, old)
    row = result.to_pandas().iloc[0]
    assert row["chance_to_win"] == result.to_dict()["effects"][0]["posterior"]["chance_to_win"] > 0.99


def test_novelty_is_that_of_the_statistics(days: UnitDays) -> None:
    result = Experiment("demo", days, control="original").analyze()
    moments = trend_units(days, result.measures[0].metric, since="exposure").moments()
    found = result.novelty("exposure")["personal", "ctr"]
    assert found == novelty(moments["personal"], moments["original"], result.measures[0].metric, found.n_days)
