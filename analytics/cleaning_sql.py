"""The cleaning rules as SQL, in one shape for SQLite and PostgreSQL; `cleaning` says what they are.

Rows become pairs (one row a user, variant and reason) inside the database, and only sums leave it.
A reason is the number of the rule that dropped the rows, from 1; 0 is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import BLANKS, IMPRESSION_RULES, OUTCOME_RULES, Cleaning
from analytics.logs import LogTable, LogTables, OutcomeLog

Column = sa.ColumnElement[Any]

MISSING, BAD_TIME, OUTSIDE, DUPLICATE, MIXED, BOT = range(1, 1 + len(IMPRESSION_RULES))
ORPHAN, EARLY, LATE, REPEATED, DROPPED = range(DUPLICATE + 1, 1 + len(OUTCOME_RULES))
MET_REASONS = (EARLY, LATE, REPEATED)

SQLITE_TIME = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]*"
"""How SQLAlchemy writes a time into SQLite; it sorts as it runs."""


@dataclass(frozen=True)
class Pairs:
    """User-by-variant sums, as a query part.

    Attributes:
        table: user, variant, reason, (day), first_at, and the sums below; `reason` says why the
            impressions of that row were dropped.
        columns: the quantities.
        dropped: for each outcome log and reason, the number of its rows that were dropped.
    """

    table: sa.CTE
    columns: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """The impressions shown in [start, end), of the selected users where there is such a selection."""

    start: datetime | None
    end: datetime | None
    users: sa.Select[Any] | None = None


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
    """The sums of every (user, variant, reason), rows of broken rules among them.

    Args:
        part: look only at these impressions; right where an id cannot repeat.
    """
    sql = Sql(dialect)
    names = tables.names
    shown = _marked_impressions(sql, tables, cleaning, experiment, part)
    day = [sql.day(shown.c.at).label("day")] if by_day else []
    keys = [shown.c.user, shown.c.variant, shown.c.reason, *day]
    first = [] if names.shown_at is None else [sa.func.min(shown.c.at).label("first_at")]
    clicked = [sa.func.sum(sql.truth(shown.c.clicked)).label("clicks")] if names.clicked else []
    counted = sa.select(*keys, *first, sa.func.count().label("impressions"), *clicked).group_by(*keys)
    columns = ["impressions", *(["clicks"] if names.clicked else [])]
    if not tables.outcomes:
        return Pairs(counted.cte(name), tuple(columns), ())
    hits = _hits(sql, tables, cleaning, shown, by_day=by_day)
    sums, outcome_columns, dropped = _hit_sums(hits, tables)
    met_keys = [hits.c.user, hits.c.variant, *([hits.c.day] if by_day else [])]
    met = sa.select(*met_keys, *sums).group_by(*met_keys).subquery("met_sums")
    found = counted.subquery("counted")
    match = [found.c[key.name] == met.c[key.name] for key in met_keys]
    extra = [sa.func.coalesce(met.c[column], 0).label(column) for column in (*outcome_columns, *dropped)]
    joined = found.outerjoin(met, sa.and_(*match, found.c.reason == 0))
    query = sa.select(*found.c, *extra).select_from(joined)
    return Pairs(query.cte(name), (*columns, *outcome_columns), dropped)


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


def reasons_at_the_edges(
    dialect: str, tables: LogTables, cleaning: Cleaning, experiment: str, start: datetime, end: datetime
) -> list[sa.Select[Any]]:
    """Impressions without a time, or outside of [start, end), by reason: (reason, rows), a query an edge."""
    sql = Sql(dialect)
    shown = _marked_impressions(sql, tables, cleaning, experiment, Part(None, None))
    counted = sa.select(shown.c.reason, sa.func.count()).group_by(shown.c.reason)
    edges = (shown.c.at.is_(None), shown.c.at < sql.time(start), shown.c.at >= sql.time(end))
    return [counted.where(edge) for edge in edges]


def judged_pairs(dialect: str, pairs: Pairs, cleaning: Cleaning) -> sa.Subquery:
    """The pairs with `reason` once the users are judged: seen in several variants, or too busy."""
    sql = Sql(dialect)
    table = pairs.table
    reason: list[tuple[Any, Any]] = [(table.c.reason != 0, table.c.reason)]
    source: sa.FromClause = table
    if cleaning.two_variants != "keep":
        mixed = (
            sa.select(table.c.user)
            .where(table.c.reason == 0)
            .group_by(table.c.user)
            .having(sa.func.count() > 1)
            .cte("mixed")
        )
        if cleaning.two_variants == "first":
            rank = sa.func.row_number().over(
                partition_by=table.c.user, order_by=(table.c.first_at, sql.bytes(table.c.variant))
            )
            ranked = (
                sa.select(table.c.user, table.c.variant, rank.label("rank"))
                .where(table.c.reason == 0, table.c.user.in_(sa.select(mixed.c.user)))
                .subquery("ranked")
            )
            mixed = sa.select(ranked.c.user, ranked.c.variant).where(ranked.c.rank > 1).cte("later")
        match = mixed.c.user == table.c.user
        if cleaning.two_variants == "first":
            match = sa.and_(match, mixed.c.variant == table.c.variant)
        source = table.outerjoin(mixed, match)
        reason.append((mixed.c.user.is_not(None), sa.literal_column(str(MIXED))))
    if cleaning.bot_bound is not None:
        reason.append((table.c.impressions > cleaning.bot_bound, sa.literal_column(str(BOT))))
    others = [column for column in table.c if column.name != "reason"]
    verdict = sa.case(*reason, else_=sa.literal_column("0")).label("reason")
    return sa.select(*others, verdict).select_from(source).subquery("judged")


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
    ids = [table.column(name) for name in (log.event_id, log.impression_id) if name is not None]
    at = table.column(log.at)
    in_time = _time_rules(sql, log.at, at, cleaning, cleaning.outcomes_stop_at)
    query = sa.select(
        table.column(log.event_id).label("event_id"),
        table.column(log.impression_id).label("id"),
        at.label("at"),
        table.column(log.value).label("value"),
        _first_of([(sql.any_blank(ids), MISSING), *in_time]).label("reason"),
    )
    if table.is_unique or log.event_id is None:
        return query.subquery(f"{log.name}_rows")
    rows = query.subquery(f"{log.name}_read")
    rank = sa.func.row_number().over(
        partition_by=rows.c.event_id, order_by=(rows.c.reason != 0, rows.c.at, sql.bytes(rows.c.id))
    )
    return _ranked(rows, rank, cleaning, f"{log.name}_rows")


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
        rows = _marked_outcomes(sql, log, table, cleaning)
        value = rows.c.value if log.value else sa.cast(sa.null(), sa.BigInteger).label("value")
        query = sa.select(
            sa.literal(log.name).label("log"),
            rows.c.id,
            rows.c.event_id,
            rows.c.at,
            value,
            shown.c.user,
            shown.c.variant,
            *([sql.day(shown.c.at).label("day")] if by_day else []),
            _delay_reason(sql, log, tables, cleaning, shown, rows).label("reason"),
        ).select_from(rows.join(shown, sa.and_(shown.c.id == rows.c.id, shown.c.rank == 1)))
        parts.append(query.where(rows.c.reason == 0, shown.c.reason == 0))
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


def _delay_reason(
    sql: Sql, log: OutcomeLog, tables: LogTables, cleaning: Cleaning, shown: sa.Subquery, rows: sa.Subquery
) -> Column:
    if log.at is None or tables.names.shown_at is None:
        return sa.literal_column("0")
    delay = sql.milliseconds(shown.c.at, rows.c.at)
    rules: list[tuple[Column, int]] = []
    if cleaning.early != "keep":
        rules.append((delay < -_ms(cleaning.clock_skew), EARLY))
    if cleaning.late != "keep":
        rules.append((delay > _ms(cleaning.attribution), LATE))
    return _first_of(rules)


def _hit_sums(
    hits: sa.Subquery, tables: LogTables
) -> tuple[list[sa.Label[Any]], tuple[str, ...], tuple[str, ...]]:
    """What counts of each outcome, and how many rows each reason dropped; with the names of both."""
    sums: list[sa.Label[Any]] = []
    columns: list[str] = []
    dropped: list[str] = []
    for log, _ in tables.outcomes:
        is_kept = sa.and_(hits.c.log == log.name, hits.c.reason == 0)
        sums.append(_count(is_kept).label(log.name))
        if log.value:
            sums.append(sa.func.sum(sa.case((is_kept, hits.c.value), else_=0)).label(log.value_name))
        columns += log.columns
        for reason in MET_REASONS:
            name = dropped_name(log.name, reason)
            sums.append(_count(sa.and_(hits.c.log == log.name, hits.c.reason == reason)).label(name))
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


def _count(holds: Column) -> Column:
    return sa.func.sum(sa.case((holds, 1), else_=0))


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


class Sql:
    """What the two dialects say differently about the same thing."""

    def __init__(self, dialect: str) -> None:
        self.is_sqlite = dialect == "sqlite"

    def any_blank(self, ids: Sequence[Column]) -> Column:
        """Null, or nothing but BLANKS; a name that begins above a blank is not looked at twice."""
        return sa.or_(*(self._is_blank(column) for column in ids))

    def _is_blank(self, column: Column) -> Column:
        if isinstance(column.type, sa.Integer | sa.Uuid):
            return column.is_(None)
        text = sa.type_coerce(column, sa.String())
        trim = sa.func.trim if self.is_sqlite else sa.func.btrim
        first = text if self.is_sqlite else text.collate("C")
        return sa.or_(column.is_(None), sa.and_(first < "!", trim(text, BLANKS) == ""))

    def is_no_time(self, at: Column) -> Column:
        if not self.is_sqlite:
            return at.is_(None)
        return sa.or_(at.is_(None), sa.not_(at.bool_op("GLOB")(sa.literal(SQLITE_TIME))))

    def time(self, at: datetime) -> Any:
        """A bound; without a zero fraction, it sorts right beside times with and without one."""
        utc = at.astimezone(UTC)
        return utc.replace(tzinfo=None).isoformat(sep=" ") if self.is_sqlite else utc

    def bytes(self, column: Column) -> Column:
        """Text in the order of its bytes, whatever language the database sorts by."""
        return column if self.is_sqlite or not isinstance(column.type, sa.String) else column.collate("C")

    def day(self, at: Column) -> Column:
        """The ISO date in UTC."""
        if self.is_sqlite:
            return sa.func.substr(at, 1, 10)
        return sa.func.to_char(sa.func.timezone("UTC", at), "YYYY-MM-DD")

    def epoch_ms(self, at: Column) -> Column:
        """Milliseconds since 1970."""
        if self.is_sqlite:
            days = sa.func.julianday(at) - 2_440_587.5
            return sa.cast(sa.func.round(days * 86_400_000.0), sa.BigInteger)
        return sa.cast(sa.func.round(sa.extract("epoch", at) * 1000), sa.BigInteger)

    def milliseconds(self, start: Column, end: Column) -> Column:
        if self.is_sqlite:
            return sa.func.round((sa.func.julianday(end) - sa.func.julianday(start)) * 86_400_000.0)
        return sa.func.round(sa.extract("epoch", end - start) * 1000)

    def truth(self, column: Column) -> Column:
        """1 where a flag is set."""
        is_boolean = isinstance(column.type, sa.Boolean)
        return sa.case((column.is_(True) if is_boolean else column != 0, 1), else_=0)
