"""What was known when: the shop's events, kept so that any moment can be asked about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from personalize.data.records import ClickEvent, Event, ShownStyle
from personalize.features.ledger import Ledger
from personalize.features.runs import EventTable, Family, Floats, Ints, Kind, Tally
from personalize.features.showings import OpenShowings

if TYPE_CHECKING:
    import pandas as pd

OPEN_WINDOWS = 2
"""Attribution windows for which an impression is kept in mind, so that an event may arrive one late."""

REFERENCE_PROPENSITY = 0.05
"""At and below this propensity an impression of a personal policy counts fully for a style's popularity."""

PERSONAL_POLICIES = frozenset({"personal"})
"""Policies that look at the user: what they show says who liked a style, not how well it is liked."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since the epoch, exactly.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (moment - _EPOCH) // _MICROSECOND


class Codes:
    """Strings to small integers, in order of arrival; -1 for a string never seen."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._n_given = 0

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, name: str) -> int:
        code = self._codes.setdefault(name, self._n_given)
        self._n_given += code == self._n_given
        return code

    def forget(self, name: str) -> None:
        """Let go of a string; its number is not given to another."""
        self._codes.pop(name, None)

    def find(self, names: Sequence[str]) -> Ints:
        return np.array([*map(self._codes.get, names, repeat(-1))], dtype=np.int64)

    def add_column(self, column: "pd.Series[str]") -> Ints:
        """Codes of a whole column, adding what is new; -1 where there is nothing."""
        codes, names = column.factorize()
        known: Ints = np.array([*map(self.add, names), -1], dtype=np.int64)
        coded: Ints = known[codes]
        return coded


