"""From one row a user to moments by variant and segment, inside the database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import sqlalchemy as sa

from analytics.derived import Derived
from analytics.errors import InsufficientData, MissingColumns
from analytics.inference.winsor import order_rank
from analytics.question import UNKNOWN, Group, Question
from analytics.sums import Moments, pairs_of
from analytics.units import Units


@dataclass(frozen=True)
class UserRows:
    """A query part with one row a user and variant.

    Attributes:
        table: user, variant, reason (0 where the user counts), and columns.
        columns: the quantities among its columns.
        counters: columns to sum by reason, for the funnel.
        lookups: further query parts with one row a `user`, whose other columns may be asked for too.
        units: quantities kept as whole numbers of so many to one.
        has_no_null: whether the quantities of the table are whole, wide and never null.
        is_stored: whether they lie in a table in the order of their variants; then they need no sort.
        variants: the names of variants that the table knows by number; none where it has the names.
    """

    table: sa.FromClause
    columns: tuple[str, ...]
    counters: tuple[str, ...]
    lookups: tuple[sa.FromClause, ...] = ()
    units: Mapping[str, int] = field(default_factory=dict)
    has_no_null: bool = False
    is_stored: bool = False
    variants: Mapping[int, str] = field(default_factory=dict)

    def quantity(self, name: str) -> sa.ColumnElement[Any]:
        """A number per user, plain or derived, that may be multiplied."""
        derived = None if name in self.columns else Derived.parse(name)
        if derived is None:
            return self._plain(name)
        value = self._plain(derived.column)
        if derived.bound is None:
            return sa.case((value > 0, 1), else_=0)
        return sa.case((value > derived.bound, derived.bound), else_=value)

    def _plain(self, name: str) -> sa.ColumnElement[Any]:
        """No null, and wide enough for the square of an integer."""
        found = self.table.c[name] if name in self.columns else self._looked_up(name)
        if name in self.columns and self.units.get(name, 1) != 1:
            found = sa.cast(found, sa.Double) / float(self.units[name])
        if name in self.columns and self.has_no_null:
            return found
        wide = sa.cast(found, sa.BigInteger) if isinstance(found.type, sa.Integer) else found
        return sa.func.coalesce(wide, 0)

    def segment(self, name: str) -> sa.ColumnElement[Any]:
        """Its value as text; UNKNOWN where there is none."""
        return sa.func.coalesce(sa.cast(self._looked_up(name), sa.String), UNKNOWN)

    def _looked_up(self, name: str) -> sa.ColumnElement[Any]:
        for lookup in self.lookups:
            if name in lookup.c and name != "user":
                return lookup.c[name]
        known = {*self.columns, *(c.name for lookup in self.lookups for c in lookup.c if c.name != "user")}
        raise MissingColumns("the log", [name], known)


@dataclass(frozen=True)
class Grouped:
    """What one statement brought.

    Attributes:
        moments: by group, of the users that count.
        by_reason: reason -> `users` and every counter.
    """

    moments: Mapping[Group, Moments]
    by_reason: Mapping[int, Mapping[str, int]]


def read_grouped(connection: sa.Connection, rows: UserRows, question: Question) -> Grouped:
    """Moments by variant and segment, and the counters by reason, in one pass (two where rows are stored).

    Raises:
        MissingColumns: a quantity or a segment that neither the rows nor a lookup has.
    """
    table = rows.table
    query = _grouped(rows, question)
    if not rows.is_stored:
        return _read(
            connection.execute(query.add_columns(table.c.reason).group_by(table.c.reason)), rows, question
        )
    kept = query.add_columns(sa.literal_column("0")).where(table.c.reason == 0)
    found = _read(connection.execute(kept), rows, question)
    others = sa.select(
        table.c.reason, sa.func.count(), *(sa.func.sum(table.c[name]) for name in rows.counters)
    )
    others = others.where(table.c.reason != 0).group_by(table.c.reason)
    names = ("users", *rows.counters)
    by_reason = {
        int(row[0]): dict(zip(names, map(int, row[1:]), strict=True)) for row in connection.execute(others)
    }
    return Grouped(found.moments, {**found.by_reason, **by_reason})


def value_at(connection: sa.Connection, rows: UserRows, name: str, level: float) -> float:
    """The value that the share `level` of the users who count stays at or below, all variants together.

    Raises:
        InsufficientData: nobody counts, or the value is not finite.
    """
    value = rows.quantity(name)
    kept = sa.select(value).select_from(with_lookups(rows)).where(rows.table.c.reason == 0)
    n_users = connection.scalar(sa.select(sa.func.count()).select_from(kept.subquery("kept")))
    rank = order_rank(int(n_users or 0), level)
    found = float(connection.scalar(kept.order_by(value).limit(1).offset(rank)) or 0)
    if not math.isfinite(found):
        raise InsufficientData("a value is not a finite number")
    return found


def read_units(connection: sa.Connection, rows: UserRows, names: Sequence[str]) -> Units:
    """One row a user who counts, for what sums cannot tell, such as splitting the users anew."""
    columns = [rows.quantity(name) for name in names]
    query = sa.select(rows.table.c.user, rows.table.c.variant, *columns).select_from(with_lookups(rows))
    found = connection.execute(query.where(rows.table.c.reason == 0)).all()
    user, variant, *values = zip(*found, strict=True) if found else ((),) * (2 + len(names))
    arrays = {name: np.array(list(map(number, column))) for name, column in zip(names, values, strict=True)}
    return Units(np.array(user, dtype=str), np.array(variant, dtype=str), arrays)


def with_lookups(rows: UserRows) -> sa.FromClause:
    """The rows beside everything else that is known of their users."""
    source = rows.table
    for lookup in rows.lookups:
        source = source.outerjoin(lookup, lookup.c.user == rows.table.c.user)
    return source


def _grouped(rows: UserRows, question: Question) -> sa.Select[Any]:
    """Variant, segments, users, counters, totals and products."""
    values = {name: rows.quantity(name) for name in question.columns}
    segments = [rows.segment(name).label(f"segment_{i}") for i, name in enumerate(question.segments)]
    keys = [rows.table.c.variant, *segments]
    query = sa.select(
        *keys,
        sa.func.count(),
        *(sa.func.sum(rows.table.c[name]) for name in rows.counters),
        *(sa.func.sum(value) for value in values.values()),
        *(sa.func.sum(values[a] * values[b]) for a, b in pairs_of(values)),
    )
    return query.select_from(with_lookups(rows)).group_by(*keys)


def _read(answer: Iterable[Sequence[Any]], rows: UserRows, question: Question) -> Grouped:
    """Rows of `_grouped`, each with its reason at the end."""
    moments: dict[Group, Moments] = {}
    by_reason: dict[int, dict[str, int]] = {}
    first_count = 1 + len(question.segments)
    first_value = first_count + 1 + len(rows.counters)
    for variant, *numbers, reason in answer:
        row = (variant, *numbers)
        counts = by_reason.setdefault(int(reason), dict.fromkeys(("users", *rows.counters), 0))
        for name, n in zip(counts, row[first_count:first_value], strict=True):
            counts[name] += int(n or 0)
        if reason == 0:
            name = rows.variants[variant] if rows.variants else str(variant)
            group = Group(name, tuple(map(str, row[1:first_count])))
            moments[group] = _moments(question.columns, row[first_count], row[first_value:])
    return Grouped(dict(sorted(moments.items())), by_reason)


def _moments(names: tuple[str, ...], n: int, numbers: Sequence[Any]) -> Moments:
    found = [number(value) for value in numbers]
    totals = dict(zip(names, found, strict=False))
    return Moments(int(n), totals, dict(zip(pairs_of(names), found[len(totals) :], strict=True)))


def number(value: Any) -> float:
    """A Python number; an exact decimal without a fraction becomes an integer again."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, int) else float(value or 0)
