"""The cleaning rules as SQL, in one shape for SQLite and PostgreSQL; `cleaning` says what they are.

Rows become pairs (one row a user, variant and reason) inside the database, and only sums leave it.
A reason is the number of the rule that dropped the rows, from 1; 0 is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import IMPRESSION_RULES, OUTCOME_RULES, Cleaning
from analytics.dialect import Sql
from analytics.logs import LogTable, LogTables, OutcomeLog

Column = sa.ColumnElement[Any]

MISSING, BAD_TIME, OUTSIDE, DUPLICATE, MIXED, BOT = range(1, 1 + len(IMPRESSION_RULES))
ORPHAN, EARLY, LATE, REPEATED, DROPPED = range(DUPLICATE + 1, 1 + len(OUTCOME_RULES))
MET_REASONS = (EARLY, LATE, REPEATED)

BROKEN = -1
"""The reason of a pair of which no impression counts: the rules for single impressions dropped them all."""


@dataclass(frozen=True)
class Pairs:
    """User-by-variant sums, as a query part.

    Attributes:
        table: user, variant, (day), first_at, the sums below, and `broken`: rows that a rule for single
            impressions dropped. A pair without impressions holds nothing but such rows.
        columns: the quantities.
        dropped: for each outcome log and reason, the number of its rows that were dropped.
    """

    table: sa.CTE
    columns: tuple[str, ...]
    dropped: tuple[str, ...]


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


def pairs_of_log(
    dialect: str,
    tables: LogTables,
    cleaning: Cleaning,
    experiment: str | None,
    *,
    by_day: bool = False,
    name: str = "pairs",
    part: Part | None = None,
) -> Pairs:
    """The sums of every user and variant, and how many of their rows broke a rule.

    The keys are columns as they are: of these a database knows how many different values to expect.

    Args:
        part: look only at these impressions; right where an id cannot repeat.
    """
    sql = Sql(dialect)
    shown = _marked_impressions(sql, tables, cleaning, experiment, part)
    day = [sql.day(shown.c.at).label("day")] if by_day else []
    keys = [shown.c.user, shown.c.variant, *day]
    if part is not None and part.is_small:
        query, columns, dropped = _looked_up(sql, tables, cleaning, shown, keys)
    else:
        query, columns, dropped = _in_one_pass(sql, tables, cleaning, shown, keys)
    clicked = ("clicks",) if tables.names.clicked else ()
    return Pairs(query.cte(name), ("impressions", *clicked, *columns), dropped)


Sums = tuple[sa.Select[Any], tuple[str, ...], tuple[str, ...]]


def _looked_up(
    sql: Sql, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, keys: Sequence[Column]
) -> Sums:
    """The outcomes of the impressions that can count are found, ranked and summed; no row is `broken`."""
    counted = sa.select(*keys, *_kept_sums(sql, tables, shown)).group_by(*keys).where(shown.c.reason == 0)
    if not tables.outcomes:
        return counted, (), ()
    hits = _hits(sql, tables, cleaning, shown, by_day=len(keys) > 2)
    sums, columns, dropped = _outcome_sums(tables, hits.c.log, hits.c.value, lambda _: hits.c.reason)
    met_keys = [hits.c[key.name] for key in keys]
    met = sa.select(*met_keys, *sums).group_by(*met_keys).subquery("met_sums")
    found = counted.subquery("counted")
    match = [found.c[key.name] == met.c[key.name] for key in met_keys]
    extra = [sa.func.coalesce(met.c[column], 0).label(column) for column in (*columns, *dropped)]
    joined = found.outerjoin(met, sa.and_(*match))
    return sa.select(*found.c, *extra).select_from(joined), columns, dropped


def _in_one_pass(
    sql: Sql, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, keys: Sequence[Column]
) -> Sums:
    """All outcomes are ranked first; then the impressions are read once, beside them."""
    if not tables.outcomes:
        return sa.select(*keys, *_shown_sums(sql, tables, shown)).group_by(*keys), (), ()
    ranked = _ranked_outcomes(sql, tables, cleaning)
    met = sa.and_(ranked.c.id == shown.c.id, shown.c.rank == 1, shown.c.reason == 0)
    sums, columns, dropped = _outcome_sums(
        tables,
        ranked.c.log,
        ranked.c.value,
        lambda log: _first_of(_delay_rules(sql, log, tables, cleaning, shown, ranked)),
    )
    query = sa.select(*keys, *_shown_sums(sql, tables, shown, ranked.c.place), *sums)
    return query.select_from(shown.outerjoin(ranked, met)).group_by(*keys), columns, dropped


def _kept_sums(sql: Sql, tables: LogTables, shown: sa.Subquery) -> list[sa.Label[Any]]:
    """What impressions say for themselves that can all count."""
    sums = [sa.literal_column("0").label("broken"), sa.func.count().label("impressions")]
    if tables.names.clicked:
        sums.append(sa.func.sum(sql.truth(shown.c.clicked)).label("clicks"))
    if tables.names.shown_at is not None:
        sums.append(sa.func.min(shown.c.at).label("first_at"))
    return sums


def _shown_sums(
    sql: Sql, tables: LogTables, shown: sa.Subquery, place: Column | None = None
) -> list[sa.Label[Any]]:
    """What all impressions say for themselves.

    Args:
        place: of an outcome among those of its impression, which stands there once for each of them.
    """
    is_kept = shown.c.reason == 0
    n_rows: Column = sa.func.count().filter(is_kept)
    broken = (sa.func.count() - n_rows).label("broken")
    if place is not None:
        n_rows = n_rows - sa.func.count().filter(place > 1)
        is_kept = sa.and_(is_kept, sa.func.coalesce(place, 1) == 1)
    sums = [broken, n_rows.label("impressions")]
    if tables.names.clicked:
        clicks = sa.func.sum(sql.truth(shown.c.clicked)).filter(is_kept)
        sums.append(sa.func.coalesce(clicks, 0).label("clicks"))
    if tables.names.shown_at is not None:
        sums.append(sa.func.min(shown.c.at).filter(is_kept).label("first_at"))
    return sums


def outcome_reasons(dialect: str, tables: LogTables, cleaning: Cleaning) -> sa.Select[Any] | None:
    """Rows of each outcome log by the reason that the row itself gives: (log, reason, rows)."""
    sql = Sql(dialect)
    parts = []
    for log, table in tables.outcomes:
        rows = _marked_outcomes(sql, log, table, cleaning)
        parts.append(
            sa.select(sa.literal(log.name).label("log"), rows.c.reason, sa.func.count().label("n")).group_by(
                rows.c.reason
            )
        )
    return None if not parts else sa.select(sa.union_all(*parts).subquery("reasons"))


def broken_reasons(
    dialect: str, tables: LogTables, cleaning: Cleaning, experiment: str | None, part: Part | None = None
) -> sa.Select[Any]:
    """Impressions that broke a rule for single ones: (reason, rows)."""
    shown = _marked_impressions(Sql(dialect), tables, cleaning, experiment, part)
    counted = sa.select(shown.c.reason, sa.func.count()).group_by(shown.c.reason)
    return counted.where(shown.c.reason != 0)


def reasons_at_the_edges(
    dialect: str, tables: LogTables, cleaning: Cleaning, experiment: str, start: datetime, end: datetime
) -> list[sa.Select[Any]]:
    """Impressions without a time, or outside of [start, end), by reason: (reason, rows), a query an edge."""
    sql = Sql(dialect)
    shown = _marked_impressions(sql, tables, cleaning, experiment, Part(None, None))
    counted = sa.select(shown.c.reason, sa.func.count()).group_by(shown.c.reason)
    edges = (shown.c.at.is_(None), shown.c.at < sql.time(start), shown.c.at >= sql.time(end))
    return [counted.where(edge) for edge in edges]


def _marked_impressions(
    sql: Sql, tables: LogTables, cleaning: Cleaning, experiment: str | None, part: Part | None = None
) -> sa.Subquery:
    """Every impression of the experiment with the reason that the row itself gives, and its rank by id."""
    names, log = tables.names, tables.impressions
    keys = (names.user, names.variant, names.impression_id)
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
    reason = _first_of(rules)
    query = sa.select(
        impression_id.label("id"),
        _text(log.column(names.user)).label("user"),
        variant.label("variant"),
        at.label("at"),
        reason.label("reason"),
        *([log.column(names.clicked).label("clicked")] if names.clicked else []),
    )
    if names.experiment is not None and experiment is not None:
        belongs = log.column(names.experiment)
        # within a part its times select best, which SQLite without statistics does not know
        query = query.where((belongs if part is None else sa.func.coalesce(belongs, "")) == experiment)
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
    reason = _first_of(_outcome_rules(sql, log, table, cleaning)).label("reason")
    query = sa.select(*_outcome_columns(log, table), reason)
    if table.is_unique or log.event_id is None:
        return query.subquery(f"{log.name}_rows")
    rows = query.subquery(f"{log.name}_read")
    rank = sa.func.row_number().over(
        partition_by=rows.c.event_id, order_by=(rows.c.reason != 0, rows.c.at, sql.bytes(rows.c.id))
    )
    return _ranked(rows, rank, cleaning, f"{log.name}_rows")


def _good_outcomes(sql: Sql, log: OutcomeLog, table: LogTable, cleaning: Cleaning) -> sa.Subquery:
    """The rows of an outcome log that can count, as far as they tell by themselves."""
    name = sa.literal(log.name).label("log")
    if table.is_unique or log.event_id is None:
        rules = _outcome_rules(sql, log, table, cleaning)
        query = sa.select(name, *_outcome_columns(log, table)).where(
            *(sa.not_(broken) for broken, _ in rules)
        )
        return query.subquery(f"{log.name}_good")
    rows = _marked_outcomes(sql, log, table, cleaning)
    columns = (rows.c.event_id, rows.c.id, rows.c.at, rows.c.value)
    return sa.select(name, *columns).where(rows.c.reason == 0).subquery(f"{log.name}_good")


def _outcome_columns(log: OutcomeLog, table: LogTable) -> list[sa.Label[Any]]:
    value = table.column(log.value) if log.value else sa.cast(sa.null(), sa.BigInteger)
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


def _hits(
    sql: Sql, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, *, by_day: bool
) -> sa.Subquery:
    """Every outcome that found its impression, with the reason that the two of them give."""
    parts = []
    for log, table in tables.outcomes:
        rows = _good_outcomes(sql, log, table, cleaning)
        query = sa.select(
            *rows.c,
            shown.c.user,
            shown.c.variant,
            *([sql.day(shown.c.at).label("day")] if by_day else []),
            _first_of(_delay_rules(sql, log, tables, cleaning, shown, rows)).label("reason"),
        ).select_from(rows.join(shown, sa.and_(shown.c.id == rows.c.id, shown.c.rank == 1)))
        parts.append(query.where(shown.c.reason == 0))
    hits = sa.union_all(*parts).subquery("met")
    if cleaning.repeated == "keep":
        return hits
    once = [log.name for log, _ in tables.outcomes if log.is_once]
    rank = sa.func.row_number().over(
        partition_by=(hits.c.log, hits.c.id), order_by=(hits.c.reason, hits.c.at, sql.bytes(hits.c.event_id))
    )
    ranked = sa.select(*hits.c, rank.label("rank")).subquery("ranked_hits")
    is_again = sa.and_(ranked.c.log.in_(once), ranked.c.reason == 0, ranked.c.rank > 1)
    reason = sa.case((is_again, sa.literal_column(str(REPEATED))), else_=ranked.c.reason)
    others = [column for column in ranked.c if column.name not in ("reason", "rank")]
    return sa.select(*others, reason.label("reason")).subquery("hits")


def _ranked_outcomes(sql: Sql, tables: LogTables, cleaning: Cleaning) -> sa.Subquery:
    """Every outcome that can count, and what stands before it.

    `place` is its place among all outcomes of its impression, `place_in_log` that among those of its log
    in order of time, where `before_at` is the time of the one before.
    """
    parts = [_good_outcomes(sql, log, table, cleaning) for log, table in tables.outcomes]
    rows = sa.union_all(*(sa.select(part) for part in parts)).subquery("outcomes")
    order = (rows.c.at, sql.bytes(rows.c.event_id))
    of_log = (rows.c.id, rows.c.log)
    place_in_log = sa.func.row_number().over(partition_by=of_log, order_by=order)
    place = sa.func.row_number().over(partition_by=rows.c.id, order_by=(rows.c.log, *order))
    return sa.select(
        *rows.c,
        place.label("place") if len(parts) > 1 else place_in_log.label("place"),
        place_in_log.label("place_in_log"),
        sa.func.lag(rows.c.at).over(partition_by=of_log, order_by=order).label("before_at"),
    ).subquery("ranked")


def _delay_rules(
    sql: Sql,
    log: OutcomeLog,
    tables: LogTables,
    cleaning: Cleaning,
    shown: sa.Subquery,
    rows: sa.Subquery,
) -> list[tuple[Column, int]]:
    """The rules for an outcome and its impression; whether it comes again is known of ranked rows only.

    In order of time those that come early stand before the first that counts.
    """
    rules: list[tuple[Column, int]] = []
    is_again: list[Column] = []
    if "place_in_log" in rows.c and log.is_once and cleaning.repeated != "keep":
        is_again = [rows.c.place_in_log > 1]
    if log.at is not None and tables.names.shown_at is not None:
        delay = sql.milliseconds(shown.c.at, rows.c.at)
        if cleaning.early != "keep":
            rules.append((delay < -_ms(cleaning.clock_skew), EARLY))
            if is_again:
                before = sql.milliseconds(shown.c.at, rows.c.before_at)
                is_again.append(before >= -_ms(cleaning.clock_skew))
        if cleaning.late != "keep":
            rules.append((delay > _ms(cleaning.attribution), LATE))
    return [*rules, *([(sa.and_(*is_again), REPEATED)] if is_again else [])]


def _outcome_sums(
    tables: LogTables, log_of: Column, value: Column, reason_of: Callable[[OutcomeLog], Column]
) -> tuple[list[sa.Label[Any]], tuple[str, ...], tuple[str, ...]]:
    """What counts of each outcome, and how many rows each reason dropped; with the names of both."""
    sums: list[sa.Label[Any]] = []
    columns: list[str] = []
    dropped: list[str] = []
    for log, _ in tables.outcomes:
        reason = reason_of(log)
        is_kept = sa.and_(log_of == log.name, reason == 0)
        sums.append(sa.func.count().filter(is_kept).label(log.name))
        if log.value:
            added = sa.func.coalesce(sa.func.sum(value).filter(is_kept), 0)
            sums.append(added.label(log.value_name))
        columns += log.columns
        for why in MET_REASONS:
            name = dropped_name(log.name, why)
            sums.append(sa.func.count().filter(sa.and_(log_of == log.name, reason == why)).label(name))
            dropped.append(name)
    return sums, tuple(columns), tuple(dropped)


def dropped_name(log: str, reason: int) -> str:
    """The column that counts the rows of an outcome log that a reason dropped."""
    return f"{log}_{OUTCOME_RULES[reason - 1]}"


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


def _first_of(rules: Sequence[tuple[Column, int]]) -> Column:
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
