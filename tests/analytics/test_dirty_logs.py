"""Random corruption: SQL, data frames and a slow reference agree on every count, and every funnel adds up."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from analytics_dirty_logs import START, STOP, Expected, Log, corrupt_log, reference

from analytics.cleaning import Cleaning, Funnel
from analytics.frames.cleaning import clean
from analytics.question import Question
from analytics.sql.logs import CLICKS, EventLogs
from analytics.sql.raw import read_logs
from analytics.sums import Moments

LOGS = EventLogs(outcomes=(CLICKS,))
QUESTION = Question(("clicks", "impressions"))


def rules_of(seed: int) -> Cleaning:
    rng = random.Random(-seed)
    return Cleaning(
        two_variants=rng.choice(["exclude", "first", "keep"]),  # type: ignore[arg-type]
        duplicates=rng.choice(["drop", "drop", "keep"]),  # type: ignore[arg-type]
        early=rng.choice(["drop", "drop", "keep"]),  # type: ignore[arg-type]
        late=rng.choice(["drop", "drop", "keep"]),  # type: ignore[arg-type]
        repeated=rng.choice(["drop", "drop", "keep"]),  # type: ignore[arg-type]
        bot_impressions=rng.choice([None, 5, 8]),
        clock_skew=timedelta(minutes=rng.choice([0, 1])),
        attribution=timedelta(days=1),
        started_at=START,
        stopped_at=STOP,
    )


def tables(*, keys: bool) -> sa.MetaData:
    """The two logs; as keys, ids cannot repeat and the rule against it has nothing to do."""
    metadata = sa.MetaData()
    sa.Table(
        "impressions",
        metadata,
        sa.Column("impression_id", sa.String, primary_key=keys),
        sa.Column("user_id", sa.String),
        sa.Column("variant", sa.String),
        sa.Column("shown_at", sa.DateTime(timezone=True)),
        sa.Column("experiment", sa.String),
    )
    sa.Table(
        "clicks",
        metadata,
        sa.Column("event_id", sa.String, primary_key=keys),
        sa.Column("impression_id", sa.String),
        sa.Column("clicked_at", sa.DateTime(timezone=True)),
    )
    return metadata


def write(connection: sa.Connection, metadata: sa.MetaData, log: Log) -> None:
    shown, clicks = metadata.tables["impressions"], metadata.tables["clicks"]
    connection.execute(shown.delete())
    connection.execute(clicks.delete())
    names = [c.name for c in shown.c]
    rows = [dict(zip(names, (*row, "demo"), strict=True)) for row in log.impressions]
    elsewhere = [{**row, "impression_id": f"x{n}", "experiment": "other"} for n, row in enumerate(rows[:3])]
    if rows:
        connection.execute(shown.insert(), rows + elsewhere)
    if log.clicks:
        connection.execute(
            clicks.insert(), [dict(zip((c.name for c in clicks.c), row, strict=True)) for row in log.clicks]
        )


def check_funnel(funnel: Funnel, expected: Expected) -> None:
    for log, counts in (("impressions", expected.impressions), ("clicks", expected.clicks)):
        found = funnel[log]
        assert found.rows == counts.total()
        assert {rule: n for rule, n in found.dropped.items() if n} == {
            rule: n for rule, n in counts.items() if rule != "kept" and n
        }
        assert found.kept == counts["kept"]
        assert sum(found.dropped.values()) + found.kept == found.rows
    assert funnel.users == len(expected.pairs)


def moments_of(expected: Expected) -> dict[str, Moments]:
    of_variant: dict[str, list[tuple[int, int]]] = {}
    for (_, variant), counts in expected.pairs.items():
        of_variant.setdefault(variant, []).append(counts)
    return {
        variant: Moments.of(dict(zip(QUESTION.columns, map(list, zip(*rows, strict=True)), strict=True)))
        for variant, rows in of_variant.items()
    }


def check_sql(connection: sa.Connection, expected: Expected, rules: Cleaning) -> None:
    read = read_logs(connection, LOGS, "demo", QUESTION, cleaning=rules)
    check_funnel(read.funnel, expected)
    assert {group.variant: moments for group, moments in read.groups.items()} == moments_of(expected)


@pytest.mark.parametrize("first_seed", range(0, 500, 100))
def test_sqlite_counts_as_the_reference_does(first_seed: int) -> None:
    engine = sa.create_engine("sqlite://")
    metadata = tables(keys=False)
    metadata.create_all(engine)
    with engine.connect() as connection:
        for seed in range(first_seed, first_seed + 100):
            log, rules = corrupt_log(seed), rules_of(seed)
            write(connection, metadata, log)
            check_sql(connection, reference(log, rules), rules)
    engine.dispose()


@pytest.mark.postgres
def test_postgresql_counts_as_the_reference_does(empty_postgres_url: str) -> None:
    engine = sa.create_engine(empty_postgres_url)
    metadata = tables(keys=False)
    metadata.create_all(engine)
    with engine.connect() as connection:
        for seed in range(60):
            log, rules = corrupt_log(seed), rules_of(seed)
            write(connection, metadata, log)
            check_sql(connection, reference(log, rules), rules)
    engine.dispose()


def test_where_ids_are_keys_the_answer_is_the_same() -> None:
    """The fast way, which trusts the database to have no duplicates."""
    engine = sa.create_engine("sqlite://")
    metadata = tables(keys=True)
    metadata.create_all(engine)
    with engine.connect() as connection:
        for seed in range(40):
            log, rules = corrupt_log(seed), rules_of(seed)
            log.impressions = list({row[0]: row for row in log.impressions if row[0] is not None}.values())
            log.clicks = list({row[0]: row for row in log.clicks if row[0] is not None}.values())
            write(connection, metadata, log)
            check_sql(connection, reference(log, rules), rules)
    engine.dispose()


def frames(log: Log) -> tuple[pd.DataFrame, pd.DataFrame]:
    shown = pd.DataFrame(log.impressions, columns=["impression_id", "user", "variant", "shown_at"])
    clicks = pd.DataFrame(log.clicks, columns=["event_id", "impression_id", "at"])
    return shown, clicks


@pytest.mark.parametrize("first_seed", range(0, 300, 100))
def test_data_frames_count_as_the_reference_does(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 100):
        log, rules = corrupt_log(seed), rules_of(seed)
        shown, clicks = frames(log)
        cleaned = clean(shown, {"clicks": clicks}, rules)
        expected = reference(log, rules)
        check_funnel(cleaned.funnel, expected)
        sums: Any = cleaned.rows.groupby(["user", "variant"])[["clicks", "impressions"]].sum()
        assert {pair: tuple(row) for pair, row in zip(sums.index, sums.to_numpy(), strict=True)} == (
            expected.pairs
        )
