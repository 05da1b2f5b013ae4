"""Sorted runs of events that answer "how much, as of then" for many keys at once.

A run never changes. `Ledger` keeps a few of growing size and merges them like a log-structured tree,
so that an event costs little when it arrives and a question stays a handful of binary searches.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEVER = np.iinfo(np.int64).min
"""The time of something that has not happened, in place of microseconds since the epoch."""

MAX_CODES = 1 << 20
"""Bound of style and category codes, so that a composite key stays below 2**63."""


class Kind(IntEnum):
    """What an event says; also the column of its amounts."""

    SHOWN = 0
    CLICKED = 1
    PURCHASED = 2


class Family(IntEnum):
    """What amounts are summed over."""

    STYLE = 0
    CATEGORY_STYLE = 1
    USER_STYLE = 2
    USER_CATEGORY_STYLE = 3


@dataclass(frozen=True, slots=True)
class EventTable:
    """Events as columns, (n,) each: microseconds since the epoch, codes, kind and popularity weight."""

    at_us: Ints
    user: Ints
    category: Ints
    style: Ints
    kind: Ints
    weight: Floats

    def __len__(self) -> int:
        return len(self.at_us)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "EventTable":
        return EventTable(
            self.at_us[rows],
            self.user[rows],
            self.category[rows],
            self.style[rows],
            self.kind[rows],
            self.weight[rows],
        )

    def between(self, family: "Family", keys: Ints) -> "EventTable":
        """The events of which the key lies between the least and the greatest of `keys` that are known.

        Raises:
            ValueError: none is.
        """
        mine, known = keys_of(family, self.user, self.category, self.style), keys[keys >= 0]
        return self.take(np.flatnonzero((mine >= known.min()) & (mine <= known.max())))

    def add_to(self, tally: "Tally", family: "Family", keys: Ints, at_us: Ints, half_life_us: float) -> None:
        """Add to `tally` what these events say of `keys` strictly before `at_us`, one by one."""
        mine = keys_of(family, self.user, self.category, self.style)
        asked, event = np.nonzero((mine == keys[:, None]) & (mine >= 0) & (self.at_us < at_us[:, None]))
        decay = np.exp2((self.at_us[event] - at_us[asked]) / half_life_us)
        weight = decay * self.weight[event] if weighs(family) else decay
        tally.add(asked, self.kind[event], self.at_us[event], weight)

    def tally(self, family: "Family", keys: Ints, before_us: int, half_life_us: float) -> "Tally":
        """What these events say of `keys`, (Q,), strictly before one moment."""
        asked, place = np.unique(keys, return_inverse=True)
        mine = keys_of(family, self.user, self.category, self.style)
        row = np.minimum(np.searchsorted(asked, mine), len(asked) - 1)
        told = np.flatnonzero((asked[row] == mine) & (mine >= 0) & (self.at_us < before_us))
        row, kind, at_us = row[told], self.kind[told], self.at_us[told]
        decay = np.exp2((at_us - before_us) / half_life_us)
        tally = Tally.empty(len(asked))
        tally.add(row, kind, at_us, decay * self.weight[told] if weighs(family) else decay)
        return tally.take(place)

    @staticmethod
    def joined(tables: "list[EventTable]") -> "EventTable":
        return EventTable(
            np.concatenate([table.at_us for table in tables]),
            np.concatenate([table.user for table in tables]),
            np.concatenate([table.category for table in tables]),
            np.concatenate([table.style for table in tables]),
            np.concatenate([table.kind for table in tables]),
            np.concatenate([table.weight for table in tables]),
        )


@dataclass(slots=True)
class Tally:
    """What is known of Q keys as of Q moments.

    amounts (Q, 3): time-decayed sums of shown, clicked and purchased; counts (Q, 3): the same
    without decay or weight; last_us (Q, 2): latest showing and latest click, `NEVER` if none.
    """

    amounts: Floats
    counts: Ints
    last_us: Ints

    @staticmethod
    def empty(size: int) -> "Tally":
        return Tally(
            np.zeros((size, 3)),
            np.zeros((size, 3), dtype=np.int64),
            np.full((size, 2), NEVER, dtype=np.int64),
        )

    def add(self, row: NDArray[np.intp] | Ints, kind: Ints, at_us: Ints, amount: Floats) -> None:
        """Add events, (n,), to the rows of their keys; one index into all cells is quicker than two."""
        cell = row * len(Kind) + kind
        np.add.at(self.amounts.reshape(-1), cell, amount)
        np.add.at(self.counts.reshape(-1), cell, 1)
        seen = kind <= Kind.CLICKED
        np.maximum.at(self.last_us.reshape(-1), (row * 2 + kind)[seen], at_us[seen])

    def take(self, rows: NDArray[np.intp]) -> "Tally":
        return Tally(self.amounts[rows], self.counts[rows], self.last_us[rows])

    def reshape(self, *shape: int) -> "Tally":
        return Tally(
            self.amounts.reshape(*shape, 3), self.counts.reshape(*shape, 3), self.last_us.reshape(*shape, 2)
        )


def keys_of(family: Family, user: Ints, category: Ints, style: Ints) -> Ints:
    """One integer per key; arguments broadcast. A code of -1 (never seen) makes a key no event has."""
    match family:
        case Family.STYLE:
            unknown, key = style < 0, style
        case Family.CATEGORY_STYLE:
            unknown, key = (category < 0) | (style < 0), category * MAX_CODES + style
        case Family.USER_STYLE:
            unknown, key = (user < 0) | (style < 0), user * MAX_CODES + style
        case Family.USER_CATEGORY_STYLE:
            unknown = (user < 0) | (category < 0) | (style < 0)
            key = (user * (1 << 12) + category % (1 << 12)) * (1 << 12) + style % (1 << 12)
    return np.where(unknown, np.int64(-1), key)


def weighs(family: Family) -> bool:
    """Whether amounts of this family carry the popularity weight; a user's own history counts in full."""
    return family in (Family.STYLE, Family.CATEGORY_STYLE)


