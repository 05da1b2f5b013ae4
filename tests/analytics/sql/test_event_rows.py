"""Page times in a database's raw logs: those that count are those of the frames, however dirty the logs."""

from __future__ import annotations

import random
import zlib
from datetime import UTC

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from analytics_dirty_logs import START, STOP, corrupt_log
from analytics_shop import DEFINITION, LOGS, world

from analytics import Experiment, Moments, Tables
from analytics.cleaning import Cleaning
from analytics.errors import InvalidRows, MissingColumns
from analytics.question import Group, Question
from analytics.reading import Database
from analytics.rollup import Rollup
from analytics.sql.logs import EventLogs
from analytics.sql.raw import Users, read_logs

BARE = EventLogs(outcomes=())
QUESTION = Question(("impressions",), events=("page_ms",))
LOAD = "load=-p90(page_ms)"


def dirty_impressions(seed: int) -> pd.DataFrame:
    """A corrupted log; rows that are alike have the same time, so that any of them may count."""
    rows = [(*row, zlib.crc32(repr(row).encode()) % 1000) for row in corrupt_log(seed).impressions]
    return pd.DataFrame(rows, columns=["impression_id", "user", "variant", "shown_at", "page_ms"])


def fill(connection: sa.Connection, impressions: pd.DataFrame, *, has_key: bool = False) -> None:
    table = sa.Table(
        "impressions",
        sa.MetaData(),
        sa.Column("impression_id", sa.String, primary_key=has_key),
        sa.Column("user_id", sa.String),
        sa.Column("variant", sa.String),
        sa.Column("shown_at", sa.DateTime(timezone=True)),
        sa.Column("experiment", sa.String),
        sa.Column("page_ms", sa.Float),
    )
    table.drop(connection, checkfirst=True)
    table.create(connection)
    rows = impressions.rename(columns={"user": "user_id"}).assign(experiment="demo")
    times = rows.pop("shown_at")
    at = [None if pd.isna(time) else time.to_pydatetime().astimezone(UTC) for time in times]
    values = rows.astype(object).where(rows.notna(), None).to_dict("records")
    values = [{**row, "shown_at": time} for row, time in zip(values, at, strict=True)]
    elsewhere = [{**row, "impression_id": f"x{n}", "experiment": "other"} for n, row in enumerate(values[:3])]
    if values:
        connection.execute(table.insert(), values + elsewhere)


def times_of_users(groups: dict[Group, Moments]) -> dict[str, list[list[float]]]:
    """Of each variant the times of each user; users have no name any more."""
    found = {}
    for group, moments in groups.items():
        events = moments.events["page_ms"]
        users = [sorted(events.values[events.user == n].tolist()) for n in range(moments.n)]
        found[group.variant] = sorted(users)
    return found


def check_dirty_logs(connection: sa.Connection, seed: int) -> int:
    rng = random.Random(seed)
    rules = Cleaning(
        two_variants=rng.choice(["exclude", "keep"]),  # type: ignore[arg-type]
        bot_impressions=rng.choice([None, 5]),
        duplicates=rng.choice(["drop", "drop", "keep"]),  # type: ignore[arg-type]
        started_at=START,
        stopped_at=STOP,
    )
    impressions = dirty_impressions(seed)
    fill(connection, impressions)
    read = read_logs(connection, BARE, "demo", QUESTION, cleaning=rules)
    expected = Tables(impressions=impressions).read(rules, QUESTION).groups(QUESTION)
    assert times_of_users(dict(read.groups)) == times_of_users(expected)
    return sum(len(times) for users in times_of_users(expected).values() for times in users)


def test_sqlite_finds_the_times_that_the_frames_find() -> None:
    with sa.create_engine("sqlite://").begin() as connection:
        assert sum(check_dirty_logs(connection, seed) for seed in range(60)) > 1000


@pytest.mark.postgres
def test_postgresql_finds_the_times_that_the_frames_find(empty_postgres_url: str) -> None:
    engine = sa.create_engine(empty_postgres_url)
    with engine.begin() as connection:
        assert sum(check_dirty_logs(connection, seed) for seed in range(20)) > 300
    engine.dispose()


@pytest.fixture
def shop(database: sa.Engine) -> tuple[sa.Engine, Tables]:
    """The small shop with page times, in a database and as frames."""
    shown, clicks, users = world()
    times = np.random.default_rng(3).gamma(4.0, 100.0, len(shown)).round(2)
    shown = shown.assign(page_ms=times * np.where(shown["variant"] == "personal", 1.2, 1.0))
    with database.begin() as connection:
        fill(connection, shown, has_key=True)
    return database, Tables(impressions=shown, clicks=clicks, users=users)


def test_the_effect_is_that_of_the_frames_in_every_segment(shop: tuple[sa.Engine, Tables]) -> None:
    engine, tables = shop
    metrics = ["ctr=clicks/impressions", LOAD]
    sources = Database(engine, LOGS, Users("people")), tables
    results = [
        Experiment("demo", source, metrics, definition=DEFINITION).analyze(segments=["device"])
        for source in sources
    ]
    assert results[0].effects == results[1].effects
    assert results[0].segments == results[1].segments
    assert results[0]["personal", "load"].p is not None
    assert set(results[0].segment("device").effects) == {"mobile", "desktop"}


def test_beside_a_rollup_the_logs_are_read(shop: tuple[sa.Engine, Tables]) -> None:
    engine, tables = shop
    Rollup(DEFINITION, LOGS).refresh(engine)
    database = Experiment("demo", Database(engine, LOGS), definition=DEFINITION)
    assert database.analyze().came_from == "rollup"
    found = Experiment("demo", Database(engine, LOGS), [LOAD], definition=DEFINITION).analyze()
    assert found.came_from == "logs"
    assert found.effects == Experiment("demo", tables, [LOAD], definition=DEFINITION).analyze().effects


def test_what_the_logs_do_not_hold_is_told(shop: tuple[sa.Engine, Tables]) -> None:
    source = Database(shop[0], LOGS)
    with pytest.raises(MissingColumns, match=r"impressions in .* has no column 'load_ms'"):
        Experiment("demo", source, ["p50(load_ms)"], definition=DEFINITION).analyze()
    with shop[0].begin() as connection:
        connection.exec_driver_sql("UPDATE impressions SET page_ms = NULL WHERE impression_id < 'i100'")
    with pytest.raises(InvalidRows, match="3 rows with a 'page_ms' that is not a number"):
        Experiment("demo", source, [LOAD], definition=DEFINITION).analyze()


def test_a_log_without_rows_gives_a_reason(shop: tuple[sa.Engine, Tables]) -> None:
    with shop[0].begin() as connection:
        connection.exec_driver_sql("DELETE FROM impressions")
    found = Experiment("demo", Database(shop[0], LOGS), [LOAD], definition=DEFINITION).analyze()
    assert "there are no users" in str(found["personal", "load"].why_none)
