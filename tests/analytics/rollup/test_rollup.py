"""The rollup: whatever the order in which events come, the tables are those of a rebuild, row for row."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from analytics_dirty_logs import START, STOP, Log, corrupt_log
from analytics_money import write
from analytics_rollup_contents import contents, drop_rollups

from analytics.cleaning import Cleaning, MixedRule
from analytics.definition import Definition
from analytics.errors import UnknownRollup
from analytics.question import Question
from analytics.rollup import Rollup, forget_user
from analytics.rollup.read import daily_rows, read_days, read_totals
from analytics.sql.logs import CLICKS, EventLogs, OutcomeLog
from analytics.sql.raw import read_logs

PAID = OutcomeLog(
    "purchases", "purchases", at="purchased_at", value="value", value_name="revenue", value_units=4
)
LOGS = EventLogs(outcomes=(CLICKS, PAID))
DEFINITION = Definition(
    "demo", {"a": 0.5, "b": 0.5}, started_at=START, stopped_at=STOP, pre_period=timedelta(hours=10)
)
QUESTION = Question(("clicks", "impressions", "revenue", "pre_clicks", "pre_impressions", "any(purchases)"))


def tables(*, keys: bool) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "impressions",
        metadata,
        sa.Column("impression_id", sa.String, primary_key=keys),
        sa.Column("user_id", sa.String),
        sa.Column("variant", sa.String),
        sa.Column("shown_at", sa.DateTime(timezone=True), index=True),
        sa.Column("experiment", sa.String),
    )
    for name, at in (("clicks", "clicked_at"), ("purchases", "purchased_at")):
        sa.Table(
            name,
            metadata,
            sa.Column("event_id", sa.String, primary_key=keys),
            sa.Column("impression_id", sa.String, index=True),
            sa.Column(at, sa.DateTime(timezone=True)),
            *([sa.Column("value", sa.BigInteger)] if name == "purchases" else []),
        )
    return metadata


def rows_of(log: Log, *, keys: bool) -> list[tuple[str, dict[str, Any]]]:
    """Every event as the table and the row to insert; a third of the clicks are paid for."""
    shown = [
        dict(zip(("impression_id", "user_id", "variant", "shown_at"), row, strict=True))
        for row in log.impressions
    ]
    for n, row in enumerate(shown):
        row["experiment"] = "other" if n % 11 == 5 else None if n % 13 == 7 else "demo"
    clicks = [dict(zip(("event_id", "impression_id", "clicked_at"), row, strict=True)) for row in log.clicks]
    paid = [
        {
            "event_id": f"p{n}",
            "impression_id": c["impression_id"],
            "purchased_at": c["clicked_at"],
            "value": 995,
        }
        for n, c in enumerate(clicks[::3])
    ]
    if keys:
        shown = list({r["impression_id"]: r for r in shown if r["impression_id"] is not None}.values())
        clicks = list({r["event_id"]: r for r in clicks if r["event_id"] is not None}.values())
    return [
        (name, row)
        for name, rows in (("impressions", shown), ("clicks", clicks), ("purchases", paid))
        for row in rows
    ]


def dirty_shop(connection: sa.Connection, *, seed: int, keys: bool) -> sa.MetaData:
    """Tables with a corrupted log."""
    metadata = tables(keys=keys)
    metadata.create_all(connection)
    write(connection, metadata, rows_of(corrupt_log(seed), keys=keys))
    return metadata


def rebuilt(connection: sa.Connection, rollup: Rollup) -> dict[str, list[tuple[Any, ...]]]:
    drop_rollups(connection)
    assert rollup.refresh(connection.engine).is_rebuilt
    return contents(connection)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "definition",
    [DEFINITION, replace(DEFINITION, stopped_at=None), Definition("demo", {"a": 0.5, "b": 0.5})],
    ids=["of a while", "still running", "without a start"],
)
def test_late_and_replayed_events_end_in_a_rebuilds_tables(
    connection: sa.Connection, definition: Definition, seed: int
) -> None:
    rng = random.Random(seed)
    metadata = tables(keys=True)
    metadata.create_all(connection)
    connection.commit()
    events = rows_of(corrupt_log(seed), keys=True)
    if seed % 2:
        rng.shuffle(events)
    else:
        events.sort(key=lambda e: str(next(v for k, v in e[1].items() if k.endswith("_at")) or ""))
    rollup = Rollup(definition, LOGS)
    size = -(-len(events) // 4)
    for start in range(0, len(events), size):
        write(connection, metadata, events[start : start + size])
        rollup.refresh(connection.engine)
        once = contents(connection)
        assert rollup.refresh(connection.engine).days == ()
        assert contents(connection) == once
    assert once == rebuilt(connection, rollup)


def test_what_did_not_grow_is_not_read_again(connection: sa.Connection) -> None:
    """A night looks at the day that came, however long the log has become."""
    metadata = dirty_shop(connection, seed=5, keys=True)
    rollup = Rollup(DEFINITION, LOGS)
    rollup.refresh(connection.engine)
    statements: list[str] = []

    @sa.event.listens_for(connection.engine, "before_cursor_execute")
    def note(_: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    rollup.refresh(connection.engine)
    assert not [each for each in statements if "reason" in each and "CASE" in each]
    late = {"event_id": "late", "impression_id": "nobody", "clicked_at": STOP - timedelta(minutes=1)}
    write(connection, metadata, [("clicks", late)])
    rollup.refresh(connection.engine)
    read = [each for each in statements if "clicks_rows" in each]
    assert len(read) == 1
    assert "at < " in read[0].split("WHERE", 1)[1]


@pytest.mark.postgres
def test_postgresql_folds_a_day_without_comparing_each_user_with_each(empty_postgres_url: str) -> None:
    """It takes the sums of a day for few rows; ten times as many users would take a hundred times as long."""
    engine = sa.create_engine(empty_postgres_url)
    plans: list[str] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith("INSERT INTO analytics_new"):
            cursor.execute(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))

    with engine.connect() as connection:
        dirty_shop(connection, seed=5, keys=True)
    Rollup(DEFINITION, LOGS).refresh(engine)
    engine.dispose()
    assert plans
    assert not [plan for plan in plans if "Nested Loop" in plan]


@pytest.mark.parametrize(("seed", "keys"), [(11, True), (13, False)])
def test_totals_and_funnel_are_those_of_the_raw_logs(
    connection: sa.Connection, seed: int, keys: bool
) -> None:
    dirty_shop(connection, seed=seed, keys=keys)
    for cleaning in (
        Cleaning(bot_impressions=5),
        Cleaning(two_variants="first"),
        Cleaning(two_variants="keep", bots="keep", repeated="keep"),
    ):
        rollup = Rollup(DEFINITION, LOGS, cleaning)
        rollup.refresh(connection.engine)
        read = read_totals(connection, rollup, QUESTION)
        raw = read_logs(
            connection, LOGS, "demo", QUESTION, cleaning=rollup.rules, pre_period=DEFINITION.pre_period
        )
        assert read.funnel == raw.funnel
        assert dict(read.groups) == dict(raw.groups)
        connection.commit()


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize("n_whole", [0, 1])
def test_impressions_that_nobody_saw_are_in_the_funnel_whether_or_not_others_count(
    connection: sa.Connection, n_whole: int, keys: bool
) -> None:
    metadata = tables(keys=keys)
    metadata.create_all(connection)
    users = [" ", " ", *["ada"] * n_whole]
    events = [
        ("impressions", {"impression_id": f"i{n}", "user_id": user, "variant": "a", "experiment": "demo"})
        for n, user in enumerate(users)
    ]
    write(connection, metadata, [(name, row | {"shown_at": START}) for name, row in events])
    rollup = Rollup(DEFINITION, LOGS)
    rollup.refresh(connection.engine)
    read = read_totals(connection, rollup, QUESTION)
    found = read.funnel["impressions"]
    assert (found.rows, found.dropped["missing_ids"], found.kept) == (2 + n_whole, 2, n_whole)


def test_days_alone_are_an_experiment_of_these_days(connection: sa.Connection) -> None:
    dirty_shop(connection, seed=21, keys=True)
    rollup = Rollup(DEFINITION, LOGS)
    rollup.refresh(connection.engine)
    question = Question(("clicks", "impressions"))
    for first, last in ((0, 0), (1, 2), (0, 2)):
        window = {"started_at": START + timedelta(days=first), "stopped_at": START + timedelta(days=last + 1)}
        days = [(START + timedelta(days=n)).date() for n in (first, last)]
        read = read_days(connection, rollup, question, *days)
        raw = read_logs(
            connection, LOGS, "demo", question, cleaning=replace(rollup.rules, late="keep", **window)
        )
        users = {group: m.n for group, m in raw.groups.items()}
        assert {group: m.n for group, m in read.groups.items()} == users
    whole = read_days(connection, rollup, QUESTION)
    assert dict(whole.groups) == dict(read_totals(connection, rollup, QUESTION).groups)


@pytest.mark.parametrize("rule", ["exclude", "first"])
def test_who_saw_two_variants_within_a_stretch_of_days_counts_in_none(
    connection: sa.Connection, rule: MixedRule
) -> None:
    metadata = tables(keys=True)
    metadata.create_all(connection)
    shown = [("ada", "a", 0), ("ada", "b", 1), ("bob", "a", 0), ("cleo", "b", 1)]
    for n, (user, variant, day) in enumerate(shown):
        row: dict[str, Any] = {
            "impression_id": f"i{n}",
            "user_id": user,
            "variant": variant,
            "experiment": "demo",
        }
        row["shown_at"] = START + timedelta(days=day, minutes=n)
        write(connection, metadata, [("impressions", row)])
    rollup = Rollup(DEFINITION, LOGS, Cleaning(two_variants=rule))
    rollup.refresh(connection.engine)
    days = [(START + timedelta(days=n)).date() for n in range(2)]
    question = Question(("impressions",))
    both = read_days(connection, rollup, question, *days)
    assert {group.variant: m.n for group, m in both.groups.items()} == {"a": 1, "b": 1}
    first_alone = read_days(connection, rollup, question, days[0], days[0])
    assert {group.variant: m.n for group, m in first_alone.groups.items()} == {"a": 2}


def test_sqlite_sums_user_days_up_in_the_order_in_which_they_lie(tmp_path: Path) -> None:
    rollup = Rollup(DEFINITION, LOGS)
    with sa.create_engine(f"sqlite:///{tmp_path / 'shop.db'}").connect() as connection:
        dirty_shop(connection, seed=3, keys=True)
        rollup.refresh(connection.engine)
        days = daily_rows(connection, rollup).table.c
        key = (days.user_id, days.variant)
        total = sa.select(sa.func.sum(days.clicks)).group_by(*key)
        so_far = sa.select(sa.func.sum(days.clicks).over(partition_by=key, order_by=days.day))
        for asked in (total, so_far):
            text = asked.compile(connection, compile_kwargs={"literal_binds": True})
            plan = [step for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert any("analytics_user_days USING PRIMARY KEY" in step for step in plan)
            assert not any("TEMP B-TREE" in step for step in plan)


def without_numbers(connection: sa.Connection) -> None:
    """Put tables as they were before users had numbers, with a row of one user, in the place of today's."""
    for name in ("user_days", "user_totals", "user_numbers", "variant_numbers"):
        connection.execute(sa.text(f"DROP TABLE analytics_{name}"))
    for name in ("user_days", "user_totals"):
        keys = "rollup_id INTEGER, user_id VARCHAR, variant VARCHAR"
        connection.execute(sa.text(f"CREATE TABLE analytics_{name} ({keys}, PRIMARY KEY (user_id))"))
        connection.execute(sa.text(f"INSERT INTO analytics_{name} VALUES (1, '007', 'a')"))
    connection.commit()


