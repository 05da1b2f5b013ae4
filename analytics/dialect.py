"""What SQLite and PostgreSQL say differently about the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import BLANKS

Column = sa.ColumnElement[Any]

SQLITE_TIME = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]*"
"""How SQLAlchemy writes a time into SQLite; it sorts as it runs."""


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
