"""Tables from CSV (gzipped too) or Parquet files or from data frames, under our names for their columns.

Identifiers are opaque text: 007 stays 007, NA is a name like any other. What cannot be counted without
guessing is refused with the number of rows, never dropped in silence.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analytics.errors import InvalidRows, MissingColumns, UnreadableSource

if TYPE_CHECKING:
    import pandas as pd

    Table = str | Path | pd.DataFrame

NAMES: dict[str, tuple[str, ...]] = {
    "user": ("user", "user_id"),
    "variant": ("variant",),
    "impression_id": ("impression_id",),
    "event_id": ("event_id",),
    "shown_at": ("shown_at", "day"),
    "clicked_at": ("clicked_at",),
    "purchased_at": ("purchased_at",),
    "value": ("value",),
    "currency": ("currency",),
    "clicked": ("clicked",),
    "clicks": ("clicks",),
    "impressions": ("impressions",),
}
"""What we call a column, and under which names it is looked for when nobody says what it is called."""

ALSO = {"day": "shown_at"}
"""Other names for ours."""


@dataclass(frozen=True)
class ColumnNames:
    """What the columns of a file are called: our name -> theirs, where that is none of NAMES."""

    theirs: Mapping[str, str] = field(default_factory=dict)

    def find(self, ours: str, columns: Sequence[str]) -> str | None:
        """Their name for one of our columns, None when the table does not have it."""
        names = {ALSO.get(name, name): theirs for name, theirs in self.theirs.items()}
        wanted = (names[ours],) if ours in names else NAMES.get(ours, (ours,))
        return next((name for name in wanted if name in columns), None)

    def renamed(
        self, frame: pd.DataFrame, source: str, wanted: Sequence[str], optional: Sequence[str] = ()
    ) -> pd.DataFrame:
        """The wanted columns and those optional ones that exist, under our names.

        Raises:
            MissingColumns: a wanted column is not there.
        """
        columns = [str(column) for column in frame.columns]
        frame = frame.set_axis(columns, axis=1)
        found = {ours: self.find(ours, columns) for ours in dict.fromkeys((*wanted, *optional))}
        missing = [self.theirs.get(ours, ours) for ours in wanted if found[ours] is None]
        if missing:
            raise MissingColumns(source, missing, columns)
        import pandas as pd

        return pd.DataFrame({ours: frame[theirs] for ours, theirs in found.items() if theirs is not None})


def read_table(table: Table) -> tuple[pd.DataFrame, str]:
    """The rows, and what to call their source in a message; text stays text.

    Raises:
        UnreadableSource: the file is missing, or is no CSV or Parquet.
    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table.reset_index(drop=True), "the data frame"
    path = Path(table)
    if not path.is_file():
        raise UnreadableSource(str(path), "there is no such file; check the path")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(path).reset_index(drop=True), str(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False), str(path)
    except (ValueError, OSError, EOFError, ImportError, zlib.error) as error:
        detail = str(error).strip().partition("\n")[0]
        raise UnreadableSource(str(path), f"cannot be read as CSV or Parquet ({detail})") from error


def as_text(values: pd.Series[Any]) -> pd.Series[Any]:
    """Ids as text; whole numbers without a fraction, as a column with gaps turns 7 into 7.0."""
    if values.dtype.kind == "f":
        whole = (values.dropna() % 1 == 0).all() and np.isfinite(values.dropna()).all()
        return (values.astype("Int64") if whole else values).astype("string").astype(object)
    if values.dtype.kind in "iub":
        return values.astype("string").astype(object)
    return values


def as_numbers(values: pd.Series[Any], source: str, *, is_count: bool) -> pd.Series[Any]:
    """Quantities; counts are at least 0, an infinite amount is let through for the analysis to tell.

    Raises:
        InvalidRows: text or a time that is no number, or a count below zero.
    """
    import pandas as pd

    is_time = values.dtype.kind in "mM"  # which would become a number of nanoseconds
    numbers = pd.Series(np.nan, values.index) if is_time else pd.to_numeric(values, errors="coerce")
    bad = numbers.isna() | ((numbers < 0) if is_count else False)
    least = " of at least 0" if is_count else ""
    problem = f"with a {str(values.name)!r} that is not a number{least}"
    refuse(bad, source, problem, "correct them or leave them out")
    if not isinstance(numbers.dtype, np.dtype):
        numbers = numbers.astype(np.float64)  # Arrow's numbers know no remainder
    return numbers.astype(np.int64) if (numbers % 1 == 0).all() and (numbers.abs() < 2**53).all() else numbers


def as_flags(values: pd.Series[Any], source: str, column: str) -> pd.Series[Any]:
    """0 or 1 from 0 and 1, true and false, in any spelling.

    Raises:
        InvalidRows: a row says something else.
    """
    if values.dtype.kind in "iub" and bool(values.isin((0, 1)).all()):
        return values.astype(np.int64)
    meaning = {"0": 0, "1": 1, "false": 0, "true": 1, "0.0": 0, "1.0": 1}
    flags = values.astype(str).str.strip().str.lower().map(meaning)
    problem = f"with a {column!r} that is neither 0 nor 1"
    refuse(flags.isna(), source, problem, "correct them or leave them out")
    return flags.astype(np.int64)


def refuse(bad: pd.Series[bool] | NDArray[np.bool_], source: str, problem: str, remedy: str) -> None:
    """
    Raises:
        InvalidRows: some rows are bad.
    """
    n_bad = int(np.count_nonzero(bad))
    if n_bad:
        raise InvalidRows(source, n_bad, problem, remedy)
