"""One currency an analysis: which amounts count, and at which rates others are converted to it.

A converted amount is rounded to the unit in which the log keeps amounts (a ten-thousandth in the shop and
in frames), each by itself and half away from zero. All of it is done in whole numbers, so that SQLite,
PostgreSQL and frames come to the same amount to the last digit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.errors import InvalidRequest

Rate = Decimal | float | str
"""What one of another currency is worth; 0.92 is taken as written, not as the nearest binary fraction."""

PRECISION = 10_000
"""Amounts that are no whole numbers are converted in such parts of one."""

CODE = re.compile(r"[A-Z]{3}")
DECIMALS = 10**9
LARGEST = 10**9


def checked_currency(code: object) -> str:
    """
    Raises:
        InvalidRequest: it is not written as ISO 4217 does.
    """
    if not isinstance(code, str) or not CODE.fullmatch(code):
        raise InvalidRequest(f"a currency is three capitals of ISO 4217, such as EUR, not {code!r}")
    return code


def exact_rates(currency: str | None, rates: Mapping[str, Rate]) -> dict[str, Decimal]:
    """The rates to a currency as they were written, in the order of their currencies.

    Raises:
        InvalidRequest: a currency is none, is the one converted to, or has no rate that can be one.
    """
    if currency is not None:
        checked_currency(currency)
    elif rates:
        raise InvalidRequest("a rate converts to the currency that counts; name that too, such as EUR")
    for code in rates:
        if checked_currency(code) == currency:
            raise InvalidRequest(f"amounts in {code} count as they are; give rates of other currencies alone")
    return {code: _exact_rate(code, rates[code]) for code in sorted(rates)}


def _exact_rate(code: str, rate: Rate) -> Decimal:
    try:
        exact = Decimal(str(rate))
    except InvalidOperation:
        exact = Decimal(0)
    is_short = exact.is_finite() and 0 < exact < LARGEST and not Fraction(exact) * DECIMALS % 1
    if not is_short:
        raise InvalidRequest(
            f"the rate of {code} is what one {code} is worth, above 0 and with at most nine decimals, such "
            f"as 0.92, not {str(rate)!r}"
        )
    return exact.normalize()


@dataclass(frozen=True)
class Conversion:
    """A rate as `whole` + `part` / `per`, so that no product leaves 64 bits where the answer does not."""

    whole: int
    part: int
    per: int

    @classmethod
    def at(cls, rate: Rate) -> Conversion:
        """By a rate that `exact_rates` let through."""
        numerator, per = Decimal(str(rate)).as_integer_ratio()
        return cls(*divmod(numerator, per), per)

    def of(self, amounts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Whole amounts, converted."""
        size = np.abs(amounts)
        rest = (size % self.per * self.part + self.per // 2) // self.per
        converted: NDArray[np.int64] = size * self.whole + size // self.per * self.part + rest
        return np.where(amounts < 0, -converted, converted)


def rates_as_text(rates: Mapping[str, Any]) -> dict[str, str]:
    """Without a loss, ready for JSON."""
    return {code: f"{Decimal(str(rate)):f}" for code, rate in rates.items()}
