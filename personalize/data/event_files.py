"""Event logs as files: CSV, JSON lines or Parquet, read in batches with every row accounted for.

A row says that `user_id` saw (`impression`), clicked (`click`) or bought (`purchase`) a product in a style.
Every row comes out either checked and typed, or refused with its number and the reason; nothing is dropped.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from personalize.data.extracts import TIME
from personalize.data.identifiers import checked_id
from personalize.data.schema import MAX_ID_LENGTH, MAX_NAME_LENGTH, money_units
from personalize.errors import EventFileError, InvalidIdentifier

if TYPE_CHECKING:
    import pandas as pd

IMPRESSION, CLICK, PURCHASE = TYPES = ("impression", "click", "purchase")
REQUIRED = ("user_id", "style_id", "product_id", "type", "occurred_at")
SHORT_NAMES = ("style_id", "impression_id", "slate_id", "policy", "model_version")
OPTIONAL = (
    *("impression_id", "propensity", "position", "value"),
    *("event_id", "slate_id", "policy", "model_version", "currency", "category"),
)
IDS = (*REQUIRED[:3], "impression_id", "event_id", "slate_id", "policy", "model_version", "category")
BATCH = 10_000
LATEST_SECONDS = 4e9
"""A number above this, the year 2096 in seconds, is a time in milliseconds."""

Row = tuple[int, dict[str, Any] | str]
"""Its number from 1, and its values by column, or why it has none."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of a file that was not taken, by its number from 1 (a CSV's header is no row), and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Some rows of a file: those that hold, typed, and those that do not.

    events: `row` and the columns of REQUIRED and OPTIONAL. Ids are text or None, occurred_at is
        datetime64[us, UTC], propensity float64 with NaN for none, position int64, value Decimal or None.
    """

    events: "pd.DataFrame"
    refused: tuple[RefusedRow, ...]

    def __len__(self) -> int:
        return len(self.events) + len(self.refused)


def read_event_batches(
    path: Path, *, required: Sequence[str] = REQUIRED, size: int = BATCH
) -> Iterator[EventBatch]:
    """The rows of a file in its order, `size` at a time.

    The name's ending tells the format: .csv, .jsonl (or .ndjson, .json), .parquet; .gz may follow the first
    two. Times are ISO 8601, in UTC where they name no zone, or Unix seconds or milliseconds.

    Args:
        required: columns that the file must have and no row may leave empty.
    Raises:
        EventFileError: no such file, an unknown format, or a required column that is missing.
    """
    rows = _readable(path, _reader_of(path))
    first = next(rows, None)
    if first is None:
        return
    if isinstance(first[1], dict) and (missing := [name for name in required if name not in first[1]]):
        raise EventFileError(path, f"it has no column {', '.join(missing)}; it has {', '.join(first[1])}")
    everything = _chained(first, rows)
    while batch := list(islice(everything, size)):
        yield _checked(batch, required)


def _chained(first: Row, rows: Iterable[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _reader_of(path: Path) -> Callable[[Path], Iterator[Row]]:
    if not path.is_file():
        raise EventFileError(path, "there is no such file")
    name = path.name.lower().removesuffix(".gz")
    for endings, reader in (
        ((".csv",), _read_csv),
        ((".jsonl", ".ndjson", ".json"), _read_json_lines),
        ((".parquet",), _read_parquet),
    ):
        if name.endswith(endings):
            return reader
    raise EventFileError(path, "its name ends in none of .csv, .jsonl, .ndjson, .parquet")


def _readable(path: Path, reader: Callable[[Path], Iterator[Row]]) -> Iterator[Row]:
    try:
        yield from reader(path)
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise EventFileError(path, f"{error}; what stands before it was dealt with") from error


def _open_text(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _read_csv(path: Path) -> Iterator[Row]:
    with _open_text(path) as file:
        reader = csv.reader(line.replace("\0", "\ufffd") for line in file)
        header = [name.strip() for name in next(reader, [])]
        for number, fields in enumerate(reader, 1):
            if len(fields) == len(header):
                yield number, dict(zip(header, fields, strict=True))
            else:
                yield number, f"expected {len(header)} fields as in the header, got {len(fields)}"


def _read_json_lines(path: Path) -> Iterator[Row]:
    with _open_text(path) as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                yield number, f"is no JSON: {error}"
                continue
            yield number, row if isinstance(row, dict) else f"is no JSON object but {type(row).__name__}"


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise EventFileError(path, f"it cannot be read as Parquet: {error}") from error
    numbers = count(1)
    with file:
        known = [name for name in file.schema_arrow.names if name in (*REQUIRED, *OPTIONAL)]
        for batch in file.iter_batches(BATCH, columns=known):
            yield from zip(numbers, batch.to_pylist(), strict=False)


def _checked(rows: Sequence[Row], required: Sequence[str]) -> EventBatch:
    import pandas as pd

    refused = [RefusedRow(number, values) for number, values in rows if isinstance(values, str)]
    whole = [(number, values) for number, values in rows if isinstance(values, dict)]
    raw = pd.DataFrame([values for _, values in whole], dtype=object)
    raw = raw.reindex(columns=[*REQUIRED, *OPTIONAL]).astype(object)
    raw = raw.where(raw.notna() & (raw != ""), None)
    raw.insert(0, "row", [number for number, _ in whole])
    check = _Check(raw)
    check.required(required)
    check.kind()
    for name in IDS:
        check.id(name)
    check.time()
    check.number("propensity", lambda x: (x > 0) & (x <= 1), "it lies in (0, 1]")
    check.number("position", lambda x: (x >= 0) & (x < 2**31) & (x % 1 == 0), "it counts from 0")
    check.value()
    holds = check.objections.isna()
    refused += map(RefusedRow, raw["row"][~holds], check.objections[~holds])
    events = check.events[holds].reset_index(drop=True)
    return EventBatch(events.assign(position=events["position"].fillna(0).astype("int64")), tuple(refused))


class _Check:
    """Rows on their way from text to types: `objections` holds the first to each row, None where it holds."""

    def __init__(self, raw: "pd.DataFrame") -> None:
        import pandas as pd

        self.raw, self.events = raw, raw.copy()
        self.objections = pd.Series(None, index=raw.index, dtype=object)

    def object_to(self, is_bad: "pd.Series[bool]", reasons: "pd.Series[Any] | str") -> None:
        mask = is_bad & self.objections.isna()
        self.objections[mask] = reasons if isinstance(reasons, str) else reasons[mask]

    def refuse_value(self, name: str, is_bad: "pd.Series[bool]", advice: str) -> None:
        self.object_to(is_bad, f"{name} is " + self.raw[name].astype(str).str[:40] + f"; {advice}")

    def required(self, names: Sequence[str]) -> None:
        for name in names:
            self.object_to(self.raw[name].isna(), f"{name} is empty")

    def kind(self) -> None:
        kinds = self.raw["type"].map(lambda value: str(value).strip().lower(), na_action="ignore")
        self.refuse_value("type", kinds.notna() & ~kinds.isin(TYPES), f"it is one of {', '.join(TYPES)}")
        self.events["type"] = kinds

    def id(self, name: str) -> None:
        ids = self.raw[name].map(str, na_action="ignore").astype(object)
        reasons = _each_once(ids, lambda value: _id_objection(name, value))
        self.object_to(reasons.notna(), reasons)
        self.events[name] = ids

    def time(self) -> None:
        times = _times(self.raw["occurred_at"])
        is_bad = self.raw["occurred_at"].notna() & times.isna()
        self.refuse_value("occurred_at", is_bad, "write ISO 8601 or Unix seconds")
        self.events["occurred_at"] = times

    def number(self, name: str, holds: "Callable[[pd.Series[float]], pd.Series[bool]]", advice: str) -> None:
        import pandas as pd

        numbers = pd.to_numeric(self.raw[name], errors="coerce").astype("float64")
        self.refuse_value(name, self.raw[name].notna() & ~holds(numbers), advice)
        self.events[name] = numbers

    def value(self) -> None:
        reasons = _each_once(self.raw["value"], _value_objection)
        self.object_to(reasons.notna(), reasons)
        values = self.raw["value"].where(reasons.isna())
        self.events["value"] = values.map(lambda value: Decimal(str(value)), na_action="ignore")


def _each_once(column: "pd.Series[Any]", objection: Callable[[Any], str | None]) -> "pd.Series[Any]":
    """The objection to each value, asked once for each that occurs."""
    found = {value: objection(value) for value in column.dropna().unique()}
    return column.map({value: reason for value, reason in found.items() if reason}, na_action="ignore")


def _id_objection(name: str, value: str) -> str | None:
    longest = MAX_NAME_LENGTH if name in SHORT_NAMES else MAX_ID_LENGTH
    try:
        checked_id(name, value)
    except InvalidIdentifier as error:
        return str(error)
    return f"{name} has {len(value)} characters; at most {longest}" if len(value) > longest else None


def _value_objection(value: Any) -> str | None:
    try:
        if money_units(Decimal(str(value))) < 0:
            return f"value is {value}; send what was paid, 0 or more"
    except (InvalidOperation, ValueError):
        return f"value is {str(value)[:40]}; write a decimal number with at most four decimals"
    return None


def _times(column: "pd.Series[Any]") -> "pd.Series[pd.Timestamp]":
    """Aware UTC times; NaT for what is none."""
    import pandas as pd

    number = pd.to_numeric(column, errors="coerce").astype("float64")
    text = column.where(number.isna())
    times = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601").astype(TIME)
    seconds = number.where(number.abs() <= LATEST_SECONDS, number / 1000)
    seconds = seconds.where(seconds.abs() <= LATEST_SECONDS)
    from_number = pd.to_datetime((seconds * 1e6).round().astype("Int64"), unit="us", utc=True)
    return times.where(number.isna(), from_number.astype(TIME))
