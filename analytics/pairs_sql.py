"""From marked rows to sums a user and variant: pairs.

Nothing here ranks the rows of a whole log with window functions: PostgreSQL runs such a statement on one
core only. Outcomes are gathered by impression instead, and those of an impression are told apart where
there are several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import OUTCOME_RULES, Cleaning
from analytics.cleaning_sql import (
    EARLY,
    LATE,
    MET_REASONS,
    REPEATED,
    Part,
    first_of,
    good_outcomes,
    marked_impressions,
)
from analytics.dialect import Rows, Sql
from analytics.logs import LogTable, LogTables, OutcomeLog

Column = sa.ColumnElement[Any]


@dataclass(frozen=True)
class Pairs:
    """User-by-variant sums, as a query part.

    Attributes:
        table: user, variant, (day), first_at, the sums below, and `broken`: rows that a rule for single
            impressions dropped.
        columns: the quantities.
        dropped: for each outcome log and reason, the number of its rows that were dropped.
        counts: whether a pair is one: it has impressions, a user and a variant. Others hold broken rows
            alone, and their sums mean nothing.
    """

    table: sa.Subquery
    columns: tuple[str, ...]
    dropped: tuple[str, ...]
    counts: Column


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
    judges_keys = tables.impressions.is_unique
    shown = marked_impressions(sql, tables, cleaning, experiment, part, keys_are_known=judges_keys)
    named = [shown.c.user, *([] if tables.names.variant is None else [shown.c.variant])]
    day = [sql.day(shown.c.at).label("day")] if by_day else []
    is_small = part is not None and part.is_small
    sums = _looked_up if is_small else _in_one_pass
    query, columns, dropped = sums(sql, tables, cleaning, shown, [*named, *day])
    if tables.names.variant is None:
        summed = query.subquery("summed")
        query = sa.select(*summed.c, sa.literal_column("''", sa.String).label("variant"))
    table = query.subquery(name)
    counts: Column = table.c.impressions > 0
    if judges_keys:  # there are fewer pairs than rows to look at
        counts = sa.and_(counts, sa.not_(sql.any_blank([table.c[key.name] for key in named])))
    clicked = ("clicks",) if tables.names.clicked else ()
    return Pairs(table, ("impressions", *clicked, *columns), dropped, counts)


Sums = tuple[sa.Select[Any], tuple[str, ...], tuple[str, ...]]


def _looked_up(
    sql: Sql, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, keys: Sequence[Column]
) -> Sums:
    """The outcomes of the impressions that can count are found, ranked and summed; no row is `broken`."""
    counted = sa.select(*keys, *_kept_sums(sql, tables, shown)).group_by(*keys).where(shown.c.reason == 0)
    if not tables.outcomes:
        return counted, (), ()
    hits = _hits(sql, tables, cleaning, shown, by_day="day" in {key.name for key in keys})
    sums, columns, dropped = _hit_sums(tables, hits)
    met_keys = [hits.c[key.name] for key in keys]
    met = sa.select(*met_keys, *sums).group_by(*met_keys).subquery("met_sums")
    found = counted.subquery("counted")
    match = [found.c[key.name] == met.c[key.name] for key in met_keys]
    extra = [sa.func.coalesce(met.c[column], 0).label(column) for column in (*columns, *dropped)]
    joined = found.outerjoin(met, sa.and_(*match))
    return sa.select(*found.c, *extra).select_from(joined), columns, dropped


def _kept_sums(sql: Sql, tables: LogTables, shown: sa.Subquery) -> list[sa.Label[Any]]:
    """What impressions say for themselves that can all count."""
    sums = [sa.literal_column("0").label("broken"), sa.func.count().label("impressions")]
    if tables.names.clicked:
        sums.append(sa.func.sum(sql.truth(shown.c.clicked)).label("clicks"))
    if tables.names.shown_at is not None:
        sums.append(sa.func.min(shown.c.at).label("first_at"))
    return sums


def _hits(
    sql: Sql, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, *, by_day: bool
) -> sa.Subquery:
    """Every outcome that found its impression, with the reason that the two of them give."""
    parts = []
    for log, table in tables.outcomes:
        rows = good_outcomes(sql, log, table, cleaning)
        early, late = _delays(sql, log, tables, cleaning, shown.c.at, rows.c.at)
        query = sa.select(
            *rows.c,
            shown.c.user,
            shown.c.variant,
            *([sql.day(shown.c.at).label("day")] if by_day else []),
            first_of([(early, EARLY), (late, LATE)]).label("reason"),
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


def _hit_sums(
    tables: LogTables, hits: sa.Subquery
) -> tuple[list[sa.Label[Any]], tuple[str, ...], tuple[str, ...]]:
    """What counts of each outcome, and how many rows each reason dropped; with the names of both."""
    sums: list[sa.Label[Any]] = []
    for log, _ in tables.outcomes:
        here = hits.c.log == log.name
        is_kept = sa.and_(here, hits.c.reason == 0)
        sums.append(sa.func.count().filter(is_kept).label(log.name))
        if log.value:
            added = sa.func.coalesce(sa.func.sum(hits.c.value).filter(is_kept), 0)
            sums.append(added.label(log.value_name))
        for why in MET_REASONS:
            n_rows = sa.func.count().filter(sa.and_(here, hits.c.reason == why))
            sums.append(n_rows.label(dropped_name(log.name, why)))
    return sums, *_names(tables)


def _names(tables: LogTables) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The quantities of the outcome logs, and the counters of what was dropped."""
    logs = [log for log, _ in tables.outcomes]
    columns = tuple(name for log in logs for name in log.columns)
    return columns, tuple(dropped_name(log.name, why) for log in logs for why in MET_REASONS)


