"""The funnel of a rollup: how many rows each rule dropped, brought up to date with each span folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from analytics.cleaning import MET_REASONS
from analytics.rollup.at import RollupAt
from analytics.rollup.log_days import LogDays
from analytics.rollup.spans import AFTER, BEFORE, TIMELESS, WHOLE, Slot, Span, slots_between
from analytics.rollup.tables import NOBODY
from analytics.sql.cleaning import Part, broken_reasons, reasons_of_outcomes
from analytics.sql.dialect import Sql, insert_or_update
from analytics.sql.logs import IMPRESSIONS, LogTable, OutcomeLog
from analytics.sql.pairs import dropped_name

EVERYTHING = Slot(WHOLE)


@dataclass(frozen=True)
class RollupFunnel(RollupAt):
    """The dropped rows of a rollup."""

    def count_impressions(self, new: sa.Table, span: Span, n_raw: int | None) -> None:
        """Impressions of the span that broke a rule for single ones, in place of those known of it.

        Args:
            new: the span's rows of the user days; where all `n_raw` rows of the log count, none broke one.
        """
        self._forget(IMPRESSIONS, self._table.c.day == span.key)
        part = span.part(self.rules)
        n_kept = self.connection.scalar(
            sa.select(sa.func.coalesce(sa.func.sum(new.c.impressions), 0)).where(new.c.variant_no != NOBODY)
        )
        if part is None or n_kept == n_raw:
            return
        query = broken_reasons(self._dialect, self.logs, self.rules, self.definition.name, part)
        broken = self.connection.execute(query).all()
        self._add({(IMPRESSIONS, span.key, reason): int(n) for reason, n in broken})

    def count_outcomes(self, new: sa.Table, old: sa.Table, span: Span) -> None:
        """Outcomes that impressions of the span dropped: those of its new rows come, those of its old go."""
        counts: dict[tuple[str, int, int], int] = {}
        for rows, sign in ((new, 1), (old, -1)):
            sums = sa.select(*(sa.func.sum(rows.c[name]) for name in self.tables.dropped))
            sums = sums.where(rows.c.variant_no != NOBODY)
            found = dict(zip(self.tables.dropped, self.connection.execute(sums).one(), strict=True))
            for log, _ in self.logs.outcomes:
                for reason in MET_REASONS:
                    n = int(found[dropped_name(log.name, reason)] or 0)
                    key = (log.name, span.key, reason)
                    counts[key] = counts.get(key, 0) + sign * n
        self._add(counts)

    def count_rest(self, start: datetime, end: datetime) -> None:
        """Rows that belong to no day of the window [start, end), and what outcomes say for themselves.

        What has as many rows as when it was counted last is not counted again.
        """
        began = self.rules.started_at or start
        self._count_edges(Slot(BEFORE, None, began), Slot(AFTER, end, None), Slot(TIMELESS))
        for log, table in self.logs.outcomes:
            if table.is_unique and log.at is not None:
                slots = list(slots_between(start, end + self.rules.attribution))
            else:  # one of two rows of an id is dropped, wherever the other lies
                slots = [EVERYTHING]
            self._count_outcomes_of(log, table, slots)

    def _count_edges(self, *edges: Slot) -> None:
        at = self.logs.impressions.column(self.logs.names.shown_at)
        sizes = self.as_part(LogDays)
        known = sizes.stored_beside()
        for edge in edges:
            n_rows = sizes.n_rows(self.logs.impressions.table, at, edge)
            if known.get((IMPRESSIONS, edge.key), 0) == n_rows and not self._moves(edge):
                continue
            are_meant = partial(edge.holds, sql=Sql(self._dialect))
            query = broken_reasons(
                self._dialect, self.logs, self.rules, self.definition.name, Part(None, None), are_meant
            )
            self._forget(IMPRESSIONS, self._table.c.day == edge.key)
            self._add(
                {(IMPRESSIONS, edge.key, reason): int(n) for reason, n in self.connection.execute(query)}
            )
            sizes.store({(IMPRESSIONS, edge.key): n_rows})

    def _count_outcomes_of(self, log: OutcomeLog, table: LogTable, slots: Sequence[Slot]) -> None:
        day, is_own = self._table.c.day, self._table.c.reason.not_in(MET_REASONS)
        self._forget(log.name, is_own, day.not_in([slot.key for slot in slots]))
        query = sa.select(day, sa.func.sum(self._table.c.n_rows)).group_by(day)
        query = query.where(self._table.c.rollup_id == self.rollup_id, self._table.c.log == log.name, is_own)
        known = {key: int(n) for key, n in self.connection.execute(query)}
        sizes = self.as_part(LogDays)
        for slot in slots:
            if slot is not EVERYTHING and not self._moves(slot):
                n_rows = sizes.n_rows(table.table, table.column(log.at), slot)
                if n_rows == known.get(slot.key, 0):
                    continue
            are_meant = None if slot is EVERYTHING else partial(slot.holds, sql=Sql(self._dialect))
            reasons = reasons_of_outcomes(self._dialect, log, table, self.rules, are_meant)
            self._forget(log.name, is_own, day == slot.key)
            self._add(
                {(log.name, slot.key, reason): int(n) for reason, n in self.connection.execute(reasons)}
            )

    def _moves(self, slot: Slot) -> bool:
        """Whether it begins or ends where the log does, so that other rows may be as many."""
        bounds = {BEFORE: self.definition.started_at, AFTER: self.definition.stopped_at}
        return slot.key in bounds and bounds[slot.key] is None

    def _forget(self, log: str, *conditions: sa.ColumnElement[bool]) -> None:
        mine = (self._table.c.rollup_id == self.rollup_id, self._table.c.log == log)
        self.connection.execute(self._table.delete().where(*mine, *conditions))

    @property
    def _table(self) -> sa.Table:
        return self.tables.dropped_rows

    @property
    def _dialect(self) -> str:
        return self.connection.dialect.name

    def _add(self, counts: Mapping[tuple[str, int, int], int]) -> None:
        """Adds rows by log, day and reason; what comes to none is not kept."""
        table = self._table
        for (log, day, reason), n in counts.items():
            key = {"rollup_id": self.rollup_id, "log": log, "day": day, "reason": reason}
            statement = insert_or_update(self._dialect, table).values(**key, n_rows=n)
            added = {"n_rows": table.c.n_rows + statement.excluded.n_rows}
            if n:
                self.connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=added))
        empty = sa.and_(table.c.rollup_id == self.rollup_id, table.c.n_rows == 0)
        self.connection.execute(table.delete().where(empty))
