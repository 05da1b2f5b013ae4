"""Reading units from CSV (gzipped too) or Parquet files.

Identifiers are opaque text: 007 stays 007, NA is a name like any other. What cannot be counted without
guessing is refused with the number of rows, never dropped in silence.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analytics.errors import InvalidRows, MissingColumns, UnreadableSource
from analytics.units import COLUMNS, UnitDays, Units

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ColumnNames:
    """What the columns of a file are called."""

    user: str = "user"
    variant: str = "variant"
    clicks: str = "clicks"
    impressions: str = "impressions"
    clicked: str = "clicked"
    day: str = "day"


def read_totals(
    path: str | Path,
    *,
    names: ColumnNames = ColumnNames(),
    columns: Sequence[str] = COLUMNS,
) -> Units:
    """Units from a file with one row per user: user, variant, clicks, impressions and more.

    Several rows of one user are added up.

    Args:
        columns: quantities to read besides clicks and impressions, where the file has them.
    Raises:
        UnreadableSource: the file is missing, or is no CSV or Parquet.
        MissingColumns: user, variant, clicks or impressions is not there.
        InvalidRows: a blank id or variant, a quantity that is no number or below zero, or a user in
            two variants.
    """
    source = str(path)
    wanted = {
        "user": names.user,
        "variant": names.variant,
        "clicks": names.clicks,
        "impressions": names.impressions,
    }
    frame = _read_columns(Path(path), wanted, optional=[c for c in columns if c not in wanted])
    quantities = [c for c in frame.columns if c not in ("user", "variant")]
    for quantity in quantities:
        frame[quantity] = _numbers(frame[quantity], source, quantity)
    return _units(frame, quantities, source)


def read_events(
    path: str | Path,
    *,
    names: ColumnNames = ColumnNames(),
) -> Units | UnitDays:
    """Units from a file with one row per impression: user, variant, clicked.

    Where the file has the column `day`, a date or a time whose first ten characters are the date, the
    days are kept.

    Raises:
        UnreadableSource, MissingColumns: as `read_totals`.
        InvalidRows: as `read_totals`, or `clicked` is neither 0 nor 1, true nor false.
    """
    source = str(path)
    wanted = {"user": names.user, "variant": names.variant, "clicks": names.clicked}
    frame = _read_columns(Path(path), wanted, optional=[names.day])
    frame["clicks"] = _flags(frame["clicks"], source, names.clicked)
    frame["impressions"] = 1
    if names.day not in frame.columns:
        return _units(frame, ["clicks", "impressions"], source)
    frame["day"] = _dates(frame[names.day], source, names.day)
    totals = _totals(frame, ["user", "variant", "day"], ["clicks", "impressions"], source)
    user, variant, day = (_array(totals[c]) for c in ("user", "variant", "day"))
    return UnitDays(user, variant, day, {c: _array(totals[c]) for c in ("clicks", "impressions")})


def _read_columns(path: Path, wanted: dict[str, str], optional: Sequence[str]) -> pd.DataFrame:
    """The wanted columns under our names, and the optional ones that exist under their own; ids as text."""
    frame = _read_table(path)
    missing = [name for name in wanted.values() if name not in frame.columns]
    if missing:
        raise MissingColumns(str(path), missing, map(str, frame.columns))
    data = {ours: frame[theirs] for ours, theirs in wanted.items()}
    data |= {name: frame[name] for name in optional if name in frame.columns}
    for key in ("user", "variant"):
        data[key] = _names(data[key], str(path), wanted[key])
    return frame.assign(**data)[list(data)]


def _read_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise UnreadableSource(str(path), "there is no such file; check the path")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, EOFError, ImportError, zlib.error) as error:
        detail = str(error).strip().partition("\n")[0]
        raise UnreadableSource(str(path), f"cannot be read as CSV or Parquet ({detail})") from error


def _names(values: pd.Series[Any], source: str, column: str) -> pd.Series[Any]:
    """Text as categories, so that each distinct id is looked at once."""
    text = values.astype("category")
    labels = [str(label) for label in text.cat.categories]
    is_blank = np.array([label.strip() == "" for label in labels] + [True])  # code -1 is null
    _refuse(is_blank[text.cat.codes], source, f"without a {column!r}", "fill it in or leave them out")
    return text.cat.rename_categories(labels)


def _numbers(values: pd.Series[Any], source: str, column: str) -> pd.Series[Any]:
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    bad = ~np.isfinite(numbers.astype(float)) | (numbers.astype(float) < 0)
    _refuse(
        bad, source, f"with a {column!r} that is not a number of at least 0", "correct them or leave them out"
    )
    return numbers.astype(np.int64) if (numbers % 1 == 0).all() and (numbers < 2**53).all() else numbers


def _flags(values: pd.Series[Any], source: str, column: str) -> pd.Series[Any]:
    meaning = {"0": 0, "1": 1, "false": 0, "true": 1, "0.0": 0, "1.0": 1}
    flags = values.astype(str).str.strip().str.lower().map(meaning)
    _refuse(
        flags.isna(), source, f"with a {column!r} that is neither 0 nor 1", "correct them or leave them out"
    )
    return flags.astype(np.int64)


def _dates(values: pd.Series[Any], source: str, column: str) -> pd.Series[Any]:
    """The date of each date or time, looked at once per distinct one."""
    text = values.astype("category")
    days = [str(label)[:10] for label in text.cat.categories]
    is_bad = np.array([not _is_date(day) for day in days] + [True])  # code -1 is null
    problem = f"with a {column!r} that does not begin with a date such as 2030-01-31"
    _refuse(is_bad[text.cat.codes], source, problem, "correct it or leave them out")
    return text.map(dict(zip(text.cat.categories, days, strict=True))).astype("category")


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _units(frame: pd.DataFrame, quantities: list[str], source: str) -> Units:
    totals = _totals(frame, ["user", "variant"], quantities, source)
    return Units(
        _array(totals["user"]), _array(totals["variant"]), {c: _array(totals[c]) for c in quantities}
    )


def _totals(frame: pd.DataFrame, keys: list[str], quantities: list[str], source: str) -> pd.DataFrame:
    totals = frame.groupby(keys, observed=True, sort=True)[quantities].sum().reset_index()
    in_several = totals[["user", "variant"]].drop_duplicates()["user"].duplicated()
    _refuse(
        in_several,
        source,
        "of users who are in two variants",
        "find out why the split was broken, or leave them out",
    )
    return totals


def _refuse(bad: pd.Series[bool] | NDArray[np.bool_], source: str, problem: str, remedy: str) -> None:
    n_bad = int(np.count_nonzero(bad))
    if n_bad:
        raise InvalidRows(source, n_bad, problem, remedy)


def _array(values: pd.Series[Any]) -> NDArray[Any]:
    array = values.to_numpy()
    return array.astype(str) if array.dtype == object else array
