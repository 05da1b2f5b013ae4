"""Stretches of time that a rollup folds at once, by number: mostly days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.definition import DAY
from analytics.sql.cleaning import Part
from analytics.sql.dialect import Sql

WHOLE, BEFORE, AFTER, TIMELESS = 0, -1, -2, -3
"""Days that are none: all of them at once; rows before and after all of them; rows without a time."""


@dataclass(frozen=True)
class Span:
    """A stretch of time, [start, end), under the number by which its rows are known."""

    key: int
    start: datetime
    end: datetime

    def part(self, rules: Cleaning, users: sa.Select[Any] | None = None) -> Part | None:
        """The impressions of the span within the window of the rules, or None without any."""
        start = max(self.start, rules.started_at or self.start)
        end = min(self.end, rules.stopped_at or self.end)
        return Part(start, end, users, is_small=self.key != WHOLE) if start < end else None


@dataclass(frozen=True)
class Slot:
    """Some rows of a log by their time: in [start, end), either bound left out, or without one."""

    key: int
    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: sa.ColumnElement[Any], sql: Sql) -> sa.ColumnElement[bool]:
        """Whether a row of that time is one of them."""
        if self.key == TIMELESS:
            return at.is_(None)
        bounds = ((at.__ge__, self.start), (at.__lt__, self.end))
        return sa.and_(*(compare(sql.time(bound)) for compare, bound in bounds if bound is not None))


def slots_between(start: datetime, end: datetime) -> Iterator[Slot]:
    """Every row of a log lies in one of these: the days that [start, end) touches, and the rest."""
    days = [day_slot(day) for day in days_between(start, end)]
    yield from days
    yield Slot(BEFORE, None, days[0].start if days else start)
    yield Slot(AFTER, days[-1].end if days else start, None)
    yield Slot(TIMELESS)


def day_slot(number: int) -> Slot:
    """The rows of the day in UTC of that number."""
    span = day_span(number)
    return Slot(span.key, span.start, span.end)


def day_number(at: datetime) -> int:
    """The number of a moment's day in UTC, as `date.toordinal` counts them: they can be subtracted."""
    return at.astimezone(UTC).toordinal()


def iso_day(number: int) -> str:
    """2030-01-31 for its number."""
    return date.fromordinal(number).isoformat()


def day_span(number: int) -> Span:
    """The day in UTC of that number."""
    start = datetime.fromordinal(number).replace(tzinfo=UTC)
    return Span(number, start, start + DAY)


def days_between(start: datetime, end: datetime) -> list[int]:
    """The numbers of the days that [start, end) touches."""
    first = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [day_number(first + n * DAY) for n in range(-(-(end - first) // DAY))]
