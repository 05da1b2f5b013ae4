"""The rule of one currency on data frames; `analytics.currencies` says what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analytics.cleaning import BLANKS, Cleaning
from analytics.currencies import PRECISION, Conversion
from analytics.errors import MissingColumns

if TYPE_CHECKING:
    import pandas as pd


def in_other_currency(frame: pd.DataFrame, cleaning: Cleaning) -> NDArray[np.bool_]:
    """Whether a row's amount is in a currency without a rate, or in none; of no row where nobody asks.

    Raises:
        MissingColumns: the rows do not say in which currency their amounts are.
    """
    if cleaning.currency is None or "value" not in frame:
        return np.zeros(len(frame), bool)
    if "currency" not in frame:
        raise MissingColumns("the purchases", ["currency"], map(str, frame.columns))
    return ~frame["currency"].isin([cleaning.currency, *cleaning.rates]).to_numpy(bool)


def amounts(frame: pd.DataFrame, cleaning: Cleaning) -> NDArray[np.float64]:
    """What each row is worth in the currency that counts; as it stands where none was named."""
    value = frame["value"].to_numpy(float).copy()
    for code, rate in cleaning.rates.items():
        here = (frame["currency"] == code).to_numpy(bool) & np.isfinite(value)
        parts = np.rint(value[here] * PRECISION).astype(np.int64)
        value[here] = Conversion.at(rate).of(parts) / PRECISION
    return value


def currencies_of(frame: pd.DataFrame, which: NDArray[np.bool_], cleaning: Cleaning) -> tuple[str, ...]:
    """The currencies of these rows; none where one was named, or the rows name none."""
    if cleaning.currency is not None or "currency" not in frame or "value" not in frame:
        return ()
    found: Any = frame["currency"][which].dropna().unique()
    return tuple(sorted(code for code in map(str, found) if code.strip(BLANKS)))
