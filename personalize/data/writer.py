"""Group commit: what many threads write at once is committed together."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session, SessionTransaction

from personalize.data.database import in_transaction, is_unavailable, tidy_up, writing
from personalize.errors import DatabaseUnavailable
from personalize.settler import Settler

logger = logging.getLogger(__name__)

TIDY_UP_EVERY = 16
"""Commits after which the database is tidied up."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Submitted(Generic[T]):
    job: Callable[[Session], T]
    future: Future[T]


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class _AloneFailed(Exception):
    """Carries how a job failed past the transaction that it takes back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class GroupWriter:
    """One writes for all: what is queued is committed together, then acknowledged.

    A durable commit costs milliseconds whatever it holds, so a thread takes all that is waiting
    (up to `max_group` jobs), runs each in a savepoint and commits once. It never waits for a group
    to fill. Whoever comes to `write` while nobody writes does so without the thread, and without a
    savepoint: two changes of threads are what a decision would wait for longest. A future resolves
    after the commit that made its work durable.

    A job that raises fails alone. When the database itself fails (locked, disk full, server gone),
    every job of the group gets that error, nothing of the group is stored, and the thread goes on.

    Args:
        max_group: jobs in one transaction at most.
        max_pending: jobs that may wait; past it `submit` blocks.
        submit_timeout_seconds: how long `submit` blocks before it gives up.
    """

    def __init__(
        self,
        engine: Engine,
        max_group: int = 256,
        *,
        max_pending: int = 4096,
        submit_timeout_seconds: float = 10.0,
    ) -> None:
        self._engine = engine
        self._max_group = max_group
        self._max_pending = max_pending
        self._submit_timeout_seconds = submit_timeout_seconds
        self._pending: deque[_Submitted[Any]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._writing: int | None = None
        self._n_untidy = 0
        self._tidier = Settler(partial(tidy_up, engine))
        self._thread = threading.Thread(target=self._run, name="group-writer", daemon=True)
        self._thread.start()

    def write(self, job: Callable[[Session], T]) -> T:
        """What `job` returned, once it is durable.

        Raises:
            DatabaseUnavailable: the writer is closed, the queue stayed full, or the database failed.
        """
        with self._changed:
            self._require_no_job_of_ours()
            is_idle = self._writing is None and not self._pending and not self._closed
            if is_idle:
                self._writing = threading.get_ident()
        if not is_idle:
            return self.submit(job).result()
        submitted = _Submitted(job, Future[T]())
        try:
            self._commit([submitted])
        finally:
            self._let_others_write()
        return submitted.future.result()

    def submit(self, job: Callable[[Session], T]) -> Future[T]:
        """Queue a write; the future holds what `job` returned, once it is durable.

        Raises:
            DatabaseUnavailable: the writer is closed, or the queue stayed full.
        """
        submitted = _Submitted(job, Future[T]())
        with self._changed:
            self._require_no_job_of_ours()
            has_room = self._changed.wait_for(
                lambda: self._closed or len(self._pending) < self._max_pending, self._submit_timeout_seconds
            )
            if self._closed:
                raise DatabaseUnavailable("the writer is closed; open the engine again to write")
            if not has_room:
                raise DatabaseUnavailable(
                    f"{self._max_pending} writes are waiting and the database does not keep up; try again"
                )
            self._pending.append(submitted)
            self._changed.notify_all()
        return submitted.future

    def _require_no_job_of_ours(self) -> None:
        if self._writing == threading.get_ident():
            raise RuntimeError("a job must not submit another job: use the session it was given")

    def close(self) -> None:
        """Commit what is waiting, then end the thread. Calling it twice is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._tidier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while group := self._next_group():
            running = [each for each in group if each.future.set_running_or_notify_cancel()]
            try:
                self._commit(running)
            finally:
                self._let_others_write()

    def _next_group(self) -> list[_Submitted[Any]]:
        with self._changed:
            self._changed.wait_for(lambda: self._writing is None and (self._pending or self._closed))
            size = min(len(self._pending), self._max_group)
            group = [self._pending.popleft() for _ in range(size)]
            self._writing = threading.get_ident() if group else None
            self._changed.notify_all()
        return group

    def _let_others_write(self) -> None:
        with self._changed:
            self._writing = None
            self._n_untidy += 1
            if self._pending or self._closed:
                self._changed.notify_all()
        if self._n_untidy >= TIDY_UP_EVERY:
            self._n_untidy = 0
            self._tidier.wake()

    def _commit(self, group: Sequence[_Submitted[Any]]) -> None:
        attempt = _attempt_alone if len(group) == 1 else _attempt
        try:
            with writing(self._engine) as session:
                results = [attempt(session, each.job) for each in group]
        except _AloneFailed as failed:
            group[0].future.set_exception(failed.error)
            return
        except BaseException as error:
            logger.warning("group_failed", extra={"n_jobs": len(group), "error": str(error)})
            for each in group:
                each.future.set_exception(error)
            return
        for each, result in zip(group, results, strict=True):
            if isinstance(result, _Failed):
                each.future.set_exception(result.error)
            else:
                each.future.set_result(result)


def _attempt(session: Session, job: Callable[[Session], Any]) -> Any:
    """What the job returned, or how it failed alone. What is raised here fails the group.

    After an error of the database itself there may be no transaction left to go on with (SQLite
    ends it when the disk is full), and the next job would be acknowledged without its group.
    """
    whole = session.get_transaction()
    savepoint = session.begin_nested()
    try:
        result = job(session)
        savepoint.commit()
    except Exception as error:
        if is_unavailable(error):
            raise
        savepoint.rollback()
        result = _Failed(error)
    _require_its_transaction(session, whole)
    return result


def _attempt_alone(session: Session, job: Callable[[Session], Any]) -> Any:
    """What the only job of a group returned. Failing, it takes back the transaction, which is its own."""
    whole = session.get_transaction()
    try:
        result = job(session)
        session.flush()
    except Exception as error:
        if is_unavailable(error):
            raise
        raise _AloneFailed(error) from error
    _require_its_transaction(session, whole)
    return result


def _require_its_transaction(session: Session, whole: SessionTransaction | None) -> None:
    if session.get_transaction() is not whole or not in_transaction(session):
        raise RuntimeError("a job ended the transaction of its group; a job must not commit or roll back")