class Run:
    """Events of any number of keys, sorted by key and time, with running sums.

    A family is indexed when it is first asked about. The running sum at an event is decayed to that
    event's own moment, so nothing overflows however long the run:
        s_i = a_i + s_{i-1} * 2^(-(t_i - t_{i-1}) / half_life).
    """

    def __init__(self, events: EventTable, half_life_us: float) -> None:
        order = np.argsort(events.at_us, kind="stable")
        self.events = events.take(order)
        self._half_life_us = half_life_us
        self._indexes: dict[Family, _Index] = {}

    def __len__(self) -> int:
        return len(self.events)

    def index(self, family: Family) -> "_Index":
        """The index of a family, made when there is none."""
        if family not in self._indexes:
            self._indexes[family] = _Index(family, self.events, self._half_life_us)
        return self._indexes[family]

    def rows_of(self, user: int) -> NDArray[np.intp]:
        """Which of the events are a user's."""
        return self.index(Family.USER_STYLE).rows_between(user * MAX_CODES, (user + 1) * MAX_CODES)

    def add_to(self, tally: Tally, family: Family, keys: Ints, at_us: Ints) -> None:
        """Add to `tally` what this run knows of `keys` strictly before `at_us`; both (Q,)."""
        before = np.searchsorted(self.events.at_us, at_us, side="left")
        self.index(family).add_to(tally, keys, before, at_us, self._half_life_us)


class _Index:
    def __init__(self, family: Family, events: EventTable, half_life_us: float) -> None:
        keys = keys_of(family, events.user, events.category, events.style)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.empty(len(keys), dtype=np.bool_)
        first[:1] = True
        np.not_equal(keys[1:], keys[:-1], out=first[1:])
        self._starts = np.flatnonzero(first)
        self._keys = keys[self._starts]
        segment = np.cumsum(first) - 1
        self._n = len(keys)
        self._codes = segment * self._n + order
        self._at_us = events.at_us[order]
        kinds = events.kind[order]
        weights = events.weight[order] if weighs(family) else np.ones(self._n)
        start_of = self._starts[segment]
        hits = kinds[:, None] == np.arange(3)
        self._amounts = _decayed_sums(hits * weights[:, None], self._at_us, start_of, half_life_us)
        self._counts = _running_counts(hits, start_of)
        self._last_us = _latest(hits[:, :2], self._at_us, start_of)

    def rows_between(self, low: int, high: int) -> NDArray[np.intp]:
        """Rows of the events of which the key is at least `low` and below `high`."""
        first, last = np.searchsorted(self._keys, [low, high])
        ends = np.append(self._starts, self._n)
        return self._codes[ends[first] : ends[last]] % self._n

    def add_to(
        self, tally: Tally, keys: Ints, before: NDArray[np.intp], at_us: Ints, half_life_us: float
    ) -> None:
        segment = np.searchsorted(self._keys, keys, side="left")
        segment = np.minimum(segment, len(self._keys) - 1)
        position = np.searchsorted(self._codes, segment * self._n + before, side="left") - 1
        is_known = (keys >= 0) & (self._keys[segment] == keys)
        found = np.flatnonzero(is_known & (position >= self._starts[segment]))
        if not len(found):
            return
        row = position[found]
        decay = np.exp2((self._at_us[row] - at_us[found]) / half_life_us)
        tally.amounts[found] += self._amounts[row] * decay[:, None]
        tally.counts[found] += self._counts[row]
        tally.last_us[found] = np.maximum(tally.last_us[found], self._last_us[row])


def _decayed_sums(amounts: Floats, at_us: Ints, start_of: Ints, half_life_us: float) -> Floats:
    """Running decayed sums inside segments, (n, 3), by doubling: log2 of the longest segment passes.

    After the pass with reach r, row i holds the last r rows of its segment, decayed to its moment.
    """
    sums = amounts.astype(np.float64)
    index = np.arange(len(at_us))
    depth = index - start_of
    reach = 1
    while True:
        rows = np.flatnonzero(depth >= reach)
        if not len(rows):
            return sums
        decay = np.exp2((at_us[rows - reach] - at_us[rows]) / half_life_us)
        sums[rows] += sums[rows - reach] * decay[:, None]
        reach *= 2


def _running_counts(hits: NDArray[np.bool_], start_of: Ints) -> Ints:
    totals = np.vstack(
        [np.zeros((1, hits.shape[1]), dtype=np.int64), np.cumsum(hits, axis=0, dtype=np.int64)]
    )
    counts: Ints = totals[1:] - totals[start_of]
    return counts


def _latest(hits: NDArray[np.bool_], at_us: Ints, start_of: Ints) -> Ints:
    index = np.arange(len(at_us))[:, None]
    latest = np.maximum.accumulate(np.where(hits, index, -1), axis=0)
    return np.where(latest >= start_of[:, None], at_us[np.maximum(latest, 0)], NEVER)
