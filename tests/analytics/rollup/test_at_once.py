"""A rollup in a shop that goes on: others record, erase and refresh at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from analytics_rollup_contents import contents as contents_of
from sqlalchemy.exc import OperationalError

from analytics.cleaning import Cleaning
from analytics.definition import Definition
from analytics.errors import DatabaseBusy, RollupTaken, UnknownRollup
from analytics.question import Question
from analytics.reading import Database, read_source
from analytics.rollup import Rollup, forget_user
from analytics.rollup import refresh as refresh_module
from analytics.rollup.folding import Folding
from analytics.rollup.read import read_totals
from analytics.rollup.spans import Span
from analytics.sql.logs import CLICKS, EventLogs

START = datetime(2030, 1, 1, tzinfo=UTC)
DEFINITION = Definition("demo", {"a": 0.5, "b": 0.5}, started_at=START, stopped_at=START + timedelta(days=2))
ROLLUP = Rollup(DEFINITION, EventLogs(outcomes=(CLICKS,)))
QUESTION = Question(("clicks", "impressions"))
N_ROUNDS = 12

METADATA = sa.MetaData()
IMPRESSIONS = sa.Table(
    "impressions",
    METADATA,
    sa.Column("impression_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.String),
    sa.Column("variant", sa.String),
    sa.Column("shown_at", sa.DateTime(timezone=True), index=True),
    sa.Column("experiment", sa.String),
)
CLICKED = sa.Table(
    "clicks",
    METADATA,
    sa.Column("event_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("impression_id", sa.Integer, index=True),
    sa.Column("clicked_at", sa.DateTime(timezone=True)),
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_shop")
        return
    engine = sa.create_engine(request.getfixturevalue("empty_postgres_url"))
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    fill(engine)
    yield engine
    engine.dispose()


def fill(engine: sa.Engine) -> None:
    METADATA.create_all(engine)
    record(engine, range(300))


def record(engine: sa.Engine, ids: range) -> None:
    """An impression each, some of them clicked, within two days."""
    shown = [
        {
            "impression_id": n,
            "user_id": f"user-{n % 40}",
            "variant": "ab"[n % 2],
            "shown_at": START + timedelta(minutes=n % 2800),
            "experiment": "demo",
        }
        for n in ids
    ]
    clicked = [
        {"event_id": n, "impression_id": n, "clicked_at": START + timedelta(minutes=n % 2800 + 1)}
        for n in ids
        if n % 3 == 0
    ]
    with engine.begin() as connection:
        connection.execute(IMPRESSIONS.insert(), shown)
        if clicked:
            connection.execute(CLICKED.insert(), clicked)


def contents(engine: sa.Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return contents_of(connection)


def came_from(engine: sa.Engine) -> str:
    source = Database(engine, ROLLUP.logs)
    return read_source(source, "demo", QUESTION, Cleaning(), DEFINITION).came_from


def rebuilt(engine: sa.Engine) -> dict[str, list[Any]]:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE analytics_rollups SET made_with = ''"))
    assert ROLLUP.refresh(engine).is_rebuilt
    return contents(engine)


def test_while_others_record_a_refresh_neither_fails_nor_misses_a_row(engine: sa.Engine) -> None:
    done = threading.Event()

    def shop() -> int:
        first = 1000
        while not done.is_set():
            record(engine, range(first, first + 5))
            first += 5
        return first

    with ThreadPoolExecutor(1) as pool:
        recorded = pool.submit(shop)
        try:
            for _ in range(N_ROUNDS):
                ROLLUP.refresh(engine)
        finally:
            done.set()
        assert recorded.result() > 1005
    ROLLUP.refresh(engine)
    assert contents(engine) == rebuilt(engine)


def test_refreshes_at_once_wait_for_one_another(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        for first in range(1000, 1000 + N_ROUNDS):
            record(engine, range(first, first + 1))
            for refreshed in [pool.submit(ROLLUP.refresh, engine) for _ in range(4)]:
                refreshed.result()
    assert contents(engine) == rebuilt(engine)


def test_who_is_erased_meanwhile_is_gone_after_the_next_refresh(engine: sa.Engine) -> None:
    ROLLUP.refresh(engine)

    def erase() -> None:
        for number in range(10):
            user_id = f"user-{number}"
            mine = sa.select(IMPRESSIONS.c.impression_id).where(IMPRESSIONS.c.user_id == user_id)
            with engine.begin() as connection:
                forget_user(connection, user_id)
                connection.execute(CLICKED.delete().where(CLICKED.c.impression_id.in_(mine)))
                connection.execute(IMPRESSIONS.delete().where(IMPRESSIONS.c.user_id == user_id))

    with ThreadPoolExecutor(1) as pool:
        erased = pool.submit(erase)
        for first in range(1000, 1000 + N_ROUNDS):
            record(engine, range(first * 40 + 20, first * 40 + 22))
            ROLLUP.refresh(engine)
        erased.result()
    ROLLUP.refresh(engine)
    assert contents(engine) == rebuilt(engine)


def test_a_build_that_breaks_off_is_not_read_and_is_finished_by_the_next(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold, folded = Folding.fold, list[int]()

    def breaking(self: Folding, span: Span, n_raw: int | None, *, has_old: bool) -> None:
        if len(folded) == 1:
            raise KeyboardInterrupt
        folded.append(span.key)
        fold(self, span, n_raw, has_old=has_old)

    record(engine, range(1600, 1700))
    monkeypatch.setattr(Folding, "fold", breaking)
    with pytest.raises(KeyboardInterrupt):
        ROLLUP.refresh(engine)
    monkeypatch.setattr(Folding, "fold", fold)
    with engine.connect() as connection, pytest.raises(UnknownRollup, match="is not finished"):
        read_totals(connection, ROLLUP, QUESTION)
    assert came_from(engine) == "logs"
    seen: list[tuple[int, int]] = []
    assert ROLLUP.refresh(engine, lambda done, n_days: seen.append((done, n_days))).is_rebuilt
    assert seen == [(0, 1), (1, 1)], "the day that was folded stays so"
    assert contents(engine) == rebuilt(engine)
    assert came_from(engine) == "rollup"


def test_between_two_days_others_may_write(engine: sa.Engine) -> None:
    record(engine, range(1600, 1700))
    first = iter(range(5000, 6000, 100))
    ROLLUP.refresh(engine, lambda *_: record(engine, range(number := next(first), number + 10)))
    ROLLUP.refresh(engine)
    assert contents(engine) == rebuilt(engine)


def test_refreshes_with_different_rules_do_not_mix(engine: sa.Engine) -> None:
    other = replace(ROLLUP, cleaning=Cleaning(repeated="keep"))
    record(engine, range(1600, 1700))
    with pytest.raises(RollupTaken, match="with other rules or another window"):
        ROLLUP.refresh(engine, lambda done, _: done and other.refresh(engine))
    assert not other.refresh(engine).is_rebuilt
    assert ROLLUP.refresh(engine).is_rebuilt
    assert contents(engine) == rebuilt(engine)


def test_logs_without_keys_may_be_refreshed_at_once(engine: sa.Engine) -> None:
    keyless = sa.MetaData()
    for table in METADATA.sorted_tables:
        columns = [sa.Column(c.name, c.type) for c in table.c]
        sa.Table(f"{table.name}_again", keyless, *columns)
    keyless.create_all(engine)
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            copied = keyless.tables[f"{table.name}_again"]
            connection.execute(copied.insert().from_select(table.c.keys(), sa.select(table)))
    clicks = replace(CLICKS, table="clicks_again")
    rollup = Rollup(DEFINITION, EventLogs(impressions="impressions_again", outcomes=(clicks,)))
    inner: list[bool] = []

    def refresh_beside(done: int, _: int) -> None:
        if done == 0 and not inner:
            inner.append(True)
            rollup.refresh(engine)

    assert rollup.refresh(engine, refresh_beside).is_rebuilt
    twice = contents(engine)
    assert rollup.refresh(engine).days == ()
    assert contents(engine) == twice
    ROLLUP.refresh(engine)
    assert contents(engine)["user_totals"] == twice["user_totals"]


def test_what_cannot_be_written_is_not_said_to_be_locked(sqlite_shop: sa.Engine) -> None:
    ROLLUP.refresh(sqlite_shop)
    read_only = sa.create_engine(f"sqlite:///file:{sqlite_shop.url.database}?mode=ro&uri=true")
    with pytest.raises(OperationalError, match="readonly database"):
        ROLLUP.refresh(read_only)


def test_a_database_that_stays_locked_is_told(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ROLLUP.refresh(engine)
    monkeypatch.setattr(refresh_module, "PATIENCE", timedelta(seconds=0.2))
    with (
        refresh_module.writing_alone(engine, sa.table("analytics_rollups")),
        pytest.raises(DatabaseBusy, match=r"was locked for 0\.2 seconds, perhaps by another refresh"),
    ):
        ROLLUP.refresh(engine)
    assert not ROLLUP.refresh(engine).is_rebuilt
