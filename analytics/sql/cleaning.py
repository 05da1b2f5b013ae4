"""The cleaning rules as SQL, in one shape for SQLite and PostgreSQL; `analytics.cleaning` says what they are.

Rows become pairs (one row a user, variant and reason) inside the database, and only sums leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import BAD_TIME, DUPLICATE, MISSING, OTHER_CURRENCY, OUTSIDE, Cleaning
from analytics.sql.currencies import amount, in_other_currency
from analytics.sql.dialect import Sql
from analytics.sql.logs import LogTable, LogTables, OutcomeLog

Column = sa.ColumnElement[Any]
Condition = Callable[[Column], sa.ColumnElement[bool]]
"""Which times are meant."""


@dataclass(frozen=True)
class Part:
    """The impressions shown in [start, end), of the selected users where there is such a selection.

    Attributes:
        is_small: few beside the whole log, so that their outcomes are looked up one by one.
    """

    start: datetime | None
    end: datetime | None
    users: sa.Select[Any] | None = None
    is_small: bool = True


def outcome_reasons(dialect: str, tables: LogTables, cleaning: Cleaning) -> sa.Select[Any] | None:
    """Rows of each outcome log by the reason that the row itself gives: (log, reason, rows)."""
    parts = []
    for log, table in tables.outcomes:
        counted = reasons_of_outcomes(dialect, log, table, cleaning).subquery(f"{log.name}_reasons")
        parts.append(sa.select(sa.literal(log.name).label("log"), *counted.c))
    return None if not parts else sa.select(sa.union_all(*parts).subquery("reasons"))


def reasons_of_outcomes(
    dialect: str, log: OutcomeLog, table: LogTable, cleaning: Cleaning, are_meant: Condition | None = None
) -> sa.Select[Any]:
    """The same of one log, (reason, rows), of all its rows or of those whose time is meant."""
    rows = _marked_outcomes(Sql(dialect), log, table, cleaning)
    counted = sa.select(rows.c.reason, sa.func.count().label("n")).group_by(rows.c.reason)
    return counted if are_meant is None else counted.where(are_meant(rows.c.at))


def broken_reasons(
    dialect: str,
    tables: LogTables,
    cleaning: Cleaning,
    experiment: str | None,
    part: Part | None = None,
    are_meant: Condition | None = None,
) -> sa.Select[Any]:
    """Impressions that broke a rule for single ones, all or those whose time is meant: (reason, rows)."""
    shown = marked_impressions(Sql(dialect), tables, cleaning, experiment, part)
    counted = sa.select(shown.c.reason, sa.func.count()).group_by(shown.c.reason)
    counted = counted.where(shown.c.reason != 0)
    return counted if are_meant is None else counted.where(are_meant(shown.c.at))


def marked_impressions(
    sql: Sql,
    tables: LogTables,
    cleaning: Cleaning,
    experiment: str | None,
    part: Part | None = None,
    *,
    keys_are_known: bool = False,
    values: Sequence[str] = (),
) -> sa.Subquery:
    """Every impression of the experiment with the reason that the row itself gives, and its rank by id.

    Args:
        keys_are_known: whether the user and the variant need no look: they are judged elsewhere.
        values: further columns, which come as value_0, value_1 and so on.
    """
    names, log = tables.names, tables.impressions
    keys = (names.impression_id,) if keys_are_known else (names.user, names.variant, names.impression_id)
    ids = [log.column(name) for name in keys if name is not None]
    impression_id = log.column(names.impression_id)
    variant = (
        sa.literal_column("''", sa.String) if names.variant is None else _text(log.column(names.variant))
    )
    at = log.column(names.shown_at)
    rules = [
        (sql.any_blank(ids), MISSING),
        *_time_rules(sql, names.shown_at, at, cleaning, cleaning.stopped_at),
    ]
    reason = first_of(rules)
    query = sa.select(
        impression_id.label("id"),
        _text(log.column(names.user)).label("user"),
        variant.label("variant"),
        at.label("at"),
        reason.label("reason"),
        *([log.column(names.clicked).label("clicked")] if names.clicked else []),
        *(log.column(name).label(f"value_{i}") for i, name in enumerate(values)),
    )
    if names.experiment is not None and experiment is not None:
        belongs = log.column(names.experiment)
        # within a part its times select best, which SQLite without statistics does not know; PostgreSQL
        # has some, but none of what a function gives
        is_hidden = part is not None and sql.is_sqlite
        query = query.where((sa.func.coalesce(belongs, "") if is_hidden else belongs) == experiment)
    if part is not None:
        bounds = ((at.__ge__, part.start), (at.__lt__, part.end))
        query = query.where(*(holds(sql.time(bound)) for holds, bound in bounds if bound is not None))
        if part.users is not None:
            query = query.where(log.column(names.user).in_(part.users))
    if log.is_unique or names.impression_id is None:
        return query.add_columns(sa.literal_column("1").label("rank")).subquery("shown")
    rows = query.subquery("read")
    order = (rows.c.reason != 0, rows.c.at, sql.bytes(rows.c.user), sql.bytes(rows.c.variant))
    rank = sa.func.row_number().over(partition_by=rows.c.id, order_by=order)
    return _ranked(rows, rank, cleaning, "shown")


def _marked_outcomes(sql: Sql, log: OutcomeLog, table: LogTable, cleaning: Cleaning) -> sa.Subquery:
    """Every row of an outcome log with the reason that the row itself gives."""
    rules = _outcome_rules(sql, log, table, cleaning)
    is_other = in_other_currency(log, table, cleaning)
    columns = _outcome_columns(log, table, cleaning)
    if table.is_unique or log.event_id is None:
        reason = first_of([*rules, *([] if is_other is None else [(is_other, OTHER_CURRENCY)])])
        return sa.select(*columns, reason.label("reason")).subquery(f"{log.name}_rows")
    columns += [] if is_other is None else [is_other.label("is_other")]
    rows = sa.select(*columns, first_of(rules).label("reason")).subquery(f"{log.name}_read")
    rank = sa.func.row_number().over(
        partition_by=rows.c.event_id, order_by=(rows.c.reason != 0, rows.c.at, sql.bytes(rows.c.id))
    )
    ranked = _ranked(rows, rank, cleaning, f"{log.name}_rows")
    return ranked if is_other is None else _in_one_currency(ranked, f"{log.name}_in_one_currency")


def good_outcomes(sql: Sql, log: OutcomeLog, table: LogTable, cleaning: Cleaning) -> sa.Subquery:
    """The rows of an outcome log that can count, as far as they tell by themselves."""
    name = sa.literal(log.name).label("log")
    if table.is_unique or log.event_id is None:
        rules = [broken for broken, _ in _outcome_rules(sql, log, table, cleaning)]
        is_other = in_other_currency(log, table, cleaning)
        rules += [] if is_other is None else [is_other]
        query = sa.select(name, *_outcome_columns(log, table, cleaning)).where(*map(sa.not_, rules))
        return query.subquery(f"{log.name}_good")
    rows = _marked_outcomes(sql, log, table, cleaning)
    columns = (rows.c.event_id, rows.c.id, rows.c.at, rows.c.value)
    return sa.select(name, *columns).where(rows.c.reason == 0).subquery(f"{log.name}_good")


def _outcome_columns(log: OutcomeLog, table: LogTable, cleaning: Cleaning) -> list[sa.Label[Any]]:
    value = amount(log, table, cleaning) if log.value else sa.cast(sa.null(), sa.BigInteger)
    columns = {"event_id": log.event_id, "id": log.impression_id, "at": log.at}
    return [*(table.column(name).label(ours) for ours, name in columns.items()), value.label("value")]


def _outcome_rules(
    sql: Sql, log: OutcomeLog, table: LogTable, cleaning: Cleaning
) -> list[tuple[Column, int]]:
    ids = [table.column(name) for name in (log.event_id, log.impression_id) if name is not None]
    in_time = _time_rules(sql, log.at, table.column(log.at), cleaning, cleaning.outcomes_stop_at)
    return [(sql.any_blank(ids), MISSING), *in_time]


def _ranked(rows: sa.Subquery, rank: Column, cleaning: Cleaning, name: str) -> sa.Subquery:
    ranked = sa.select(*rows.c, rank.label("rank")).subquery(f"{name}_ranked")
    if cleaning.duplicates == "keep":
        return ranked
    is_again = sa.and_(ranked.c.reason == 0, ranked.c.rank > 1)
    reason = sa.case((is_again, sa.literal_column(str(DUPLICATE))), else_=ranked.c.reason)
    others = [column for column in ranked.c if column.name != "reason"]
    return sa.select(*others, reason.label("reason")).subquery(name)


def _in_one_currency(rows: sa.Subquery, name: str) -> sa.Subquery:
    """The rows, those in another currency marked unless an earlier rule dropped them."""
    is_dropped = sa.and_(rows.c.reason == 0, rows.c.is_other)
    reason = sa.case((is_dropped, sa.literal_column(str(OTHER_CURRENCY))), else_=rows.c.reason)
    others = [column for column in rows.c if column.name not in ("reason", "is_other")]
    return sa.select(*others, reason.label("reason")).subquery(name)


def _time_rules(
    sql: Sql, name: str | None, at: Column, cleaning: Cleaning, stopped_at: datetime | None
) -> list[tuple[Column, int]]:
    if name is None:
        return []
    rules = [(sql.is_no_time(at), BAD_TIME)]
    if cleaning.started_at is not None:
        rules.append((at < sql.time(cleaning.started_at), OUTSIDE))
    if stopped_at is not None:
        rules.append((at >= sql.time(stopped_at), OUTSIDE))
    return rules


def first_of(rules: Sequence[tuple[Column, int]]) -> Column:
    """The number of the first rule that holds, else 0."""
    if not rules:
        return sa.literal_column("0")
    cases: list[tuple[Column, Column]] = [(holds, sa.literal_column(str(number))) for holds, number in rules]
    return sa.case(*cases, else_=sa.literal_column("0"))


def _text(column: Column) -> Column:
    """An id as the opaque text that it is."""
    return column if isinstance(column.type, sa.String) else sa.cast(column, sa.String)


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
