"""What the logs say of a span of time, put in the place of what a rollup said of it; `rollup` says why that
is exact."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.rollup.at import RollupAt
from analytics.rollup.funnel import RollupFunnel
from analytics.rollup.numbering import Numbering
from analytics.rollup.spans import WHOLE, Span, day_span
from analytics.rollup.tables import (
    FIRST,
    LATER,
    NOBODY,
    PLACED,
    SOLE,
    TOUCHED,
    UNPLACED,
    scratch,
)
from analytics.sql.dialect import Sql, insert_or_update
from analytics.sql.logs import LogTables
from analytics.sql.pairs import pairs_of_log
from analytics.sql.raw import before_start, without_variants

SORTING, WRITING = 4_000, 64_000
"""Kilobytes that SQLite may use: to sort, runs of the size of a processor's cache are quickest and may be
sorted in threads beside; to write, a day touches most pages of the user days, and within 2 MB each would be
read again and again."""

UNPLACED_SQL: sa.ColumnElement[Any] = sa.literal_column(str(UNPLACED))


@contextmanager
def temporary(connection: sa.Connection, table: sa.Table) -> Iterator[None]:
    """A table that this connection alone sees, for as long as the block lasts."""
    connection.execute(sa.schema.DropTable(table, if_exists=True))
    table.create(connection, checkfirst=False)
    yield
    table.drop(connection, checkfirst=False)


@dataclass(frozen=True)
class Folding(RollupAt):
    """The rows of a rollup, in one transaction."""

    def fold(self, span: Span, n_raw: int | None, *, has_old: bool) -> None:
        """Replace the rows of a span by what the logs say now.

        Args:
            n_raw: rows of the log of impressions in the span, where that is known.
            has_old: whether the rollup may have rows of the span.
        """
        self._replace(span, None, n_raw, has_old=has_old)

    def fold_touched(self, changed: Collection[tuple[str, int]], days: Collection[int]) -> None:
        """The same for the users, on these days, to whose impressions the outcomes of changed days belong.

        Args:
            changed: (log, day) of outcomes.
        """
        if not changed or not days:
            return
        with temporary(self.connection, TOUCHED):
            for day in self._touch(changed, days):
                users = sa.select(TOUCHED.c.user_id).where(TOUCHED.c.day == day)
                self._replace(day_span(day), users, None, has_old=True)

    def tidy(self) -> None:
        """What users did before the start, and the place of each variant among those its user saw."""
        days, totals = self.tables.user_days, self.tables.user_totals
        mine = self.is_mine(totals)
        before = sa.and_(
            self.is_mine(days),
            days.c.user_no == totals.c.user_no,
            days.c.variant_no == NOBODY,
        )
        sums = {
            f"pre_{name}": sa.func.coalesce(
                sa.select(sa.func.sum(days.c[name])).where(before).scalar_subquery(), 0
            )
            for name in self.tables.quantities
        }
        self.connection.execute(totals.update().where(mine, totals.c.pre_impressions.is_(None)).values(sums))
        if self.connection.dialect.name == "sqlite":
            self._place_alone(mine)
        if self.connection.scalar(
            sa.select(totals.c.place).where(mine, totals.c.place == UNPLACED_SQL).limit(1)
        ):
            with temporary(self.connection, PLACED):
                self._place(mine)

    def _place_alone(self, mine: sa.ColumnElement[bool]) -> None:
        """Find who saw one variant, as nearly everybody does: SQLite would sort them, to find the others.

        PostgreSQL would not, and until it has statistics it would compare each row with each here.
        """
        totals = self.tables.user_totals
        other = totals.alias("other")
        saw_another = sa.exists().where(
            self.is_mine(other),
            other.c.variant_no.in_(self._variants()),
            other.c.user_no == totals.c.user_no,
            other.c.variant_no != totals.c.variant_no,
        )
        unplaced = sa.and_(mine, totals.c.place == UNPLACED_SQL)
        self.connection.execute(totals.update().where(unplaced, sa.not_(saw_another)).values(place=SOLE))

    def _place(self, mine: sa.ColumnElement[bool]) -> None:
        """Find the places of all variants of users of whom one is unplaced."""
        totals = self.tables.user_totals
        concerned = sa.select(totals.c.user_no).where(mine, totals.c.place == UNPLACED_SQL)
        by_name = sa.case(self.as_part(Numbering).ranks_by_name(), value=totals.c.variant_no)
        order = (totals.c.first_ms, by_name)
        rank = sa.func.row_number().over(partition_by=totals.c.user_no, order_by=order)
        n_variants = sa.func.count().over(partition_by=totals.c.user_no)
        place = sa.case((n_variants == 1, SOLE), (rank == 1, FIRST), else_=LATER)
        found = sa.select(totals.c.variant_no, totals.c.user_no, place)
        found = found.where(mine, totals.c.user_no.in_(concerned))
        self.connection.execute(PLACED.insert().from_select(["variant_no", "user_no", "place"], found))
        same = [totals.c[key] == PLACED.c[key] for key in ("variant_no", "user_no")]
        self.connection.execute(totals.update().where(mine, *same).values(place=PLACED.c.place))

    def _replace(self, span: Span, users: sa.Select[Any] | None, n_raw: int | None, *, has_old: bool) -> None:
        """A new row reaches the user days in the order in which it was made, which is that of their key."""
        if self.connection.dialect.name == "sqlite":
            self.connection.exec_driver_sql(f"PRAGMA temp.cache_size = -{WRITING}")
            self.connection.exec_driver_sql("PRAGMA threads = 2")
        new, old = scratch(self.tables, "new"), scratch(self.tables, "old")
        with temporary(self.connection, new), temporary(self.connection, old):
            self._fill(new, span, users)
            if has_old:
                self._take_out(old, span, users)
            if users is None:
                self.funnel.count_impressions(new, span, n_raw)
            self.funnel.count_outcomes(new, old, span)
            self._put_in(new, span)
            if has_old:
                self._find_first_again(new, old)
                self.as_part(Numbering).drop_unused(old)

    def _touch(self, changed: Collection[tuple[str, int]], days: Collection[int]) -> list[int]:
        """Notes whose impressions of which of the days the outcomes of the changed days point to."""
        sql, names = Sql(self.connection.dialect.name), self.logs.names
        shown = self.logs.impressions
        shown_at = shown.column(names.shown_at)
        day_of = sql.day_number(sql.day(shown_at))
        for log, found in self.logs.outcomes:
            met = shown.column(names.impression_id) == found.column(log.impression_id)
            for day in sorted(day for name, day in changed if name == log.name):
                span = day_span(day)
                at = found.column(log.at)
                query = (
                    sa.select(shown.column(names.user), day_of)
                    .distinct()
                    .select_from(found.table.join(shown.table, met))
                    .where(at >= sql.time(span.start), at < sql.time(span.end))
                    .where(shown.column(names.user).is_not(None), sa.not_(sql.is_no_time(shown_at)))
                    .where(day_of.in_(sorted(days)))
                )
                self.connection.execute(TOUCHED.insert().from_select(["user_id", "day"], query))
        return sorted(self.connection.scalars(sa.select(TOUCHED.c.day).distinct()))

    def _reserve(self, kilobytes: int) -> None:
        """The memory that SQLite may use for pages, and for a sort before it begins another run."""
        if self.connection.dialect.name == "sqlite":
            self.connection.exec_driver_sql(f"PRAGMA cache_size = -{kilobytes}")

    @contextmanager
    def _comparing_by_hash(self) -> Iterator[None]:
        """PostgreSQL takes the sums of a part for few, and would compare each with each."""
        is_postgresql = self.connection.dialect.name == "postgresql"
        if is_postgresql:
            self.connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
        yield
        if is_postgresql:
            self.connection.exec_driver_sql("SET LOCAL enable_nestloop TO DEFAULT")

    def _put_in(self, new: sa.Table, span: Span) -> None:
        days = self.tables.user_days
        names = [c.name for c in days.c if c.name != "rollup_id"]
        kept = sa.select(self.id_column, *(new.c[name] for name in names))
        self.connection.execute(days.insert().from_select(["rollup_id", *names], kept))
        self._add_to_totals(new, 1, span)

    @property
    def funnel(self) -> RollupFunnel:
        """The funnel of the same rollup."""
        return self.as_part(RollupFunnel)

    def _fill(self, new: sa.Table, span: Span, users: sa.Select[Any] | None) -> None:
        named = scratch(self.tables, "named", is_named=True)
        with temporary(self.connection, named):
            self._reserve(WRITING if span.key == WHOLE else SORTING)
            with self._comparing_by_hash():
                self._sum_up(named, span, users)
            self._reserve(WRITING)
            self.as_part(Numbering).number(named, new)

    def _sum_up(self, named: sa.Table, span: Span, users: sa.Select[Any] | None) -> None:
        """The pairs of the pre-period and of the experiment that lie in the span."""
        dialect, definition, rules = self.connection.dialect.name, self.definition, self.rules
        phases: list[tuple[LogTables, Cleaning, str | None]] = [(self.logs, rules, definition.name)]
        if definition.started_at is not None and definition.pre_period:
            before = before_start(rules, definition.pre_period)
            phases.append((without_variants(self.logs), before, None))
        for logs, cleaning, experiment in phases:
            part = span.part(cleaning, users)
            if part is not None:
                pairs = pairs_of_log(dialect, logs, cleaning, experiment, by_day=span.key == WHOLE, part=part)
                names = [c.name for c in named.c]
                made = self._made(pairs.table, span)
                query = sa.select(*(made[name] if name in made else pairs.table.c[name] for name in names))
                query = query.where(pairs.counts)
                self.connection.execute(named.insert().from_select(names, query))

    def _made(self, pairs: sa.CTE | sa.Subquery, span: Span) -> dict[str, sa.ColumnElement[Any]]:
        """Columns that the rollup keeps in another form: a day and a moment as whole numbers."""
        sql = Sql(self.connection.dialect.name)
        day: sa.ColumnElement[Any] = sa.literal(span.key, sa.Integer)
        if span.key == WHOLE:
            day = sql.day_number(pairs.c.day)
        return {"user_id": pairs.c.user, "day": day, "first_ms": sql.epoch_ms(pairs.c.first_at)}

    def _take_out(self, old: sa.Table, span: Span, users: sa.Select[Any] | None) -> None:
        days = self.tables.user_days
        here = sa.and_(self.is_mine(days), days.c.day == span.key)
        if users is not None:
            numbers = self.tables.user_numbers
            theirs = sa.select(numbers.c.user_no).where(self.is_mine(numbers), numbers.c.user_id.in_(users))
            here = sa.and_(here, days.c.user_no.in_(theirs))
        names = [c.name for c in old.c]
        query = sa.select(*(days.c[name] for name in names)).where(here)
        self.connection.execute(old.insert().from_select(names, query))
        self.connection.execute(days.delete().where(here))
        self._add_to_totals(old, -1, span)

    def _reaches_before(self, span: Span) -> bool:
        """Whether a span may hold what users did before the start."""
        started_at = self.definition.started_at
        return started_at is not None and (span.key == WHOLE or span.start < started_at)

    def _add_to_totals(self, rows: sa.Table, sign: int, span: Span) -> None:
        """Adds the rows to their users' totals, or takes them away; what they did before has to be found."""
        has_many_days = span.key == WHOLE
        totals, quantities = self.tables.user_totals, self.tables.quantities
        numbers: list[sa.ColumnElement[Any]] = [rows.c[name] * sign for name in quantities]
        first_ms: sa.ColumnElement[Any] = rows.c.first_ms
        keys = (rows.c.variant_no, rows.c.user_no)
        if has_many_days:  # within a day a user has one row a variant already
            numbers, first_ms = [sa.func.sum(number) for number in numbers], sa.func.min(first_ms)
        query = sa.select(self.id_column, *keys, *numbers, first_ms, UNPLACED_SQL)
        query = query.where(rows.c.variant_no != NOBODY).group_by(*(keys if has_many_days else ()))
        dialect = self.connection.dialect.name
        key = ["rollup_id", "variant_no", "user_no"]
        names = [*key, *quantities, "first_ms", "place"]
        statement = insert_or_update(dialect, totals).from_select(names, query)
        smaller = sa.func.least if dialect == "postgresql" else sa.func.min
        added = {name: totals.c[name] + statement.excluded[name] for name in quantities}
        first = {"first_ms": smaller(totals.c.first_ms, statement.excluded.first_ms)}
        is_earlier = statement.excluded.first_ms < totals.c.first_ms
        place = {"place": sa.case((is_earlier, UNPLACED_SQL), else_=totals.c.place)}
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=key, set_={**added, **first, **place})
        )
        if not self._reaches_before(span):
            return
        before = sa.select(rows.c.user_no).where(rows.c.variant_no == NOBODY)
        self.connection.execute(
            totals.update()
            .where(self.is_mine(totals), totals.c.user_no.in_(before))
            .values({f"pre_{name}": None for name in quantities})
        )

    def _find_first_again(self, *tables: sa.Table) -> None:
        """Rows were taken away, so the first moment may have been among them."""
        days, totals = self.tables.user_days, self.tables.user_totals
        keys = ("rollup_id", "user_no", "variant_no")
        first = sa.select(sa.func.min(days.c.first_ms)).where(*(days.c[k] == totals.c[k] for k in keys))
        users = sa.union(*(sa.select(table.c.user_no) for table in tables))
        theirs = sa.and_(
            self.is_mine(totals),
            totals.c.variant_no.in_(self._variants()),  # with it the key finds these users among all
            totals.c.user_no.in_(users),
        )
        self.connection.execute(totals.delete().where(theirs, totals.c.impressions == 0))
        self.connection.execute(
            totals.update().where(theirs).values(first_ms=first.scalar_subquery(), place=UNPLACED_SQL)
        )

    def _variants(self) -> Sequence[int]:
        """Those that anybody ever saw."""
        return [number for number in self.as_part(Numbering).variants().values() if number != NOBODY]
