"""The funnel of a rollup: how many rows each rule dropped, brought up to date with each span folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from analytics.cleaning_sql import MET_REASONS, broken_reasons, outcome_reasons, reasons_at_the_edges
from analytics.dialect import insert_or_update
from analytics.logs import IMPRESSIONS
from analytics.pairs_sql import dropped_name
from analytics.rollup.at import RollupAt
from analytics.rollup.spans import EDGES, Span
from analytics.rollup.tables import NOBODY


@dataclass(frozen=True)
class RollupFunnel(RollupAt):
    """The dropped rows of a rollup."""

    def count_impressions(self, new: sa.Table, span: Span, n_raw: int | None) -> None:
        """Impressions of the span that broke a rule for single ones, in place of those known of it.

        Args:
            new: the span's rows of the user days; where all `n_raw` rows of the log count, none broke one.
        """
        table = self.tables.dropped_rows
        here = (table.c.rollup_id == self.rollup_id, table.c.log == IMPRESSIONS, table.c.day == span.key)
        self.connection.execute(table.delete().where(*here))
        part = span.part(self.rules)
        n_kept = self.connection.scalar(
            sa.select(sa.func.coalesce(sa.func.sum(new.c.impressions), 0)).where(new.c.variant != NOBODY)
        )
        if part is None or n_kept == n_raw:
            return
        query = broken_reasons(
            self.connection.dialect.name, self.logs, self.rules, self.definition.name, part
        )
        broken = self.connection.execute(query).all()
        self._add({(IMPRESSIONS, span.key, reason): int(n) for reason, n in broken})

    def count_outcomes(self, new: sa.Table, old: sa.Table, span: Span) -> None:
        """Outcomes that impressions of the span dropped: those of its new rows come, those of its old go."""
        counts: dict[tuple[str, int, int], int] = {}
        for rows, sign in ((new, 1), (old, -1)):
            sums = sa.select(*(sa.func.sum(rows.c[name]) for name in self.tables.dropped))
            sums = sums.where(rows.c.variant != NOBODY)
            found = dict(zip(self.tables.dropped, self.connection.execute(sums).one(), strict=True))
            for log, _ in self.logs.outcomes:
                for reason in MET_REASONS:
                    n = int(found[dropped_name(log.name, reason)] or 0)
                    key = (log.name, span.key, reason)
                    counts[key] = counts.get(key, 0) + sign * n
        self._add(counts)

    def count_edges(self, start: datetime, end: datetime) -> None:
        """Rows that belong to no day of the window [start, end), and what outcomes say for themselves."""
        table, dialect = self.tables.dropped_rows, self.connection.dialect.name
        edge = (table.c.rollup_id == self.rollup_id, table.c.day == EDGES)
        self.connection.execute(table.delete().where(*edge))
        counts: dict[tuple[str, int, int], int] = {}
        edges = self.rules.started_at or start, end
        for query in reasons_at_the_edges(dialect, self.logs, self.rules, self.definition.name, *edges):
            for reason, n in self.connection.execute(query):
                counts[IMPRESSIONS, EDGES, reason] = counts.get((IMPRESSIONS, EDGES, reason), 0) + n
        own = outcome_reasons(dialect, self.logs, self.rules)
        for log, reason, n in [] if own is None else self.connection.execute(own):
            counts[log, EDGES, reason] = n
        self._add(counts)

    def _add(self, counts: Mapping[tuple[str, int, int], int]) -> None:
        """Adds rows by log, day and reason; what comes to none is not kept."""
        table = self.tables.dropped_rows
        for (log, day, reason), n in counts.items():
            key = {"rollup_id": self.rollup_id, "log": log, "day": day, "reason": reason}
            statement = insert_or_update(self.connection.dialect.name, table).values(**key, n_rows=n)
            added = {"n_rows": table.c.n_rows + statement.excluded.n_rows}
            if n:
                self.connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=added))
        empty = sa.and_(table.c.rollup_id == self.rollup_id, table.c.n_rows == 0)
        self.connection.execute(table.delete().where(empty))
