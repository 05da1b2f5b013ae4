"""The log as Parquet files, one a day, in the columns that `personalize events import` reads."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Select, func, literal, null, select
from sqlalchemy.orm import Session

from personalize.data.database import reading
from personalize.data.event_files import CLICK, IMPRESSION, PURCHASE
from personalize.data.schema import Click, Impression, Product, Purchase

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 50_000
DAY = timedelta(days=1)
COLUMNS = (
    *("user_id", "style_id", "product_id", "type", "occurred_at", "impression_id", "propensity", "position"),
    *("value", "currency", "event_id", "slate_id", "policy", "model_version", "category"),
)


def export_events(
    engine: Engine, folder: Path, *, since: datetime | None = None, until: datetime | None = None
) -> dict[str, int]:
    """Write `folder`/YYYY-MM-DD.parquet for each day, in UTC, on which something happened.

    A file is replaced as a whole, so that an export may be cut off and run again.

    Args:
        since, until: days from that of `since` and before that of `until`; default all there are.
    Returns:
        Rows by file name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with reading(engine) as session:
        first, last = _span(session)
        if first is None or last is None:
            return {}
        first = max(first, since or first).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(last + timedelta(microseconds=1), until or last + DAY)
        n_days = max(0, -((first - end) // DAY))
        days = [first + number * DAY for number in range(n_days)]
        written = {f"{day:%Y-%m-%d}.parquet": _write_day(session, folder, day) for day in days}
    return {name: n_rows for name, n_rows in written.items() if n_rows}


def _span(session: Session) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment at which anything happened."""
    columns = (Impression.shown_at, Click.clicked_at, Purchase.purchased_at)
    ends = [session.execute(select(func.min(column), func.max(column))).one() for column in columns]
    known = [end for pair in ends for end in pair if end is not None]
    return min(known, default=None), max(known, default=None)


def _write_day(session: Session, folder: Path, day: datetime) -> int:
    from pyarrow import parquet

    target = folder / f"{day:%Y-%m-%d}.parquet"
    temporary = target.with_suffix(".writing")
    n_rows = 0
    with parquet.ParquetWriter(temporary, _schema(), compression="zstd") as writer:
        for table in _tables(session, day):
            writer.write_table(table)
            n_rows += len(table)
    if n_rows:
        temporary.replace(target)
    else:
        temporary.unlink()
    return n_rows


def _tables(session: Session, day: datetime) -> "Iterator[pa.Table]":
    import pyarrow as pa

    for query in (_impressions(day), _events(CLICK, day), _events(PURCHASE, day)):
        answer = session.connection().execute(query, execution_options={"yield_per": CHUNK})
        for rows in answer.partitions():
            columns = zip(*rows, strict=True)
            yield pa.table(
                {name: list(values) for name, values in zip(COLUMNS, columns, strict=True)}, schema=_schema()
            )


def _schema() -> "pa.Schema":
    import pyarrow as pa

    special = {
        "occurred_at": pa.timestamp("us", tz="UTC"),
        "propensity": pa.float64(),
        "position": pa.int32(),
        "value": pa.decimal128(18, 4),
    }
    return pa.schema([(name, special.get(name, pa.string())) for name in COLUMNS])


def _impressions(day: datetime) -> Select[Any]:
    own = {"propensity": Impression.propensity, "position": Impression.position}
    query = _select(IMPRESSION, Impression.shown_at, own)
    query = query.where(Impression.shown_at >= day, Impression.shown_at < day + DAY)
    return query.order_by(Impression.shown_at, Impression.impression_id)


def _events(kind: str, day: datetime) -> Select[Any]:
    if kind == CLICK:
        key, happened_at, own = Click.event_id, Click.clicked_at, {"event_id": Click.event_id}
        table: Any = Click
    else:
        key, happened_at, table = Purchase.event_id, Purchase.purchased_at, Purchase
        own = {"event_id": key, "value": Purchase.value, "currency": Purchase.currency}  # type: ignore[dict-item]
    query = _select(kind, happened_at, own).join(table, table.impression_id == Impression.impression_id)
    return query.where(happened_at >= day, happened_at < day + DAY).order_by(happened_at, key)


def _select(kind: str, happened_at: Any, own: dict[str, Any]) -> Select[Any]:
    """The columns of COLUMNS: of the impression and its product, and the row's own."""
    shared = {
        name: getattr(Impression, name)
        for name in (
            "user_id",
            "style_id",
            "product_id",
            "impression_id",
            "slate_id",
            "policy",
            "model_version",
        )
    }
    values = shared | {"category": Product.category, "type": literal(kind), "occurred_at": happened_at} | own
    columns = [values.get(name, null()).label(name) for name in COLUMNS]
    return select(*columns).select_from(Impression).join(Product, Product.product_id == Impression.product_id)