class History:
    """What was shown, clicked and bought, answering "as of t" for many keys and moments at once.

    An impression counts from the moment it was shown, a click or a purchase from its own moment, and
    each only strictly after it, so nothing later than t, nor what is decided at t, leaks in. Only
    the first click and the first purchase of an impression count, and only within
    `attribution_window` of it, as in the labels.

    Amounts halve every `half_life`. Style and category rates must say how a style is liked by
    everybody, but a personal policy shows it to those who like it already; there an impression
    weighs min(1, `REFERENCE_PROPENSITY` / propensity), which a user's own history does not.

    Args:
        half_life: age at which an event weighs half.
        attribution_window: how long after its impression a click or a purchase counts.
    Raises:
        ValueError: a duration that is not positive.
    """

    def __init__(self, *, half_life: timedelta, attribution_window: timedelta) -> None:
        if half_life <= timedelta(0) or attribution_window <= timedelta(0):
            raise ValueError(
                f"expected positive durations, got half_life {half_life} and "
                f"attribution_window {attribution_window}"
            )
        self._window_us = attribution_window // _MICROSECOND
        self.users, self.categories, self.styles = Codes(), Codes(), Codes()
        self._open = OpenShowings(
            at_us=0, user=0, category=0, style=0, weight=0.0, is_clicked=False, is_purchased=False
        )
        self.ledger = Ledger(float(half_life // _MICROSECOND))

    @classmethod
    def from_log(
        cls, log: "pd.DataFrame", *, half_life: timedelta, attribution_window: timedelta
    ) -> "History":
        """The history of a log as `personalize.data.extracts.read_log` gives it."""
        history = cls(half_life=half_life, attribution_window=attribution_window)
        if len(log):
            history._read(log)
        return history

    def __len__(self) -> int:
        """Events held: showings, clicks and purchases."""
        return len(self.ledger)

    def append_shown(self, shown: Sequence[ShownStyle], categories: Sequence[str]) -> None:
        """Add impressions just shown, with the category of each one's product; known ones are ignored."""
        rows = self._open.fresh([one.impression_id for one in shown])
        if not rows:
            return
        new = [shown[row] for row in rows]
        at_us = [microseconds(one.shown_at) for one in new]
        user = [self.users.add(one.user_id) for one in new]
        category = [self.categories.add(categories[row]) for row in rows]
        style = [self.styles.add(one.style_id) for one in new]
        weight = [_popularity_weight(one.policy, one.propensity) for one in new]
        kind = [int(Kind.SHOWN)] * len(new)
        for row in zip(at_us, user, category, style, kind, weight, strict=True):
            self.ledger.append(row)
        columns = {"at_us": at_us, "user": user, "category": category, "style": style, "weight": weight}
        self._open.add(
            [one.impression_id for one in new], **{name: np.array(each) for name, each in columns.items()}
        )
        self._open.let_go_before(max(at_us) - OPEN_WINDOWS * self._window_us)

    def append_events(self, events: Sequence[Event]) -> None:
        """Add clicks and purchases; repeated ones, late ones and those of unknown impressions are ignored."""
        for event in events:
            row = self._open.find(event.impression_id)
            if row is None:
                continue
            at_us = microseconds(event.occurred_at)
            if not 0 <= at_us - int(self._open["at_us"][row]) <= self._window_us:
                continue
            is_click = isinstance(event, ClickEvent)
            has_happened = self._open["is_clicked" if is_click else "is_purchased"]
            if not has_happened[row]:
                has_happened[row] = True
                self._append(row, at_us, Kind.CLICKED if is_click else Kind.PURCHASED)

    def forget(self, user_id: str) -> None:
        """Drop everything of a user, also from the rates of styles and categories."""
        code = int(self.users.find([user_id])[0])
        self._open.drop(self._open["user"] == code)
        self.ledger.drop(code)
        self.users.forget(user_id)

    def tally(self, family: Family, user: Ints, category: Ints, style: Ints, at_us: Ints) -> Tally:
        """What is known of each key strictly before its moment; codes and moments broadcast to (Q,)."""
        return self.ledger.tally(family, user, category, style, at_us)

    def _append(self, row: int, at_us: int, kind: Kind) -> None:
        user, category, style = (int(self._open[name][row]) for name in ("user", "category", "style"))
        self.ledger.append((at_us, user, category, style, int(kind), float(self._open["weight"][row])))

    def _read(self, log: "pd.DataFrame") -> None:
        shown_us = column_us(log["shown_at"])
        user = self.users.add_column(log["user_id"])
        category = self.categories.add_column(log["category"])
        style = self.styles.add_column(log["style_id"])
        weight = _popularity_weights(log)
        tables = [EventTable(shown_us, user, category, style, np.zeros_like(user), weight)]
        happened = {}
        for kind, name in ((Kind.CLICKED, "clicked_at"), (Kind.PURCHASED, "purchased_at")):
            at_us = column_us(log[name])
            counts = (at_us != _NAT) & (at_us >= shown_us) & (at_us - shown_us <= self._window_us)
            rows = np.flatnonzero(counts)
            happened[kind] = counts
            kinds = np.full(len(rows), int(kind), dtype=np.int64)
            tables.append(replace(tables[0].take(rows), at_us=at_us[rows], kind=kinds))
        self.ledger.extend(EventTable.joined(tables))
        rows = np.flatnonzero(shown_us >= shown_us.max() - OPEN_WINDOWS * self._window_us)
        self._open.add(
            [str(one) for one in log["impression_id"].to_numpy()[rows].tolist()],
            at_us=shown_us[rows],
            user=user[rows],
            category=category[rows],
            style=style[rows],
            weight=weight[rows],
            is_clicked=happened[Kind.CLICKED][rows],
            is_purchased=happened[Kind.PURCHASED][rows],
        )


_NAT = np.iinfo(np.int64).min


def column_us(column: "pd.Series[pd.Timestamp]") -> Ints:
    """A column of aware times as microseconds since the epoch; NaT becomes the smallest int64."""
    naive = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return naive.to_numpy().astype("datetime64[us]").astype(np.int64)


def _popularity_weight(policy: str, propensity: float) -> float:
    return min(1.0, REFERENCE_PROPENSITY / propensity) if policy in PERSONAL_POLICIES else 1.0


def _popularity_weights(log: "pd.DataFrame") -> Floats:
    propensity = log["propensity"].to_numpy(dtype=np.float64)
    is_personal = log["policy"].isin(PERSONAL_POLICIES).to_numpy()
    return np.where(is_personal, np.minimum(1.0, REFERENCE_PROPENSITY / propensity), 1.0)
