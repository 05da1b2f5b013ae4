"""Sums that all shoppers share, kept as of the latest moment asked about: every page asks for all of them."""

from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import NEVER, EventTable, Family, Floats, Ints, Kind, Tally, keys_of, weighs

SHARED = (Family.STYLE, Family.CATEGORY_STYLE)
"""Families of so few keys that each can have its sums at hand."""

MAX_ASKED = 256
"""Sets of keys whose rows are kept in mind: as many as there are kinds of pages, in sets of categories."""

_NONE = np.zeros(0, dtype=np.int64)


class RunningSums:
    """What `Run` answers of these families, at the cost of what is new since the question before.

    Only for questions about one moment after everything summed up so far; the time of an event may lie in
    the future, and it waits until somebody asks about a later moment.
    """

    def __init__(self, half_life_us: float) -> None:
        self._half_life_us = half_life_us
        self._families = {family: _Sums() for family in SHARED}
        self._new: list[EventTable] = []
        self._as_of_us = int(NEVER)
        self._is_empty = True

    def extend(self, events: EventTable) -> None:
        """Add events, which may be older than those before them."""
        if len(events):
            self._new.append(events)

    def sum_up(self) -> None:
        """Do now what the next question would have to; it comes after the newest showing."""
        shown = [events.at_us[events.kind == Kind.SHOWN] for events in self._new]
        newest = max((int(at_us.max()) for at_us in shown if len(at_us)), default=int(NEVER))
        if newest > NEVER:
            self._take(newest)

    def tally(self, family: Family, keys: Ints, at_us: Ints) -> Tally | None:
        """What is known of each key, (Q,), strictly before the one moment that all ask about.

        Returns:
            None for several moments, one that was summed past, or another family.
        """
        if family not in self._families or not len(at_us) or (at_us != at_us[0]).any():
            return None
        moment = int(at_us[0])
        if not self._is_empty and moment <= self._as_of_us:
            return None
        if self._new:
            self._take(moment)
        return self._families[family].tally(keys, at_us, self._as_of_us, self._half_life_us)

    def _take(self, before_us: int) -> None:
        """Sum up what happened before that moment; the rest goes on waiting."""
        new = EventTable.joined(self._new)
        is_due = new.at_us < before_us
        self._new = [] if is_due.all() else [new.take(~is_due)]
        due = new if is_due.all() else new.take(is_due)
        if not len(due):
            return
        latest = int(due.at_us.max())
        as_of = latest if self._is_empty else max(latest, self._as_of_us)
        passed = 0 if self._is_empty else as_of - self._as_of_us
        decay = np.exp2((due.at_us - as_of) / self._half_life_us)
        for family, sums in self._families.items():
            weight = decay * due.weight if weighs(family) else decay
            keys = keys_of(family, due.user, due.category, due.style)
            sums.add(keys, due.kind, due.at_us, weight, float(np.exp2(-passed / self._half_life_us)))
        self._as_of_us, self._is_empty = as_of, False


class _Sums:
    """The sums of one family, a row a key."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._asked: dict[bytes, tuple[int, NDArray[np.intp], Ints]] = {}
        self._tally = Tally.empty(0)

    def add(self, keys: Ints, kind: Ints, at_us: Ints, weight: Floats, fading: float) -> None:
        """Let what is there fade, and add events of known keys, (n,)."""
        known = keys >= 0
        if not known.all():
            keys, kind, at_us, weight = keys[known], kind[known], at_us[known], weight[known]
        rows = self._rows
        row = np.array([rows.setdefault(key, len(rows)) for key in keys.tolist()], np.int64)
        self._reserve(len(rows))
        tally = self._tally
        tally.amounts *= fading
        tally.add(row, kind, at_us, weight)

    def tally(self, keys: Ints, at_us: Ints, as_of_us: int, half_life_us: float) -> Tally:
        found, row = self._found(keys)
        tally = Tally.empty(len(keys))
        if len(found):
            fading = np.exp2((as_of_us - at_us[found]) / half_life_us)
            tally.amounts[found] = self._tally.amounts[row] * fading[:, None]
            tally.counts[found] = self._tally.counts[row]
            tally.last_us[found] = self._tally.last_us[row]
        return tally

    def _found(self, keys: Ints) -> tuple[NDArray[np.intp], Ints]:
        """Which of the keys have a row, and the row of each; the same keys are asked for again and again."""
        asked = keys.tobytes()
        n_rows, found, row = self._asked.get(asked, (-1, _NONE, _NONE))
        if n_rows != len(self._rows):
            row = np.array([*map(self._rows.get, keys.tolist(), repeat(-1))], dtype=np.int64)
            found = np.flatnonzero(row >= 0)
            row = row[found]
            if len(self._asked) >= MAX_ASKED:
                self._asked.clear()
            self._asked[asked] = len(self._rows), found, row
        return found, row

    def _reserve(self, size: int) -> None:
        missing = size - len(self._tally.amounts)
        if missing > 0:
            more = Tally.empty(missing)
            self._tally = Tally(
                np.concatenate([self._tally.amounts, more.amounts]),
                np.concatenate([self._tally.counts, more.counts]),
                np.concatenate([self._tally.last_us, more.last_us]),
            )
