"""One row a user and day, as a rollup, raw logs or a view have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa

from analytics.errors import InvalidRows
from analytics.sql.dialect import Sql


@dataclass(frozen=True)
class DailyRows:
    """The days of the users who count.

    Attributes:
        table: user_id, variant, day and the quantities; one row a user, variant and day.
        units: quantities kept as whole numbers of so many to one.
        variants: the names of variants that the table knows by number; none where it has the names.
        has_day_numbers: whether days are those of `date.toordinal`; else they are ISO dates.
    """

    table: sa.FromClause
    units: Mapping[str, int] = field(default_factory=dict)
    variants: Mapping[int, str] = field(default_factory=dict)
    has_day_numbers: bool = False

    def variant_of(self, value: Any, n_rows: int) -> str:
        """The variant of a row that was read.

        Raises:
            InvalidRows: there is none.
        """
        return self.variants[value] if self.variants else variant_name(self.table, value, n_rows)

    def iso_day_of(self, value: Any, n_rows: int) -> str:
        """The ISO date of a row that was read.

        Raises:
            InvalidRows: it is no date.
        """
        if self.has_day_numbers:
            return date.fromordinal(value).isoformat()
        try:
            return date.fromisoformat(str(value)).isoformat()
        except ValueError:
            problem = f"with the day {str(value)!r}, which is no date such as 2030-01-31"
            raise InvalidRows(_name(self.table), n_rows, problem, "let the view give ISO dates") from None

    def days_since_first(self, connection: sa.Connection) -> sa.ColumnElement[int] | None:
        """Whole days since the first day of all, as a column; None where there are no rows."""
        day = self.table.c.day
        first = connection.scalar(sa.select(sa.func.min(day)))
        if first is None:
            return None
        return day - first if self.has_day_numbers else Sql(connection.dialect.name).days_since(day, first)


def variant_name(relation: sa.FromClause, value: object, n_rows: int) -> str:
    """The variant of rows that were read.

    Raises:
        InvalidRows: there is none.
    """
    if value is None:
        raise InvalidRows(
            _name(relation), n_rows, "without a variant", "give each user the variant that was shown"
        )
    return str(value)


def _name(relation: sa.FromClause) -> str:
    return str(getattr(relation, "name", "the days"))
