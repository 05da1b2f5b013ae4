"""The rule of one currency as SQL, the same in SQLite and PostgreSQL; `analytics.currencies` explains it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.currencies import PRECISION, Conversion
from analytics.errors import MissingColumns
from analytics.sql.logs import LogTable, OutcomeLog

Column = sa.ColumnElement[Any]


def in_other_currency(log: OutcomeLog, table: LogTable, cleaning: Cleaning) -> Column | None:
    """Whether a row's amount is in a currency without a rate, or in none; None where nobody asks.

    Raises:
        MissingColumns: the log does not say in which currency its amounts are.
    """
    currency = _currency(log, table, cleaning)
    if currency is None:
        return None
    return sa.or_(currency.is_(None), currency.not_in([cleaning.currency, *cleaning.rates]))


def amount(log: OutcomeLog, table: LogTable, cleaning: Cleaning) -> Column:
    """What a row is worth in the currency that counts; as it stands where none was named."""
    value = table.column(log.value)
    currency = _currency(log, table, cleaning)
    if currency is None or not cleaning.rates:
        return value
    rates = cleaning.rates.items()
    cases = [(currency == code, _converted(value, Conversion.at(rate))) for code, rate in rates]
    return sa.case(*cases, else_=value)


def _currency(log: OutcomeLog, table: LogTable, cleaning: Cleaning) -> Column | None:
    if log.currency is None or cleaning.currency is None:
        return None
    if log.currency not in table.table.c:
        raise MissingColumns(log.table, [log.currency], table.table.c.keys())
    return table.table.c[log.currency]


def _converted(value: Column, by: Conversion) -> Column:
    """Both databases divide whole numbers towards zero, and leave a rest of the sign of the number."""
    is_whole = isinstance(value.type, sa.Integer)
    parts = value if is_whole else sa.func.round(value * PRECISION)
    whole = sa.cast(parts, sa.BigInteger)
    half = sa.case((whole < 0, -(by.per // 2)), else_=by.per // 2)
    rest = (whole % by.per * by.part + half) // by.per
    converted = whole * by.whole + whole // by.per * by.part + rest
    return converted if is_whole else converted / sa.literal(PRECISION, sa.Float)
