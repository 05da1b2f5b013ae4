"""Cleaned units from files or data frames: events, raw logs, or one row a user.

events       one row an impression: user, variant, clicked, and where known impression_id and shown_at
impressions  one row an impression: impression_id, user, variant, and where known shown_at
clicks       one row a click: impression_id, and where known event_id and clicked_at
purchases    one row a purchase: impression_id, value, and where known event_id, purchased_at and currency
             (events and impressions may have columns of numbers, such as page_ms, to take quantiles of)
totals       one row a user: user, variant, and quantities such as clicks, impressions and orders
users        one row a user: user, and whatever is asked for: quantities from before, segments
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analytics.cleaning import Cleaning, Funnel, refuse_what_must_not_be
from analytics.derived import plain_columns, with_derived
from analytics.errors import InvalidRequest, MissingColumns, NoEvents, SeveralCurrencies
from analytics.event_values import EventValues
from analytics.frames.cleaning import CleanFrame, clean, clean_totals, is_blank
from analytics.frames.files import ColumnNames, as_flags, as_numbers, as_text, read_table, refuse
from analytics.question import UNKNOWN, Group, Question
from analytics.sums import Moments
from analytics.units import UnitDays, Units

if TYPE_CHECKING:
    import pandas as pd

    from analytics.frames.files import Table

COUNTS = ("clicks", "impressions", "purchases")

TOTALS = ("clicks", "impressions", "purchases", "revenue")
"""Quantities that are read from the totals where they are there, whether asked for or not."""


@dataclass(frozen=True)
class CleanUnits:
    """One row a user, cleaned.

    Attributes:
        days: the same by day, where the times are known.
        segments: name -> (n,) text, in the order of the units.
    """

    units: Units
    funnel: Funnel
    days: UnitDays | None = None
    segments: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def groups(self, question: Question) -> dict[Group, Moments]:
        """Moments by variant and segment.

        Raises:
            MissingColumns: a quantity or a segment that nobody brought.
            NoEvents: events were asked for, and these are sums.
        """
        if not set(question.events) <= set(self.units.events):
            raise NoEvents(question.events, "units hold")
        have = {*self.units.columns, *self.segments}
        missing = [s for s in question.segments if s not in self.segments]
        missing += [c for c in plain_columns(question.columns) if c not in self.units.columns]
        if missing:
            raise MissingColumns("the data", missing, have)
        keys = [self.units.variant, *(self.segments[name] for name in question.segments)]
        found: dict[Group, Moments] = {}
        if not len(self.units):
            return found
        labels = [np.unique(key.astype(str), return_inverse=True) for key in keys]
        code = np.zeros(len(self.units), np.int64)
        for names, place in labels:
            code = code * len(names) + place
        whole = Units(
            self.units.user,
            self.units.variant,
            with_derived(self.units.columns, question.columns),
            {name: self.units.events[name] for name in question.events},
        )
        for value in np.unique(code):
            here = np.flatnonzero(code == value)
            variant, *rest = (str(names[place[here[0]]]) for names, place in labels)
            found[Group(variant, tuple(rest))] = whole.of_rows(here).moments_together()
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Tables:
    """Where the rows are: exactly one of events, impressions and totals; users beside it.

    Clicks and purchases go with impressions.

    Attributes:
        columns: what their columns are called.
    """

    events: Table | None = None
    impressions: Table | None = None
    clicks: Table | None = None
    totals: Table | None = None
    users: Table | None = None
    columns: ColumnNames = field(default_factory=ColumnNames)
    purchases: Table | None = None

    def read(self, cleaning: Cleaning, question: Question) -> CleanUnits:
        """The units.

        Raises:
            InvalidRequest: not exactly one of events, impressions and totals; clicks or purchases without
                impressions.
            NoEvents: events are wanted of totals.
            SeveralCurrencies: revenue is wanted of purchases in several, and the rules name none.
            UnreadableSource, MissingColumns, InvalidRows: a table is not what it should be.
        """
        given = [t is not None for t in (self.events, self.impressions, self.totals)]
        has_outcomes = self.clicks is not None or self.purchases is not None
        if sum(given) != 1 or (has_outcomes and self.impressions is None):
            raise InvalidRequest("name one source: events, or impressions with clicks, or totals")
        if self.totals is not None:
            if question.events:
                raise NoEvents(question.events, "totals hold")
            cleaned, rows = self._read_totals(self.totals, question, cleaning)
        elif self.events is not None:
            cleaned, rows = self._read_events(self.events, question, cleaning)
        else:
            cleaned, rows = self._read_logs(self.impressions, question, cleaning)
        refuse_what_must_not_be(cleaned.funnel, cleaning, "the data")
        if len(cleaned.currencies) > 1 and "revenue" in plain_columns(question.columns):
            raise SeveralCurrencies("revenue", cleaned.currencies)
        return self._with_users(_as_units(cleaned, rows, question), question)

    def _read_events(self, table: Any, question: Question, cleaning: Cleaning) -> Cleaned:
        frame, source = read_table(table)
        optional = ("impression_id", "event_id", "shown_at", *question.segments)
        rows = self._keyed(frame, source, ("user", "variant", "clicked", *question.events), optional)
        rows["clicked"] = as_flags(rows["clicked"], source, "clicked")
        if "impression_id" not in rows and "event_id" in rows:
            rows["impression_id"] = rows["event_id"]
        return clean(rows, {}, cleaning), rows

    def _read_logs(self, table: Any, question: Question, cleaning: Cleaning) -> Cleaned:
        frame, source = read_table(table)
        optional = ("shown_at", *question.segments)
        rows = self._keyed(frame, source, ("impression_id", "user", "variant", *question.events), optional)
        outcomes = {}
        if self.clicks is not None:
            frame, source = read_table(self.clicks)
            clicks = self._keyed(frame, source, ("impression_id",), ("event_id", "clicked_at"))
            outcomes["clicks"] = clicks.rename(columns={"clicked_at": "at"})
        if self.purchases is not None:
            outcomes["purchases"] = self._read_purchases(self.purchases)
        return clean(rows, outcomes, cleaning), rows

    def _read_purchases(self, table: Any) -> pd.DataFrame:
        frame, source = read_table(table)
        optional = ("event_id", "purchased_at", "currency")
        rows = self._keyed(frame, source, ("impression_id", "value"), optional)
        rows["value"] = as_numbers(rows["value"], source, is_count=False)
        return rows.rename(columns={"purchased_at": "at"})

    def _read_totals(self, table: Any, question: Question, cleaning: Cleaning) -> Cleaned:
        frame, source = read_table(table)
        asked = plain_columns(question.columns)
        own = [name for name in asked if self.users is None or name in ("clicks", "impressions")]
        wanted = ("user", "variant", *own)
        columns = dict.fromkeys((*TOTALS, *asked))
        rows = self._keyed(frame, source, wanted, (*columns, *question.segments))
        quantities = [name for name in columns if name in rows]
        for name in quantities:
            rows[name] = as_numbers(rows[name], source, is_count=name in COUNTS)
        return clean_totals(rows, quantities, cleaning), rows

    def _keyed(
        self, frame: pd.DataFrame, source: str, wanted: Sequence[str], optional: Sequence[str]
    ) -> pd.DataFrame:
        rows = self.columns.renamed(frame, source, wanted, optional)
        for key in (k for k in ("user", "variant", "impression_id", "event_id") if k in rows):
            rows[key] = as_text(rows[key])
        return rows

    def _with_users(self, cleaned: CleanUnits, question: Question) -> CleanUnits:
        """What the table of users knows of each; 0 and UNKNOWN of a user whom it does not have."""
        if self.users is None:
            return cleaned
        import pandas as pd

        frame, source = read_table(self.users)
        have = {*cleaned.units.columns, *cleaned.segments}
        quantities = [c for c in plain_columns(question.columns) if c not in have]
        segments = [c for c in question.segments if c not in have]
        rows = self._keyed(frame, source, ("user", *quantities, *segments), ())
        rows = rows[~is_blank(rows["user"])]
        refuse(rows["user"].duplicated(), source, "of a user who is there twice", "keep one row a user")
        place = pd.Index(rows["user"].astype(object)).get_indexer(pd.Index(cleaned.units.user, dtype=object))
        found: dict[str, NDArray[Any]] = {}
        for name in quantities:
            blank = is_blank(rows[name])
            values = as_numbers(rows[name].where(~blank, 0), source, is_count=False).to_numpy()
            found[name] = np.append(values, values.dtype.type(0))[place]
        texts = {name: _texts(as_text(rows[name]), place) for name in segments}
        units = cleaned.units
        return replace(
            cleaned,
            units=replace(units, columns={**units.columns, **found}),
            segments={**cleaned.segments, **texts},
        )


Cleaned = tuple[CleanFrame, "pd.DataFrame"]


def _as_units(cleaned: CleanFrame, rows: pd.DataFrame, question: Question) -> CleanUnits:
    """The rows that count, brought down to one a user, and to one a user and day where days are known."""
    kept = cleaned.rows
    by = [kept["user"].astype("category"), kept["variant"].astype("category")]
    columns = list(cleaned.columns)
    of_user = kept.groupby(by, observed=True, sort=True)
    totals = of_user[columns].sum().reset_index()
    events = {}
    if question.events:
        place = _array(of_user.ngroup())
        events = {name: _event_values(rows.loc[kept.index, name], place) for name in question.events}
    units = Units(
        _array(totals["user"]), _array(totals["variant"]), {c: _array(totals[c]) for c in columns}, events
    )
    days = None
    if "day" in kept:
        daily = kept.groupby([*by, kept["day"].astype("category")], observed=True, sort=True)
        sums = daily[columns].sum().reset_index()
        user, variant, day = (_array(sums[key]) for key in ("user", "variant", "day"))
        days = UnitDays(user, variant, day, {c: _array(sums[c]) for c in columns})
    own = [name for name in question.segments if name in rows]
    segments = {}
    if own:
        named = kept[["user", "variant"]].assign(
            **{name: as_text(rows[name]).loc[kept.index] for name in own}
        )
        first = named.groupby(by, observed=True, sort=True)[own].first().reset_index()
        segments = {name: _texts(first[name], np.arange(len(first))) for name in own}
    return CleanUnits(units, cleaned.funnel, days, segments)


def _event_values(values: pd.Series[Any], place: NDArray[np.intp]) -> EventValues:
    """The numbers of the impressions that count; one that is blank is refused, not left out in silence."""
    return EventValues(as_numbers(values, "the impressions that count", is_count=False).to_numpy(), place)


def _texts(values: pd.Series[Any], place: NDArray[np.intp]) -> NDArray[Any]:
    texts = [UNKNOWN if null else str(v) for v, null in zip(values, values.isna(), strict=True)]
    return np.array([*texts, UNKNOWN], dtype=str)[place]


def _array(values: pd.Series[Any]) -> NDArray[Any]:
    array = values.to_numpy()
    return array.astype(str) if array.dtype == object else array