def test_a_rollup_of_before_users_had_numbers_makes_way(connection: sa.Connection) -> None:
    dirty_shop(connection, seed=3, keys=True)
    rollup = Rollup(DEFINITION, LOGS)
    rollup.refresh(connection.engine)
    kept = contents(connection)
    without_numbers(connection)
    assert rollup.refresh(connection.engine).is_rebuilt
    assert contents(connection) == kept


def test_a_user_is_forgotten_by_a_rollup_of_before_users_had_numbers(connection: sa.Connection) -> None:
    dirty_shop(connection, seed=3, keys=True)
    Rollup(DEFINITION, LOGS).refresh(connection.engine)
    without_numbers(connection)
    assert forget_user(connection, "008") == 0
    assert forget_user(connection, "007") == 2
    for name in ("user_days", "user_totals"):
        assert connection.scalar(sa.text(f"SELECT COUNT(*) FROM analytics_{name}")) == 0


def test_a_forgotten_user_is_gone_at_once_and_stays_gone(
    connection: sa.Connection,
) -> None:
    metadata = dirty_shop(connection, seed=3, keys=True)
    rollup = Rollup(DEFINITION, LOGS)
    rollup.refresh(connection.engine)
    shown = metadata.tables["impressions"]
    mine = sa.select(shown.c.impression_id).where(shown.c.user_id == "007")
    for name in ("clicks", "purchases"):
        table = metadata.tables[name]
        connection.execute(table.delete().where(table.c.impression_id.in_(mine)))
    connection.execute(shown.delete().where(shown.c.user_id == "007"))
    assert forget_user(connection, "007") > 0
    connection.commit()
    assert "'007'" not in str(contents(connection)["user_days"] + contents(connection)["user_totals"])
    assert "007" not in connection.scalars(sa.text("SELECT user_id FROM analytics_user_numbers")).all()
    rollup.refresh(connection.engine)
    assert contents(connection) == rebuilt(connection, rollup)


def test_other_rules_for_rows_make_it_anew_and_other_rules_for_users_do_not(
    connection: sa.Connection,
) -> None:
    dirty_shop(connection, seed=4, keys=True)
    assert Rollup(DEFINITION, LOGS).refresh(connection.engine).is_rebuilt
    assert not Rollup(DEFINITION, LOGS, Cleaning(two_variants="first")).refresh(connection.engine).is_rebuilt
    kept = Rollup(DEFINITION, LOGS, Cleaning(late="keep"))
    with pytest.raises(UnknownRollup, match="other rules or another window; refresh it first"):
        read_totals(connection, kept, QUESTION)
    connection.commit()
    assert kept.refresh(connection.engine).is_rebuilt


def test_a_rollup_that_was_never_made_says_so(connection: sa.Connection) -> None:
    tables(keys=True).create_all(connection)
    with pytest.raises(UnknownRollup, match="never made"):
        read_days(connection, Rollup(DEFINITION, LOGS), QUESTION, date(2030, 1, 1))
    assert forget_user(connection, "ada") == 0
