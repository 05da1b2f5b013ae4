"""One refresh of a rollup: find what changed in the logs, and fold that again day by day.

Every day is a transaction of its own, so that whoever records waits for one day at most, and a refresh that
breaks off has done what it has done. Rows that come meanwhile are found by the next one: a day is counted
before it is folded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from analytics.cleaning import Cleaning
from analytics.definition import Definition
from analytics.errors import DatabaseBusy, RollupTaken
from analytics.rollup.at import RollupAt
from analytics.rollup.folding import Folding
from analytics.rollup.log_days import Counts, LogDays
from analytics.rollup.numbering import Numbering
from analytics.rollup.spans import WHOLE, Span, day_span, iso_day
from analytics.rollup.tables import UNFINISHED, RollupTables
from analytics.sql.dialect import is_busy, is_overtaken
from analytics.sql.logs import IMPRESSIONS, LogTables

PATIENCE = timedelta(minutes=1)
"""How long a refresh waits for whoever writes what it has to write."""

ATTEMPTS = 8
"""How often a day is tried: users may be erased while PostgreSQL folds it."""

FIRST_PAUSE = timedelta(milliseconds=20)
"""Before the second attempt; each pause is twice the one before, for erasures may come in a row."""

NO_ROLLUP = 0
"""The id of none."""

_MILLISECOND = timedelta(milliseconds=1)

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Refresh:
    """What a refresh did: the days that it folded anew, and whether it began from nothing."""

    days: tuple[str, ...]
    is_rebuilt: bool


@contextmanager
def writing_alone(engine: sa.Engine, rollups: sa.Table) -> Iterator[sa.Connection]:
    """A transaction that sees one moment of the logs, and beside which no other refresh writes.

    It takes its lock before it reads anything. SQLite knows one writer: who records meanwhile waits. In
    PostgreSQL nobody else does.

    Raises:
        DatabaseBusy: somebody else held the lock for `PATIENCE`.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {PATIENCE // _MILLISECOND}")
                _locked(connection, sa.text(f"LOCK TABLE {rollups.name} IN EXCLUSIVE MODE"))
                yield connection
        else:
            with connection.begin():
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {PATIENCE // _MILLISECOND}")
                _locked(connection, rollups.delete().where(sa.false()))
                yield connection


def _locked(connection: sa.Connection, statement: sa.Executable) -> None:
    try:
        connection.execute(statement)
    except OperationalError as error:
        if is_busy(error):
            raise DatabaseBusy(PATIENCE) from error
        raise


@dataclass(frozen=True)
class _State:
    """An experiment's rollup as one transaction finds it."""

    made_with: str
    at: RollupAt

    @property
    def is_finished(self) -> bool:
        return not self.made_with.startswith(UNFINISHED)

    @property
    def days(self) -> LogDays:
        return self.at.as_part(LogDays)

    @property
    def folding(self) -> Folding:
        return self.at.as_part(Folding)


@dataclass(frozen=True)
class Refreshing:
    """One refresh under way.

    made_with: all that the rows depend on, as text.
    """

    engine: sa.Engine
    definition: Definition
    rules: Cleaning
    made_with: str
    logs: LogTables
    tables: RollupTables
    on_progress: Progress

    def run(self) -> Refresh:
        """Fold what changed; a rollup made with other settings is emptied first."""
        with self.engine.connect() as connection:
            state = self._find(connection)
            days = state.days if state else self._at(connection, NO_ROLLUP).as_part(LogDays)
            before, window = days.stored(), days.window()
            now = days.counted(before)
        changed = _differing(before, now)
        folds_whole = bool(changed) and not self._has_unique_ids()
        has_lost = _has_lost_outcomes(before, now)
        is_anew = state is None or folds_whole or has_lost
        if is_anew:
            changed = {*now}
        shown = sorted({day for log, day in changed if log == IMPRESSIONS})
        if folds_whole:
            self.on_progress(0, len(shown))
            self._alone(partial(self._fold_whole, Span(WHOLE, *window), now))
        else:
            if is_anew:
                self._alone(self._empty if has_lost else self._begin)
            outcomes = {key: now.get(key, 0) for key in changed if key[0] != IMPRESSIONS}
            self._fold_days(shown, outcomes)
        self.on_progress(len(shown), len(shown))
        is_rebuilt = is_anew or (state is not None and not state.is_finished)
        return Refresh(tuple(sorted({iso_day(day) for _, day in changed})), is_rebuilt)

    def _fold_days(self, days: Sequence[int], outcomes: Counts) -> None:
        """Fold the last of them with what outcomes changed on others: one day is one transaction."""
        for n_done, day in enumerate(days[:-1]):
            self.on_progress(n_done, len(days))
            self._alone(partial(self._fold, day))
        self.on_progress(max(len(days) - 1, 0), len(days))
        self._alone(partial(self._finish, days, outcomes))

    def _has_unique_ids(self) -> bool:
        return self.logs.impressions.is_unique and all(table.is_unique for _, table in self.logs.outcomes)

    def _alone(self, step: Callable[[sa.Connection], None]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with writing_alone(self.engine, self.tables.rollups) as connection:
                    step(connection)
                return
            except DBAPIError as error:
                if not is_overtaken(error) or attempt == ATTEMPTS:
                    raise
                time.sleep(FIRST_PAUSE.total_seconds() * 2 ** (attempt - 1))

    # -- steps, a transaction each

    def _begin(self, connection: sa.Connection) -> None:
        """Empty the rollup, unless another refresh has done so meanwhile."""
        if self._find(connection) is None:
            self._empty(connection)

    def _empty(self, connection: sa.Connection) -> None:
        """An empty rollup of this experiment, made with today's settings."""
        rollups, name = self.tables.rollups, self.definition.name
        known = connection.scalar(sa.select(rollups.c.rollup_id).where(rollups.c.experiment == name))
        highest = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(rollups.c.rollup_id), 0)))
        rollup_id = int(highest or 0) + 1 if known is None else int(known)
        for table in self.tables.metadata.tables.values():
            connection.execute(table.delete().where(table.c.rollup_id == rollup_id))
        row = {"rollup_id": rollup_id, "experiment": name, "made_with": UNFINISHED + self.made_with}
        connection.execute(rollups.insert(), row)
        self._at(connection, rollup_id).as_part(Numbering).begin()

    def _fold_whole(self, span: Span, counts: Counts, connection: sa.Connection) -> None:
        """Begin from nothing with all days at once: an id that repeats may do so on another day."""
        self._empty(connection)
        state = self._mine(connection)
        state.folding.fold(span, None, has_old=False)
        self._close(state, counts)

    def _fold(self, day: int, connection: sa.Connection) -> None:
        state = self._mine(connection)
        self._fold_unless_done(state, day)
        if state.is_finished:
            state.folding.tidy()

    def _finish(self, days: Sequence[int], outcomes: Counts, connection: sa.Connection) -> None:
        """Fold the last day, and of others what outcomes changed, and let the rollup be read."""
        state = self._mine(connection)
        if days:
            self._fold_unless_done(state, days[-1])
        known = {day for log, day in state.days.stored() if log == IMPRESSIONS}
        state.folding.fold_touched(outcomes, known.difference(days))
        self._close(state, outcomes)

    def _fold_unless_done(self, state: _State, day: int) -> None:
        """Another refresh may have folded the day meanwhile."""
        key = (IMPRESSIONS, day)
        known, n_raw = state.days.stored().get(key), state.days.count(*key)
        if known != n_raw:
            state.folding.fold(day_span(day), n_raw, has_old=known is not None)
            state.days.store({key: n_raw})

    def _close(self, state: _State, counts: Counts) -> None:
        state.days.store(counts)
        state.folding.tidy()
        state.folding.funnel.count_rest(*state.days.window())
        rollups, connection = self.tables.rollups, state.at.connection
        mine = rollups.update().where(rollups.c.rollup_id == state.at.rollup_id)
        connection.execute(mine.values(made_with=self.made_with))

    # -- the rollup there is

    def _find(self, connection: sa.Connection) -> _State | None:
        """None where there is no rollup made with these settings."""
        rollups = self.tables.rollups
        query = sa.select(rollups.c.rollup_id, rollups.c.made_with)
        found = connection.execute(query.where(rollups.c.experiment == self.definition.name)).first()
        if found is None or found.made_with.removeprefix(UNFINISHED) != self.made_with:
            return None
        return _State(found.made_with, self._at(connection, found.rollup_id))

    def _mine(self, connection: sa.Connection) -> _State:
        state = self._find(connection)
        if state is None:
            raise RollupTaken(self.definition.name)
        return state

    def _at(self, connection: sa.Connection, rollup_id: int) -> RollupAt:
        return RollupAt(connection, self.definition, self.rules, self.logs, self.tables, rollup_id)


def _differing(before: Counts, now: Counts) -> set[tuple[str, int]]:
    return {key for key in {*now, *before} if before.get(key, 0) != now.get(key, 0)}


def _has_lost_outcomes(before: Counts, now: Counts) -> bool:
    """Which impressions lost a click is not known any more."""
    return any(n > now.get((log, day), 0) for (log, day), n in before.items() if log != IMPRESSIONS)
