"""Events as they arrive, kept in runs of growing size and merged like a log-structured tree."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from personalize.features.running import SHARED, RunningSums
from personalize.features.runs import EventTable, Family, Ints, Run, Tally, keys_of

MERGE_RATIO = 8
"""A run is merged into the one before it unless that one is at least this many times larger."""

MAX_PENDING = 4096
MAX_COMPARISONS = 1 << 18
"""Events that wait before they should become a run, and comparisons with what is asked that they may cost:
past that whoever asks makes the run."""

MAX_RUNS = 32
"""Runs past which whoever makes one merges them, too; up to there that is left to a thread beside."""

MAX_UNINDEXED = 1 << 13
"""Events of a run up to which its indexes of `SHARED` families, whose sums are at hand, are left to whoever
asks about a moment before them: most runs are merged again before anybody does."""

MAX_OWN = 4096
"""Events of a user up to which a page goes through them all: past that the runs' sums are quicker."""

Row = tuple[int, int, int, int, int, float]
"""Microseconds since the epoch; codes of user, category and style; kind; popularity weight."""


@dataclass(frozen=True, slots=True)
class Merger:
    """A run to be made of what waits, or of runs that stand together.

    Runs never change, so `run` may be made in any thread while the ledger is asked and goes on growing.
    """

    runs: list[Run]
    waited: EventTable | None
    families: tuple[Family, ...]
    half_life_us: float
    n_runs_made: int

    def run(self) -> Run:
        """The run of them all, with the indexes that will be asked for."""
        tables = [run.events for run in self.runs]
        if self.waited is not None:
            tables.append(self.waited)
        merged = Run(EventTable.joined(tables), self.half_life_us)
        is_small = len(merged) <= MAX_UNINDEXED
        for family in self.families:
            if not (is_small and family in SHARED):
                merged.index(family)
        return merged


