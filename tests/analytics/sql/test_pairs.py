"""Several outcomes of one impression, worked by hand, and a statement that PostgreSQL can share out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.question import Group, Question
from analytics.sql.logs import CLICKS, EventLogs, OutcomeLog
from analytics.sql.raw import Reading, read_logs

START = datetime(2030, 3, 30, 12, tzinfo=UTC)
RULES = Cleaning(clock_skew=timedelta(seconds=1), attribution=timedelta(hours=24))
SALES = OutcomeLog("sales", "sales", at="sold_at", value="value", value_name="revenue", is_once=True)
MILLISECOND = timedelta(milliseconds=1)


def fill(connection: sa.Connection, sold: list[tuple[timedelta, int]]) -> None:
    """One impression, and what was sold so long after it for so much."""
    metadata = sa.MetaData()
    time = sa.DateTime(timezone=True)
    shown = sa.Table(
        "impressions",
        metadata,
        sa.Column("impression_id", sa.String, primary_key=True),
        *(sa.Column(name, sa.String) for name in ("user_id", "variant", "experiment")),
        sa.Column("shown_at", time),
    )
    sales = sa.Table(
        "sales",
        metadata,
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("impression_id", sa.String),
        sa.Column("sold_at", time),
        sa.Column("value", sa.BigInteger),
    )
    metadata.create_all(connection)
    ids = {"impression_id": "i", "user_id": "ada", "variant": "a", "experiment": "demo"}
    connection.execute(shown.insert(), {**ids, "shown_at": START})
    for n, (after, value) in enumerate(sold):
        row = {"event_id": f"s{n}", "impression_id": "i", "sold_at": START + after, "value": value}
        connection.execute(sales.insert(), row)


def read(connection: sa.Connection, log: OutcomeLog, rules: Cleaning = RULES) -> Reading:
    question = Question(("sales", "revenue"))
    return read_logs(connection, EventLogs(outcomes=(log,)), "demo", question, cleaning=rules)


MANY = [
    (timedelta(hours=30), 1000),
    (timedelta(hours=3), 30),
    (timedelta(hours=-3), 100),
    (timedelta(hours=2), 20),
    (timedelta(hours=4), 40),
]


def test_of_several_outcomes_the_first_in_time_counts(connection: sa.Connection) -> None:
    fill(connection, MANY)
    found = read(connection, SALES)
    totals = found.groups[Group("a")].totals
    assert (totals["sales"], totals["revenue"]) == (1, 20)
    dropped = {rule: n for rule, n in found.funnel["sales"].dropped.items() if n}
    assert dropped == {"early": 1, "late": 1, "repeated": 2}


def test_where_all_may_count_the_amounts_in_time_are_added_up(connection: sa.Connection) -> None:
    fill(connection, MANY)
    totals = read(connection, replace(SALES, is_once=False)).groups[Group("a")].totals
    assert (totals["sales"], totals["revenue"]) == (3, 90)
    kept = read(connection, SALES, replace(RULES, repeated="keep")).groups[Group("a")].totals
    assert (kept["sales"], kept["revenue"]) == (3, 90)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_bounds_are_kept_to_the_millisecond_even_when_the_clocks_change(
    connection: sa.Connection, zone: str
) -> None:
    """The night after START has 23 hours in Berlin; a day of attribution has 24 all the same."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET TIME ZONE '{zone}'")
    day = timedelta(hours=24)
    edges = [-timedelta(seconds=1), -timedelta(seconds=1) - MILLISECOND, day, day + MILLISECOND]
    fill(connection, [(after, 1) for after in edges])
    found = read(connection, replace(SALES, is_once=False))
    dropped = {rule: n for rule, n in found.funnel["sales"].dropped.items() if n}
    assert dropped == {"early": 1, "late": 1}


@pytest.mark.postgres
def test_postgresql_may_sum_the_impressions_on_several_cores(empty_postgres_url: str) -> None:
    """One window function or subquery beside the impressions, and a single core has to do it all."""
    engine = sa.create_engine(empty_postgres_url)
    statements: list[tuple[str, Any]] = []
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE impressions AS SELECT n AS impression_id, 'u' || mod(n, 50) AS user_id, "
            "'a' AS variant, 'demo' AS experiment, TIMESTAMPTZ '2030-03-30' AS shown_at "
            "FROM generate_series(1, 20000) AS n"
        )
        connection.exec_driver_sql(
            "CREATE TABLE clicks AS SELECT n AS event_id, n AS impression_id, "
            "TIMESTAMPTZ '2030-03-30' AS clicked_at FROM generate_series(1, 500) AS n"
        )
        connection.exec_driver_sql("ALTER TABLE impressions ADD PRIMARY KEY (impression_id)")
        connection.exec_driver_sql("ALTER TABLE clicks ADD PRIMARY KEY (event_id)")
        connection.exec_driver_sql("ALTER TABLE clicks SET (parallel_workers = 0)")
        connection.exec_driver_sql("ANALYZE")
        for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            connection.exec_driver_sql(f"SET {setting} = 0")
        sa.event.listen(
            connection, "before_cursor_execute", lambda *event: statements.append((event[2], event[3]))
        )
        logs = EventLogs(outcomes=(CLICKS,))
        read_logs(connection, logs, "demo", Question(("clicks", "impressions")), cleaning=RULES)
        [(statement, parameters)] = [found for found in statements if "judged" in found[0]]
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
    engine.dispose()
    assert any("Partial" in line and "Aggregate" in line for line in plan), "\n".join(plan)
