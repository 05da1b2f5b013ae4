"""Showings that may still be clicked or bought: rows of columns, found by impression id."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import Ints

FIRST_ROOM = 64
BLOCK = 256
"""Rows looked at together to find those to let go of."""


class OpenShowings:
    """Rows in the order of their arrival, of which the oldest are let go of.

    A shop keeps millions. As an object each they would be looked through by the garbage collector again and
    again, and while they leave a dict at its front, finding the next one takes longer and longer.

    Args:
        columns: by name, what a row has before it is given a value: its type is the column's, and where it is
            an array of one the column has as many values a row as the widest row that came.
    """

    def __init__(self, **columns: Any) -> None:
        self._blank = {name: np.asarray(blank) for name, blank in columns.items()}
        self._columns = {name: _filled(FIRST_ROOM, blank) for name, blank in self._blank.items()}
        self._number: dict[str, int] = {}
        self._ids: deque[str] = deque()
        self._first = 0  # the number of the oldest row; those behind it are numbered on
        self._base = 0  # the number of the row at place 0 of the columns

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, impression_id: str) -> bool:
        return impression_id in self._number

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The rows of a column, (n,) or (n, width), in the order of arrival; writing to it changes them."""
        rows: NDArray[Any] = self._columns[name][self._place : self._place + len(self)]
        return rows

    def find(self, impression_id: str) -> int | None:
        """Which of the rows is this impression's; None if it is not there."""
        number = self._number.get(impression_id)
        return None if number is None else number - self._first

    def fresh(self, impression_ids: Sequence[str]) -> list[int]:
        """Which of these are not there yet, each once."""
        first = {one: place for place, one in reversed(list(enumerate(impression_ids)))}
        return sorted(place for one, place in first.items() if one not in self._number)

    def add(self, impression_ids: Sequence[str], **values: NDArray[Any]) -> None:
        """Add rows of impressions that are not there, with values of some columns, (n,) or (n, width)."""
        n = len(impression_ids)
        self._make_room(n)
        start = self._place + len(self)
        for name, given in values.items():
            if given.ndim == 2:
                self._widen(name, given.shape[1])
        for name, column in self._columns.items():
            rows = column[start : start + n]
            rows[...] = self._blank[name]
            if name in values:
                given = values[name]
                rows[tuple(map(slice, given.shape))] = given
        number = self._first + len(self)
        self._number.update(zip(impression_ids, range(number, number + n), strict=True))
        self._ids.extend(impression_ids)

    def let_go_before(self, at_us: int) -> None:
        """Let go of the oldest until one was shown at that moment or later."""
        shown_us: Ints = self["at_us"]
        n = 0
        while n < len(shown_us):
            later = np.flatnonzero(shown_us[n : n + BLOCK] >= at_us)
            if len(later):
                n += int(later[0])
                break
            n = min(n + BLOCK, len(shown_us))
        for _ in range(n):
            del self._number[self._ids.popleft()]
        self._first += n

    def drop(self, is_dropped: NDArray[np.bool_]) -> None:
        """Let go of the rows marked, (n,)."""
        kept = np.flatnonzero(~is_dropped)
        ids, rows = list(self._ids), {name: self[name][kept] for name in self._columns}
        self._number.clear()
        self._ids.clear()
        self.add([ids[row] for row in kept.tolist()], **rows)

    @property
    def _place(self) -> int:
        """Of the oldest row in the columns."""
        return self._first - self._base

    def _make_room(self, n: int) -> None:
        """Rows move to the front where half of the room has been let go of, or into twice the room."""
        wanted = len(self) + n
        room = len(next(iter(self._columns.values())))
        if self._place + wanted <= room:
            return
        if wanted > room // 2:
            room = 2 * wanted
        for name, blank in self._blank.items():
            rows, width = self[name], self._columns[name].shape[1:]
            self._columns[name] = _filled(room, np.broadcast_to(blank, width or blank.shape))
            self._columns[name][: len(rows)] = rows
        self._base = self._first

    def _widen(self, name: str, width: int) -> None:
        column = self._columns[name]
        missing = width - column.shape[1]
        if missing > 0:
            more = _filled(len(column), np.broadcast_to(self._blank[name], (missing,)))
            self._columns[name] = np.hstack([column, more])


def _filled(n_rows: int, blank: NDArray[Any]) -> NDArray[Any]:
    filled: NDArray[Any] = np.full((n_rows, *blank.shape), blank)
    return filled
