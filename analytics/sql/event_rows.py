"""The single impressions of a database's raw logs, for quantiles: what sums cannot answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.errors import InvalidRows, MissingColumns
from analytics.event_values import EventValues
from analytics.question import Group, Question
from analytics.sql.cleaning import marked_impressions
from analytics.sql.dialect import Sql
from analytics.sql.grouped import UserRows, number, with_lookups
from analytics.sql.logs import LogTables

ROWS_AT_ONCE = 100_000


def read_event_values(
    connection: sa.Connection,
    tables: LogTables,
    rows: UserRows,
    question: Question,
    cleaning: Cleaning,
    experiment: str | None,
) -> dict[Group, dict[str, EventValues]]:
    """The values of the impressions that count, of the users who count, by variant and segment.

    Every such impression leaves the database: a number and an id each.

    Args:
        rows: the users of the log, judged.
    Raises:
        MissingColumns: the impressions have no such column.
        InvalidRows: a value is no number.
    """
    source = f"{tables.names.impressions} in {connection.engine.url.database}"
    known = {column.name for column in tables.impressions.table.c}
    missing = [name for name in question.events if name not in known]
    if missing:
        raise MissingColumns(source, missing, known)
    query = _query(connection.dialect.name, tables, rows, question, cleaning, experiment)
    found = _Found(len(question.segments))
    answer = connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})
    for part in answer.partitions():
        found.add(part)
    return found.by_group(question.events, source)


def _query(
    dialect: str,
    tables: LogTables,
    rows: UserRows,
    question: Question,
    cleaning: Cleaning,
    experiment: str | None,
) -> sa.Select[Any]:
    """User, variant, segments and values; one row an impression."""
    shown = marked_impressions(
        Sql(dialect),
        tables,
        cleaning,
        experiment,
        keys_are_known=tables.impressions.is_unique,
        values=question.events,
    )
    judged = rows.table
    is_theirs = sa.and_(shown.c.user == judged.c.user, shown.c.variant == judged.c.variant)
    query = sa.select(
        judged.c.user,
        judged.c.variant,
        *(rows.segment(name).label(f"segment_{i}") for i, name in enumerate(question.segments)),
        *(shown.c[f"value_{i}"] for i in range(len(question.events))),
    )
    query = query.select_from(with_lookups(rows).join(shown, is_theirs))
    return query.where(judged.c.reason == 0, shown.c.reason == 0)


@dataclass
class _Found:
    """The rows so far: each unit's group, and of each impression the unit and the values."""

    n_segments: int
    units: dict[tuple[str, str], int] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    places: list[np.ndarray[Any, np.dtype[np.intp]]] = field(default_factory=list)
    values: list[list[Sequence[Any]]] = field(default_factory=list)

    def add(self, part: Sequence[Sequence[Any]]) -> None:
        first_value = 2 + self.n_segments
        place = []
        for user, variant, *segments in (row[:first_value] for row in part):
            unit = self.units.setdefault((user, variant), len(self.units))
            if unit == len(self.groups):
                self.groups.append(Group(str(variant), tuple(map(str, segments))))
            place.append(unit)
        self.places.append(np.array(place, np.intp))
        self.values.append(list(zip(*(row[first_value:] for row in part), strict=True)))

    def by_group(self, names: Sequence[str], source: str) -> dict[Group, dict[str, EventValues]]:
        if not self.groups:
            return {}
        place = np.concatenate(self.places)
        events = {
            name: EventValues(_numbers([v for part in self.values for v in part[i]], name, source), place)
            for i, name in enumerate(names)
        }
        members: dict[Group, list[int]] = {}
        for unit, group in enumerate(self.groups):
            members.setdefault(group, []).append(unit)
        return {
            group: {name: one.of_users(np.array(units)) for name, one in events.items()}
            for group, units in members.items()
        }


def _numbers(values: Sequence[Any], name: str, source: str) -> np.ndarray[Any, np.dtype[Any]]:
    n_bad = sum(not isinstance(value, int | float | Decimal) or value != value for value in values)
    if n_bad:
        raise InvalidRows(
            source, n_bad, f"with a {name!r} that is not a number", "correct them or leave them out"
        )
    return np.array(list(map(number, values)))
