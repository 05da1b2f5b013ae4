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

from analytics.cleaning import EARLY, LATE, MET_REASONS, OUTCOME_RULES, REPEATED, Cleaning
from analytics.sql.cleaning import Part, good_outcomes, marked_impressions
from analytics.sql.dialect import Rows, Sql
from analytics.sql.logs import LogTable, LogTables, OutcomeLog

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

    table: sa.CTE | sa.Subquery
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
    sums_of = _summed_apart if part is not None and part.is_small else _summed_beside
    query = sums_of(sql, tables, cleaning, shown, [*named, *day])
    columns = tuple(name for log, _ in tables.outcomes for name in log.columns)
    dropped = tuple(dropped_name(log.name, why) for log, _ in tables.outcomes for why in MET_REASONS)
    if tables.names.variant is None:
        summed = query.subquery("summed")
        query = sa.select(*summed.c, sa.literal_column("''", sa.String).label("variant"))
    table = query.cte(name) if sql.is_sqlite else query.subquery(name)
    counts: Column = table.c.impressions > 0
    if judges_keys:  # there are fewer pairs than rows to look at
        counts = sa.and_(counts, sa.not_(sql.any_blank([table.c[key.name] for key in named])))
    clicked = ("clicks",) if tables.names.clicked else ()
    return Pairs(table, ("impressions", *clicked, *columns), dropped, counts)


def dropped_name(log: str, reason: int) -> str:
    """The column that counts the rows of an outcome log that a reason dropped."""
    return f"{log}_{OUTCOME_RULES[reason - 1]}"


def _summed_beside(
    sql: Sql, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, keys: Sequence[Column]
) -> sa.Select[Any]:
    """Outcomes are gathered by impression first; then all impressions are read once, beside them."""
    source: sa.FromClause = shown
    sums = _shown_sums(sql, tables, shown, can_be_broken=True)
    for log, _ in tables.outcomes:
        met, can_meet, fates = _met(sql, log, tables, cleaning, shown, among=None)
        source = source.outerjoin(met, can_meet)
        sums += [sa.func.coalesce(sa.func.sum(n), 0).label(name) for name, n in fates.items()]
    return sa.select(*keys, *sums).select_from(source).group_by(*keys)


def _summed_apart(
    sql: Sql, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, keys: Sequence[Column]
) -> sa.Select[Any]:
    """The few impressions that can count are counted alone, and what their outcomes come to is added.

    The many rows that have to be sorted by user stay narrow so. None is `broken`.
    """
    sums = _shown_sums(sql, tables, shown, can_be_broken=False)
    counted = sa.select(*keys, *sums).where(shown.c.reason == 0).group_by(*keys).subquery("counted")
    source: sa.FromClause = counted
    columns: list[Column] = list(counted.c)
    for log, _ in tables.outcomes:
        met, can_meet, fates = _met(sql, log, tables, cleaning, shown, among=shown.alias("among"))
        added = sa.select(*keys, *(sa.func.sum(n).label(name) for name, n in fates.items()))
        by_key = added.select_from(shown.join(met, can_meet)).group_by(*keys).subquery(f"{log.name}_fates")
        both = zip(list(by_key.c)[: len(keys)], counted.c, strict=False)
        source = source.outerjoin(by_key, sa.and_(*(one == other for one, other in both)))
        columns += [sa.func.coalesce(by_key.c[name], 0).label(name) for name in fates]
    return sa.select(*columns).select_from(source)


def _met(
    sql: Sql,
    log: OutcomeLog,
    tables: LogTables,
    cleaning: Cleaning,
    shown: sa.Subquery,
    *,
    among: sa.FromClause | None,
) -> tuple[sa.Subquery, Column, Rows]:
    """The outcomes of each impression, when an impression meets them, and what becomes of them there."""
    met = _by_impression(sql, log, dict(tables.outcomes)[log], cleaning, among)
    can_meet = sa.and_(met.c.id == shown.c.id, shown.c.rank == 1, shown.c.reason == 0)
    return met, can_meet, _fates(sql, log, tables, cleaning, shown, met)


def _shown_sums(
    sql: Sql, tables: LogTables, shown: sa.Subquery, *, can_be_broken: bool
) -> list[sa.Label[Any]]:
    """What the impressions say for themselves."""

    def kept(aggregate: sa.Function[Any]) -> Column:
        return aggregate.filter(shown.c.reason == 0) if can_be_broken else aggregate

    n_kept = kept(sa.func.count())
    n_broken: Column = sa.func.count() - n_kept if can_be_broken else sa.literal_column("0")
    sums = [n_broken.label("broken"), n_kept.label("impressions")]
    if tables.names.clicked:
        clicks = kept(sa.func.sum(sql.truth(shown.c.clicked)))
        sums.append(sa.func.coalesce(clicks, 0).label("clicks"))
    if tables.names.shown_at is not None:
        sums.append(kept(sa.func.min(shown.c.at)).label("first_at"))
    return sums


def _by_impression(
    sql: Sql, log: OutcomeLog, table: LogTable, cleaning: Cleaning, among: sa.FromClause | None
) -> sa.Subquery:
    """One row an impression that has outcomes in this log: how many, the first time, and all of them."""
    rows = good_outcomes(sql, log, table, cleaning)
    n_rows = sa.cast(sa.func.count(), sa.Integer).label("n")
    columns = [rows.c.id, n_rows, sa.func.min(rows.c.at).label("at"), *sql.gathered(_gathered(log, rows))]
    query = sa.select(*columns).group_by(rows.c.id)
    if among is not None:
        query = query.where(rows.c.id.in_(sa.select(among.c.id)))
    return query.subquery(f"{log.name}_met")


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
    early, late = delays(sql, log, tables, cleaning, shown.c.at, each["at"])
    query = sa.select(each["value"] if counts_once else sa.func.sum(each["value"]))
    query = query.select_from(all_of_them).where(sa.not_(early), sa.not_(late))
    if counts_once:
        query = query.order_by(each["at"], sql.bytes(each["event_id"])).limit(1)
    return query.correlate_except(all_of_them).scalar_subquery()


def delays(
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
