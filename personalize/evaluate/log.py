"""A file of events as arrays: who saw, clicked or bought which style, and when."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from personalize.data.event_files import IMPRESSION, PURCHASE, read_event_batches
from personalize.errors import EventFileError
from personalize.features.history import column_us
from personalize.features.runs import Ints

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("user_id", "style_id", "type", "occurred_at")
SAME_ROW = ("user_id", "style_id", "product_id", "type", "occurred_at", "impression_id")
WINDOW = timedelta(days=1)
"""How long after an impression a click without its impression_id still belongs to it."""


@dataclass(frozen=True, slots=True)
class EventLog:
    """Events in order of time, (n,): codes of user and style, moment, and grade.

    grade: 2 bought, 1 clicked, 0 shown without either; a log without impressions has no 0.
    """

    user: Ints
    style: Ints
    at_us: Ints
    grade: Ints
    style_ids: tuple[str, ...]
    n_users: int
    n_styles: int
    has_impressions: bool

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "EventLog":
        columns = (self.user[rows], self.style[rows], self.at_us[rows], self.grade[rows])
        return EventLog(*columns, self.style_ids, self.n_users, self.n_styles, self.has_impressions)

    @property
    def liked(self) -> NDArray[np.bool_]:
        """(n,) whether it was clicked or bought."""
        return self.grade > 0


@dataclass(slots=True)
class ReadReport:
    """What became of the file's rows: n_rows = n_used + n_duplicates + n_refused + n_unmatched + n_folded.

    n_folded: clicks and purchases that became the grade of their impression; n_unmatched: those without one.
    """

    n_rows: int = 0
    n_used: int = 0
    n_duplicates: int = 0
    n_refused: int = 0
    n_unmatched: int = 0
    n_folded: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in self.__slots__ if name != "reasons"}
        return counts | {"refused": dict(self.reasons.most_common(10))}


def read_event_log(path: Path) -> tuple[EventLog, ReadReport]:
    """The log of a file, and what became of each of its rows.

    Where there are impressions, each is an event whose grade is what came of it; where there are none, each
    click and purchase is.

    Raises:
        EventFileError: it cannot be read, or no row of it can.
    """
    import pandas as pd

    report = ReadReport()
    parts: list[pd.DataFrame] = []
    for batch in read_event_batches(path, required=NEEDED):
        report.n_rows += len(batch)
        report.n_refused += len(batch.refused)
        report.reasons.update(_kind(one.reason) for one in batch.refused)
        parts.append(batch.events[list(SAME_ROW)])
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(SAME_ROW))
    if not len(rows):
        raise EventFileError(path, f"not one of its {report.n_rows} rows is an event: {dict(report.reasons)}")
    distinct = rows.drop_duplicates().sort_values("occurred_at", kind="stable", ignore_index=True)
    report.n_duplicates = len(rows) - len(distinct)
    is_shown = distinct["type"] == IMPRESSION
    events = _graded(distinct, is_shown, report) if is_shown.any() else _as_they_are(distinct)
    report.n_used = len(events)
    return _log(events, has_impressions=bool(is_shown.any())), report


def _kind(reason: str) -> str:
    """The reason without the value, so that equal ones are counted together."""
    subject, is_about_a_value, advice = reason.partition("; ")
    return f"{subject.split(' is ')[0]}: {advice}" if is_about_a_value else reason


def _as_they_are(rows: "pd.DataFrame") -> "pd.DataFrame":
    return rows.assign(grade=np.where(rows["type"] == PURCHASE, 2, 1))


def _graded(rows: "pd.DataFrame", is_shown: "pd.Series[bool]", report: ReadReport) -> "pd.DataFrame":
    """Impressions with the grade of what came of them."""
    shown = rows[is_shown].reset_index(drop=True)
    events = _as_they_are(rows[~is_shown])
    number = _impression_of(events, shown)
    is_known = number >= 0
    report.n_unmatched, report.n_folded = int((~is_known).sum()), int(is_known.sum())
    grade = np.zeros(len(shown), dtype=np.int64)
    np.maximum.at(grade, number[is_known], events["grade"].to_numpy()[is_known])
    return shown.assign(grade=grade)


def _impression_of(events: "pd.DataFrame", shown: "pd.DataFrame") -> Ints:
    """The number of each event's impression: by its id, or else the latest that fits; -1 for none."""
    import pandas as pd

    first = shown["impression_id"].dropna().drop_duplicates()
    number = events["impression_id"].map(pd.Series(first.index, index=first)).to_numpy(dtype=np.float64)
    without = np.flatnonzero(events["impression_id"].isna())
    if len(without):
        by = ["user_id", "style_id", "product_id"]
        left = events.iloc[without][[*by, "occurred_at"]].fillna({"product_id": ""})
        right = shown[[*by, "occurred_at"]].fillna({"product_id": ""}).assign(number=np.arange(len(shown)))
        found = pd.merge_asof(left, right, on="occurred_at", by=by, tolerance=pd.Timedelta(WINDOW))
        number = number.copy()
        number[without] = found["number"].to_numpy(dtype=np.float64)
    return np.where(np.isnan(number), -1, number).astype(np.int64)


def _log(events: "pd.DataFrame", *, has_impressions: bool) -> EventLog:
    user, users = events["user_id"].factorize()
    style, styles = events["style_id"].factorize()
    return EventLog(
        user.astype(np.int64),
        style.astype(np.int64),
        column_us(events["occurred_at"]),
        events["grade"].to_numpy(dtype=np.int64),
        tuple(map(str, styles)),
        len(users),
        len(styles),
        has_impressions,
    )
