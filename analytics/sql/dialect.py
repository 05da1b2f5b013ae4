"""What SQLite and PostgreSQL say differently about the same thing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.exc import DBAPIError

from analytics.cleaning import BLANKS

Column = sa.ColumnElement[Any]
Rows = dict[str, Column]
"""The columns of rows, by name."""

SQLITE_TIME = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]*"
"""How SQLAlchemy writes a time into SQLite; it sorts as it runs."""

MICROSECOND = timedelta(microseconds=1)
HALF_A_MILLISECOND = timedelta(microseconds=500)


class Sql:
    """Parts of a statement in one of the two dialects."""

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

    def days_since(self, day: Column, first: str) -> Column:
        """Whole days from the ISO date `first` to the ISO date of a column."""
        if self.is_sqlite:
            return sa.cast(sa.func.julianday(day) - sa.func.julianday(first), sa.BigInteger)
        return sa.cast(sa.cast(day, sa.Date) - sa.cast(first, sa.Date), sa.BigInteger)

    def day_number(self, day: Column) -> Column:
        """The number of an ISO date as `date.toordinal` counts them."""
        return self.days_since(day, "0001-01-01") + 1

    def epoch_ms(self, at: Column) -> Column:
        """Milliseconds since 1970."""
        if self.is_sqlite:
            days = sa.func.julianday(at) - 2_440_587.5
            return sa.cast(sa.func.round(days * 86_400_000.0), sa.BigInteger)
        return sa.cast(sa.func.round(sa.extract("epoch", at) * 1000), sa.BigInteger)

    def is_before(self, at: Column, other: Column, duration: timedelta) -> Column:
        """More than so long before the other moment, both to the millisecond."""
        if self.is_sqlite:
            return self._milliseconds(other, at) < -_ms(duration)
        return at <= other - _interval(duration + HALF_A_MILLISECOND)

    def is_after(self, at: Column, other: Column, duration: timedelta) -> Column:
        """More than so long after the other moment, both to the millisecond."""
        if self.is_sqlite:
            return self._milliseconds(other, at) > _ms(duration)
        return at >= other + _interval(duration + HALF_A_MILLISECOND)

    def _milliseconds(self, start: Column, end: Column) -> Column:
        return sa.func.round((sa.func.julianday(end) - sa.func.julianday(start)) * 86_400_000.0)

    def n_before(self, group: sa.FromClause, other: Column, duration: timedelta) -> Column:
        """How many of the gathered moments `at` are more than so long before the other one.

        In PostgreSQL without a subquery, which would keep a statement on one core.
        """
        if self.is_sqlite:
            return self._n_of(group, lambda at: self.is_before(at, other, duration))
        return sa.func.width_bucket(other - _interval(duration + HALF_A_MILLISECOND), group.c.gathered_at)

    def n_after(self, group: sa.FromClause, other: Column, duration: timedelta) -> Column:
        """How many of the `n` gathered moments `at` are more than so long after the other one."""
        if self.is_sqlite:
            return self._n_of(group, lambda at: self.is_after(at, other, duration))
        last = other + _interval(duration + HALF_A_MILLISECOND - MICROSECOND)
        return group.c.n - sa.func.width_bucket(last, group.c.gathered_at)

    def _n_of(self, group: sa.FromClause, holds: Callable[[Column], Column]) -> Column:
        rows, each = self.spread(group, {"at": group.c.at})
        several = sa.select(sa.func.count()).select_from(rows).where(holds(each["at"]))
        return sa.case(
            (group.c.n == 1, sa.case((holds(group.c.at), 1), else_=0)),
            else_=several.correlate_except(rows).scalar_subquery(),
        )

    def gathered(self, columns: Rows) -> list[sa.Label[Any]]:
        """Aggregates that keep the rows of a group together, in the order of the columns.

        The first column is `at`; `spread` makes rows of them again.
        """
        if self.is_sqlite:
            return [sa.func.json_group_array(sa.func.json_array(*columns.values())).label("gathered")]
        order = [self.bytes(column) for column in columns.values()]
        return [
            sa.func.array_agg(aggregate_order_by(column, *order)).label(f"gathered_{name}")
            for name, column in columns.items()
        ]

    def spread(self, group: sa.FromClause, columns: Rows) -> tuple[sa.FromClause, Rows]:
        """What `gathered` put into one row of `group`, as rows again: what to select from, and columns."""
        if self.is_sqlite:
            row = sa.func.json_each(group.c.gathered).table_valued("value", name="each")
            items = enumerate(columns.items())
            return row, {
                name: sa.type_coerce(sa.func.json_extract(row.c.value, f"$[{i}]"), column.type)
                for i, (name, column) in items
            }
        named = [sa.column(name, column.type) for name, column in columns.items()]
        kept = [group.c[f"gathered_{name}"] for name in columns]
        rows = sa.func.unnest(*kept).table_valued(*named, name="each").render_derived()
        return rows, {name: rows.c[name] for name in columns}

    def truth(self, column: Column) -> Column:
        """1 where a flag is set."""
        is_boolean = isinstance(column.type, sa.Boolean)
        return sa.case((column.is_(True) if is_boolean else column != 0, 1), else_=0)


def insert_or_update(dialect: str, table: sa.Table) -> Any:
    """`INSERT ... ON CONFLICT`, which the two dialects spell alike and SQLAlchemy does not."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def is_busy(error: DBAPIError) -> bool:
    """Whether somebody else held what was asked for, for as long as one would wait."""
    is_sqlite_busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    return is_sqlite_busy or getattr(error.orig, "sqlstate", None) == "55P03"  # lock_not_available


def is_overtaken(error: DBAPIError) -> bool:
    """Whether PostgreSQL gave up because of what others wrote meanwhile: worth another try."""
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")  # serialization failure, deadlock


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _interval(duration: timedelta) -> Column:
    """In seconds alone: a day of the calendar has 23 hours when the clocks change."""
    return sa.func.make_interval(0, 0, 0, 0, 0, 0, duration.total_seconds(), type_=sa.Interval())
