"""Event files into the database: every row imported, known already, or refused with the reason.

Files are read twice, impressions first, so that the order of rows and of files does not matter. Each batch
is one transaction. A row without an id gets one made from its content, so that an import that was cut off
is resumed by running it again, and what has been imported is never doubled.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from personalize.data.catalogue import ensure_products, ensure_styles
from personalize.data.database import in_chunks, insert_new, writing
from personalize.data.event_files import CLICK, IMPRESSION, EventBatch, RefusedRow, read_event_batches
from personalize.data.events import IMPRESSION_COLUMNS, MAX_AHEAD, record_events
from personalize.data.extracts import TIME
from personalize.data.records import ClickEvent, Event, EventStatus, PurchaseEvent
from personalize.data.schema import Impression, Slate
from personalize.data.users import ensure_users

if TYPE_CHECKING:
    import pandas as pd

IMPORTED = "imported"
"""Policy, model version and category of rows that name none."""

MATCHED_BY = ("user_id", "product_id", "style_id")
MAX_LISTED = 20

OnRefused = Callable[[Path, RefusedRow], object]


@dataclass(slots=True)
class ImportReport:
    """What became of every row: n_rows = impressions + clicks + purchases + n_duplicates + n_refused.

    n_new_products, n_new_styles: named for the first time by these files. Such a product has no photo
        and such a style is not on offer; they are there for the log to point to.
    examples: the first `MAX_LISTED` refusals, as "file:row: reason".
    """

    n_rows: int = 0
    n_impressions: int = 0
    n_clicks: int = 0
    n_purchases: int = 0
    n_duplicates: int = 0
    n_refused: int = 0
    n_new_products: int = 0
    n_new_styles: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def n_imported(self) -> int:
        return self.n_impressions + self.n_clicks + self.n_purchases

    def to_dict(self) -> dict[str, Any]:
        names = [name for name in self.__slots__ if name != "examples"]
        counts = {name: getattr(self, name) for name in names}
        return {"n_imported": self.n_imported} | counts | {"refused": list(self.examples)}


def import_events(
    engine: Engine,
    paths: Sequence[Path],
    *,
    now: datetime,
    attribution_window: timedelta,
    currency: str = "EUR",
    on_refused: OnRefused | None = None,
    progress: Callable[[int], object] | None = None,
) -> ImportReport:
    """Import files of events; may be run again at any time.

    An impression without a propensity is taken as shown for certain (propensity 1): it teaches, but says
    nothing about what another policy would have earned. A click or purchase without an impression_id
    belongs to the user's latest impression of that product in that style, up to `attribution_window` old.

    Args:
        now: the time of receipt; rows more than a day later are refused.
        currency: of purchases that name none.
        on_refused: told of every refused row.
        progress: told how many rows have been dealt with.
    Raises:
        EventFileError: a file that cannot be read; what came before it is imported.
    """
    importer = _Importer(engine, now, attribution_window, currency, on_refused, progress)
    for path, batch in _batches(paths):
        importer.take_impressions(path, batch)
    if importer.report.n_rows > importer.n_dealt_with:
        for path, batch in _batches(paths):
            importer.take_events(path, batch.events[batch.events["type"] != IMPRESSION])
    return importer.report


def _batches(paths: Sequence[Path]) -> Iterator[tuple[Path, EventBatch]]:
    return ((path, batch) for path in paths for batch in read_event_batches(path))


@dataclass(slots=True)
class _Importer:
    engine: Engine
    now: datetime
    attribution_window: timedelta
    currency: str
    on_refused: OnRefused | None
    progress: Callable[[int], object] | None
    report: ImportReport = field(default_factory=ImportReport)

    @property
    def n_dealt_with(self) -> int:
        return self.report.n_imported + self.report.n_duplicates + self.report.n_refused

    def take_impressions(self, path: Path, batch: EventBatch) -> None:
        """Count the batch, refuse what is no row, store its impressions."""
        self.report.n_rows += len(batch)
        self._refuse(path, batch.refused)
        rows = batch.events[batch.events["type"] == IMPRESSION]
        too_late = rows["occurred_at"] > self.now + MAX_AHEAD
        reason = f"occurred_at is in the future (it is {self.now.isoformat()})"
        self._refuse(path, [RefusedRow(row, reason) for row in rows["row"][too_late]])
        rows = rows[~too_late]
        if len(rows):
            with writing(self.engine) as session:
                self._ensure_named(session, rows)
                n_new = _store_impressions(session, rows)
            self.report.n_impressions += n_new
            self.report.n_duplicates += len(rows) - n_new
        self._tell()

    def take_events(self, path: Path, rows: "pd.DataFrame") -> None:
        """Store the clicks and purchases of a batch."""
        if not len(rows):
            return
        rows = rows.assign(event_id=[_event_id(row) for row in rows.to_dict("records")])
        with writing(self.engine) as session:
            matched = _matched(session, rows, self.attribution_window)
            events = [self._event(row) for row in matched.to_dict("records")]
            outcomes = record_events(session, events, self.now)
        for row, event, outcome in zip(matched["row"], events, outcomes, strict=True):
            if outcome.status is EventStatus.REJECTED:
                self._refuse(path, [RefusedRow(row, _reason(event, outcome.reason))])
            elif outcome.status is EventStatus.DUPLICATE:
                self.report.n_duplicates += 1
            elif isinstance(event, ClickEvent):
                self.report.n_clicks += 1
            else:
                self.report.n_purchases += 1
        self._tell()

    def _ensure_named(self, session: Session, rows: "pd.DataFrame") -> None:
        categories = rows["category"].fillna(IMPORTED)
        products = dict(zip(rows["product_id"], categories, strict=True))
        self.report.n_new_products += ensure_products(session, products, self.now)
        self.report.n_new_styles += ensure_styles(session, rows["style_id"].unique(), self.now)
        ensure_users(
            session.connection(), rows["user_id"].unique(), rows["occurred_at"].min().to_pydatetime()
        )

    def _event(self, row: Mapping[Any, Any]) -> Event:
        event_id, occurred_at = row["event_id"], row["occurred_at"].to_pydatetime()
        if row["type"] == CLICK:
            return ClickEvent(event_id, row["impression_id"], occurred_at)
        value, currency = row["value"] or Decimal(0), row["currency"] or self.currency
        return PurchaseEvent(event_id, row["impression_id"], occurred_at, value, currency)

    def _refuse(self, path: Path, refused: Sequence[RefusedRow]) -> None:
        self.report.n_refused += len(refused)
        for one in refused:
            if len(self.report.examples) < MAX_LISTED:
                self.report.examples.append(f"{path.name}:{one.row}: {one.reason}")
            if self.on_refused is not None:
                self.on_refused(path, one)

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.n_dealt_with)


def _store_impressions(session: Session, rows: "pd.DataFrame") -> int:
    """Store those that are new, with a slate for each page; returns how many there were."""
    records = rows.to_dict("records")
    for row in records:
        row["shown_at"] = row["occurred_at"].to_pydatetime()
        row["impression_id"] = row["impression_id"] or _made_id(IMPRESSION, *_content(row), row["position"])
        row["slate_id"] = row["slate_id"] or _made_id("page", row["user_id"], row["shown_at"].isoformat())
        row["policy"], row["model_version"] = row["policy"] or IMPORTED, row["model_version"] or IMPORTED
        row["propensity"] = 1.0 if row["propensity"] != row["propensity"] else row["propensity"]
        row["experiment"] = row["variant"] = row["style_weights"] = None
    slates = {
        row["slate_id"]: {
            "slate_id": row["slate_id"],
            "user_id": row["user_id"],
            "served_at": row["shown_at"],
            "context": {},
        }
        for row in records
    }
    insert_new(session, Slate, list(slates.values()), "slate_id")
    impressions = [{name: row[name] for name in IMPRESSION_COLUMNS} for row in records]
    return len(insert_new(session, Impression, impressions, "impression_id"))


def _event_id(row: Mapping[Any, Any]) -> str:
    """The row's own, or one made of what the file says, not of the impression that is found for it."""
    return row["event_id"] or _made_id(row["type"], *_content(row), row["impression_id"], row["value"])