class Ledger:
    """What happened, summed up as of any moment. Amounts halve every `half_life_us` microseconds."""

    def __init__(self, half_life_us: float) -> None:
        self._half_life_us = half_life_us
        self._arrived: list[Row] = []
        self._pending = _table_of([])
        self._runs: list[Run] = []
        self._families: dict[Family, None] = {}
        self._running = RunningSums(half_life_us)
        self._own: tuple[int, EventTable | None] | None = None
        self._n_runs_made = 0

    def __len__(self) -> int:
        return sum(map(len, self._runs)) + self._n_waiting

    @property
    def _n_waiting(self) -> int:
        return len(self._pending) + len(self._arrived)

    def append(self, row: Row) -> None:
        """Add an event; it may be older than those before it."""
        self._arrived.append(row)

    def extend(self, events: EventTable) -> None:
        """Add many events at once, as a run of their own."""
        self._runs.append(Run(events, self._half_life_us))
        self._own = None
        self._running.extend(events)
        self._running.sum_up()

    def drop(self, user: int) -> None:
        """Drop all events of a user's code."""
        self._flush()
        kept = [run.events.take(run.events.user != user) for run in self._runs]
        self._runs = [Run(events, self._half_life_us) for events in kept if len(events)]
        self._own = None
        self._running = RunningSums(self._half_life_us)
        for run in self._runs:
            self._running.extend(run.events)
        self._running.sum_up()

    def tally(self, family: Family, user: Ints, category: Ints, style: Ints, at_us: Ints) -> Tally:
        """What is known of each key strictly before its moment; codes and moments broadcast to (Q,)."""
        self._families[family] = None
        keys = keys_of(family, user, category, style)
        moments = at_us + np.zeros(keys.shape, dtype=np.int64)  # cheaper than broadcasting them
        if keys.shape != moments.shape:
            keys = np.broadcast_to(keys, moments.shape)
        flat_keys, flat_moments = keys.ravel(), moments.ravel()
        self._hand_over()
        tally = self._running.tally(family, flat_keys, flat_moments)
        if tally is None:
            tally = self._looked_up(family, user, flat_keys, flat_moments)
        return tally.reshape(*keys.shape)

    def _looked_up(self, family: Family, user: Ints, flat_keys: Ints, flat_moments: Ints) -> Tally:
        """The same from what a page's one user did, or from the runs, as of any moments."""
        tally = Tally.empty(len(flat_keys))
        if not (flat_keys >= 0).any():  # of a shopper never seen before there is nothing to look for
            return tally
        is_of_one_page = (user == user.flat[0]).all() and (flat_moments == flat_moments[0]).all()
        if family not in SHARED and is_of_one_page:
            own = self._events_of(int(user.flat[0]))
            if own is not None:
                return own.tally(family, flat_keys, int(flat_moments[0]), self._half_life_us)
        waiting = self._pending.between(family, flat_keys)
        if len(waiting) * len(flat_keys) > MAX_COMPARISONS:
            self._flush()
            waiting = self._pending
        for run in self._runs:
            run.add_to(tally, family, flat_keys, flat_moments)
        if len(waiting):
            waiting.add_to(tally, family, flat_keys, flat_moments, self._half_life_us)
        return tally

    def _events_of(self, user: int) -> EventTable | None:
        """All events of a user, None if they are many; a page asks about its user more than once."""
        if self._own is None or self._own[0] != user:
            self._own = user, self._gathered(user)
        return self._own[1]

    def _gathered(self, user: int) -> EventTable | None:
        rows = [run.rows_of(user) for run in self._runs]
        waiting = np.flatnonzero(self._pending.user == user)
        if sum(map(len, rows)) + len(waiting) > MAX_OWN:
            return None
        parts = [run.events.take(of_run) for run, of_run in zip(self._runs, rows, strict=True)]
        return EventTable.joined([*parts, self._pending.take(waiting)])

    def _hand_over(self) -> None:
        """Hand what is new to the running sums, and to what waits to become a run."""
        if self._arrived:
            new = _table_of(self._arrived)
            self._running.extend(new)
            self._pending = EventTable.joined([self._pending, new])
            self._arrived = []
            self._own = None

    def expect(self, families: Iterable[Family]) -> None:
        """Make the indexes of these families, for which whoever asks first would have to wait.

        It may be called while another thread asks, and takes no lock from it.
        """
        self._families |= dict.fromkeys(families)
        for run in tuple(self._runs):
            for family in tuple(self._families):
                run.index(family)

    @property
    def is_due(self) -> bool:
        """Whether there is a `merger`."""
        return self._n_waiting >= MAX_PENDING or self._first_to_merge() < len(self._runs)

    def merger(self) -> Merger | None:
        """The run to be made next, None while none pays.

        Events that wait come first, so that merging long runs keeps none waiting for longer than that takes.
        """
        if self._n_waiting >= MAX_PENDING:
            self._hand_over()
            return self._merger([], self._pending)
        runs = self._runs[self._first_to_merge() :]
        return self._merger(runs, None) if runs else None

    def adopt(self, merger: Merger, run: Run) -> bool:
        """Put the run in the place of what it was made of.

        Returns:
            False, and nothing changes, if that is no longer there or other indexes are wanted by now.
        """
        if merger.families != tuple(self._families):
            return False
        if merger.waited is not None:
            if merger.n_runs_made != self._n_runs_made:
                return False
            self._hand_over()
            self._running.sum_up()
            self._runs.append(run)
            self._pending = self._pending.take(np.arange(len(merger.waited), len(self._pending)))
            self._n_runs_made += 1
            return True
        stands = [any(each is one for one in merger.runs) for each in self._runs]
        if sum(stands) < len(merger.runs):
            return False
        first = stands.index(True)
        self._runs[first : first + len(merger.runs)] = [run]
        return True

    def _merger(self, runs: list[Run], waited: EventTable | None) -> Merger:
        return Merger(runs, waited, tuple(self._families), self._half_life_us, self._n_runs_made)

    def _first_to_merge(self) -> int:
        """The first of the latest runs of similar size; one past the last where that stands alone."""
        first = len(self._runs) - 1
        size = len(self._runs[first]) if self._runs else 0
        while first > 0 and len(self._runs[first - 1]) < MERGE_RATIO * size:
            first -= 1
            size += len(self._runs[first])
        return first if first < len(self._runs) - 1 else len(self._runs)

    def _flush(self) -> None:
        """Make what is waiting a run now, and merge runs where nobody has for long."""
        self._hand_over()
        if len(self._pending):
            waiting = self._merger([], self._pending)
            self.adopt(waiting, waiting.run())
        while len(self._runs) > MAX_RUNS and (merger := self.merger()):
            self.adopt(merger, merger.run())


def _table_of(rows: list[Row]) -> EventTable:
    columns = list(zip(*rows, strict=True)) or [()] * 6
    at_us, user, category, style, kind = (np.array(each, dtype=np.int64) for each in columns[:5])
    return EventTable(at_us, user, category, style, kind, np.array(columns[5], dtype=np.float64))
