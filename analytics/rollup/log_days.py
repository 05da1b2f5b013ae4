"""How many rows each log has on each day: what a refresh goes by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from analytics.definition import DAY
from analytics.rollup.at import RollupAt
from analytics.rollup.spans import WHOLE, Slot, day_slot, day_span, days_between
from analytics.sql.dialect import Sql
from analytics.sql.logs import IMPRESSIONS

Counts = dict[tuple[str, int], int]
"""Rows by log and day; none that are zero."""


@dataclass(frozen=True)
class LogDays(RollupAt):
    """The logs of an experiment, and what its rollup remembers of their counts."""

    def window(self) -> tuple[datetime, datetime]:
        """From the pre-period, or else the first impression, to the stop, or else the last one."""
        definition, at = self.definition, self.logs.impressions.column(self.logs.names.shown_at)
        first = definition.started_at and definition.started_at - definition.pre_period
        return first or self._end_of(at.asc()), definition.stopped_at or self._end_of(at.desc()) + DAY

    def counted(self, known: Counts | None = None) -> Counts:
        """The rows there are on each day of the window.

        Args:
            known: what was counted before: to see that it still holds costs less than counting.
        """
        start, end = self.window()
        counts = {}
        for log, table, at in self._timed():
            until = end if log == IMPRESSIONS else end + self.rules.attribution
            before = {} if known is None or not self._lies_in_order(table, at) else known
            for day in days_between(start, until):
                n = before.get((log, day), 0)
                if not (n and self._holds_still(table, at, day, n)):
                    n = self.count(log, day)
                if n:
                    counts[log, day] = n
        return counts

    def count(self, log: str, day: int) -> int:
        """The rows that a log has on a day."""
        table, at = next((table, at) for name, table, at in self._timed() if name == log)
        return self.n_rows(table, at, day_slot(day))

    def n_rows(self, table: sa.TableClause, at: sa.ColumnElement[Any], slot: Slot) -> int:
        """The rows of a table whose time lies in the slot."""
        query = sa.select(sa.func.count()).select_from(table)
        query = query.where(slot.holds(at, Sql(self.connection.dialect.name)))
        return int(self.connection.scalar(query) or 0)

    def _lies_in_order(self, table: sa.TableClause, at: sa.ColumnElement[Any]) -> bool:
        """Whether SQLite can walk the rows by their time."""
        if self.connection.dialect.name != "sqlite":
            return False
        indexes = sa.inspect(self.connection).get_indexes(table.name, table.schema)
        return any(index["column_names"][:1] == [getattr(at, "name", None)] for index in indexes)

    def _holds_still(self, table: sa.TableClause, at: sa.ColumnElement[Any], day: int, n: int) -> bool:
        """Whether the nth row from the start of the day on is its last."""
        sql, span = Sql(self.connection.dialect.name), day_span(day)
        is_within = at < sql.time(span.end)
        query = sa.select(is_within).select_from(table).where(at >= sql.time(span.start))
        return [*self.connection.scalars(query.order_by(at).limit(2).offset(n - 1))] in (
            [True],
            [True, False],
        )

    def stored(self) -> Counts:
        """The rows there were when each day was folded."""
        return {key: n for key, n in self._stored().items() if key[1] > WHOLE}

    def stored_beside(self) -> Counts:
        """The rows there were beside the days, by the number of their slot."""
        return {key: n for key, n in self._stored().items() if key[1] < WHOLE}

    def _stored(self) -> Counts:
        table = self.tables.log_days
        rows = self.connection.execute(
            sa.select(table.c.log, table.c.day, table.c.raw_rows).where(table.c.rollup_id == self.rollup_id)
        )
        return {(log, day): n for log, day, n in rows}

    def store(self, counts: Mapping[tuple[str, int], int]) -> None:
        """Remember these; what is zero is forgotten."""
        table = self.tables.log_days
        for (log, day), n in counts.items():
            key = {"rollup_id": self.rollup_id, "log": log, "day": day}
            self.connection.execute(
                table.delete().where(*(table.c[name] == value for name, value in key.items()))
            )
            if n:
                self.connection.execute(table.insert(), key | {"raw_rows": n})

    def _timed(self) -> Iterator[tuple[str, sa.TableClause, sa.ColumnElement[Any]]]:
        shown = self.logs.impressions
        yield IMPRESSIONS, shown.table, shown.column(self.logs.names.shown_at)
        for log, found in self.logs.outcomes:
            if log.at is not None:
                yield log.name, found.table, found.column(log.at)

    def _end_of(self, order: sa.ColumnElement[Any]) -> datetime:
        sql, log = Sql(self.connection.dialect.name), self.logs.impressions
        at = log.column(self.logs.names.shown_at)
        query = sa.select(sql.day(at)).where(sa.not_(sql.is_no_time(at))).order_by(order)
        day = self.connection.scalar(query.select_from(log.table).limit(1))
        return datetime.fromisoformat(day or "1970-01-01").replace(tzinfo=UTC)