def _content(row: Mapping[Any, Any]) -> tuple[str, ...]:
    return row["user_id"], row["style_id"], row["product_id"], row["occurred_at"].isoformat()


def _made_id(*content: Any) -> str:
    """An id that the same content always gets."""
    text = "\0".join(map(str, content))
    return f"{IMPORTED}-{hashlib.blake2b(text.encode(), digest_size=14).hexdigest()}"


def _matched(session: Session, rows: "pd.DataFrame", window: timedelta) -> "pd.DataFrame":
    """The rows with an impression_id for those without one: the user's latest fitting impression, or ""."""
    import pandas as pd

    without = rows["impression_id"].isna()
    if not without.any():
        return rows
    orphans = rows[without].drop(columns="impression_id").sort_values("occurred_at", kind="stable")
    shown = _read_shown(session, orphans, window)
    found = pd.merge_asof(
        orphans,
        shown.sort_values(["shown_at", "impression_id"]),
        left_on="occurred_at",
        right_on="shown_at",
        by=list(MATCHED_BY),
        tolerance=pd.Timedelta(window),
    )
    found["impression_id"] = found["impression_id"].astype(object).where(found["impression_id"].notna(), "")
    return pd.concat([rows[~without], found.drop(columns="shown_at")]).sort_values("row", ignore_index=True)


def _read_shown(session: Session, orphans: "pd.DataFrame", window: timedelta) -> "pd.DataFrame":
    import pandas as pd

    columns = [getattr(Impression, name) for name in (*MATCHED_BY, "impression_id", "shown_at")]
    since = orphans["occurred_at"].min().to_pydatetime() - window
    until = orphans["occurred_at"].max().to_pydatetime()
    rows: list[Any] = []
    for chunk in in_chunks(sorted(set(orphans["user_id"]))):
        query = select(*columns).where(
            Impression.user_id.in_(chunk), Impression.shown_at >= since, Impression.shown_at <= until
        )
        rows += session.execute(query).all()
    names = [column.key for column in columns]
    return pd.DataFrame([tuple(row) for row in rows], columns=names, dtype=object).astype({"shown_at": TIME})


def _reason(event: Event, reason: str | None) -> str:
    if event.impression_id:
        return reason or "it was rejected"
    return (
        "no impression of this product in this style was shown to this user before it, inside the "
        "attribution window; import the impressions too, or judge the file with `personalize evaluate`"
    )