def dropped_name(log: str, reason: int) -> str:
    """The column that counts the rows of an outcome log that a reason dropped."""
    return f"{log}_{OUTCOME_RULES[reason - 1]}"


def _in_one_pass(
    sql: Sql, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, keys: Sequence[Column]
) -> Sums:
    """All outcomes are gathered by impression first; then the impressions are read once, beside them."""
    source: sa.FromClause = shown
    sums = _shown_sums(sql, tables, shown)
    for log, table in tables.outcomes:
        met = _by_impression(sql, log, table, cleaning)
        can_meet = sa.and_(met.c.id == shown.c.id, shown.c.rank == 1, shown.c.reason == 0)
        source = source.outerjoin(met, can_meet)
        fates = _fates(sql, log, tables, cleaning, shown, met)
        sums += [sa.func.coalesce(sa.func.sum(n), 0).label(name) for name, n in fates.items()]
    return sa.select(*keys, *sums).select_from(source).group_by(*keys), *_names(tables)


def _shown_sums(sql: Sql, tables: LogTables, shown: sa.Subquery) -> list[sa.Label[Any]]:
    """What all impressions say for themselves."""
    is_kept = shown.c.reason == 0
    n_kept: Column = sa.func.count().filter(is_kept)
    sums = [(sa.func.count() - n_kept).label("broken"), n_kept.label("impressions")]
    if tables.names.clicked:
        clicks = sa.func.sum(sql.truth(shown.c.clicked)).filter(is_kept)
        sums.append(sa.func.coalesce(clicks, 0).label("clicks"))
    if tables.names.shown_at is not None:
        sums.append(sa.func.min(shown.c.at).filter(is_kept).label("first_at"))
    return sums


def _by_impression(sql: Sql, log: OutcomeLog, table: LogTable, cleaning: Cleaning) -> sa.Subquery:
    """One row an impression that has outcomes in this log: how many, the first time, and all of them."""
    rows = good_outcomes(sql, log, table, cleaning)
    n_rows = sa.cast(sa.func.count(), sa.Integer).label("n")
    columns = [rows.c.id, n_rows, sa.func.min(rows.c.at).label("at"), *sql.gathered(_gathered(log, rows))]
    return sa.select(*columns).group_by(rows.c.id).subquery(f"{log.name}_met")


def _gathered(log: OutcomeLog, rows: sa.FromClause) -> Rows:
    names = ("at", "event_id", "value") if log.value else ("at",)
    return {name: rows.c[name] for name in names}


def _fates(
    sql: Sql, log: OutcomeLog, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, met: sa.Subquery
) -> Rows:
    """What becomes of the outcomes of an impression: quantities and dropped rows, null where it has none.

    The reasons are tried in their order: of those that come neither early nor late, the first is no
    repetition.
    """
    has_times = log.at is not None and tables.names.shown_at is not None
    nothing: Column = sa.literal_column("0")
    n_early = n_late = nothing
    if has_times and cleaning.early != "keep":
        n_early = sql.n_before(met, shown.c.at, cleaning.clock_skew)
    if has_times and cleaning.late != "keep":
        n_late = sql.n_after(met, shown.c.at, cleaning.attribution)
    n_good = met.c.n - n_early - n_late
    counts_once = log.is_once and cleaning.repeated != "keep"
    n_again = sa.case((n_good > 1, n_good - 1), else_=0) if counts_once else nothing
    fates = {
        log.name: sa.case((n_good > 0, 1), else_=0) if counts_once else n_good,
        dropped_name(log.name, EARLY): n_early,
        dropped_name(log.name, LATE): n_late,
        dropped_name(log.name, REPEATED): n_again,
    }
    if log.value:
        fates[log.value_name] = _amount(sql, log, tables, cleaning, shown, met, counts_once)
    return {name: sa.case((met.c.n > 0, fate)) for name, fate in fates.items()}


def _amount(
    sql: Sql,
    log: OutcomeLog,
    tables: LogTables,
    cleaning: Cleaning,
    shown: sa.Subquery,
    met: sa.Subquery,
    counts_once: bool,
) -> Column:
    """The value of the outcomes of an impression that count, or of the first of them."""
    rows = good_outcomes(sql, log, dict(tables.outcomes)[log], cleaning)
    all_of_them, each = sql.spread(met, _gathered(log, rows))
    early, late = _delays(sql, log, tables, cleaning, shown.c.at, each["at"])
    query = sa.select(each["value"] if counts_once else sa.func.sum(each["value"]))
    query = query.select_from(all_of_them).where(sa.not_(early), sa.not_(late))
    if counts_once:
        query = query.order_by(each["at"], sql.bytes(each["event_id"])).limit(1)
    return query.correlate_except(all_of_them).scalar_subquery()


def _delays(
    sql: Sql, log: OutcomeLog, tables: LogTables, cleaning: Cleaning, shown_at: Column, at: Column
) -> tuple[Column, Column]:
    """Whether an outcome comes early, and whether it comes late; false where a rule is off."""
    early: Column = sa.false()
    late: Column = sa.false()
    if log.at is not None and tables.names.shown_at is not None:
        if cleaning.early != "keep":
            early = sql.is_before(at, shown_at, cleaning.clock_skew)
        if cleaning.late != "keep":
            late = sql.is_after(at, shown_at, cleaning.attribution)
    return early, late
