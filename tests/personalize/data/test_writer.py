"""Group commit: acknowledged means durable, one job's failure is its own, and nothing stops the thread."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from factories import NOW, make_user
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from personalize.data import database, writer
from personalize.data.database import open_database, reading, writing
from personalize.data.schema import User
from personalize.data.writer import GroupWriter
from personalize.errors import DatabaseUnavailable

PATIENCE_SECONDS = 60


@pytest.fixture
def group_writer(engine: Engine) -> Iterator[GroupWriter]:
    with GroupWriter(engine) as group_writer:
        yield group_writer


class Gate:
    """Holds the writing thread inside a job, so that a test decides what queues up behind it."""

    def __init__(self, group_writer: GroupWriter) -> None:
        self._open = threading.Event()
        entered = threading.Event()

        def wait(_session: Session) -> None:
            entered.set()
            self._open.wait(PATIENCE_SECONDS)

        self.future = group_writer.submit(wait)
        entered.wait(PATIENCE_SECONDS)

    def open(self) -> None:
        self._open.set()


def stored_users(engine: Engine) -> set[str]:
    with reading(engine) as session:
        return set(session.scalars(select(User.user_id)))


def add(user_id: str) -> Callable[[Session], str]:
    return lambda session: make_user(session, user_id)


def test_the_future_holds_what_the_job_returned_and_it_is_stored(
    engine: Engine, group_writer: GroupWriter
) -> None:
    assert group_writer.submit(add("ada")).result(PATIENCE_SECONDS) == "ada"
    assert stored_users(engine) == {"ada"}


def test_nothing_is_acknowledged_before_the_commit_of_its_group(
    engine: Engine, group_writer: GroupWriter
) -> None:
    gate = Gate(group_writer)
    first, second = group_writer.submit(add("ada")), group_writer.submit(add("grace"))
    assert not first.done()
    assert stored_users(engine) == set()
    seen = []
    first.add_done_callback(lambda _: seen.append(stored_users(engine)))
    gate.open()
    second.result(PATIENCE_SECONDS)
    assert seen == [{"ada", "grace"}]


def test_what_queues_up_is_committed_together(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    commit = GroupWriter._commit

    def count_and_commit(self: GroupWriter, group: Sequence[Any]) -> None:
        groups.append(len(group))
        commit(self, group)

    monkeypatch.setattr(GroupWriter, "_commit", count_and_commit)
    with GroupWriter(sqlite_engine, max_group=10) as group_writer:
        gate = Gate(group_writer)
        futures = [group_writer.submit(add(f"user-{n}")) for n in range(25)]
        gate.open()
        assert [future.result(PATIENCE_SECONDS) for future in futures] == [f"user-{n}" for n in range(25)]
    assert groups == [1, 10, 10, 5]


def test_a_failing_job_fails_alone(engine: Engine, group_writer: GroupWriter) -> None:
    def stumble(session: Session) -> None:
        make_user(session, "half-done")
        raise KeyError("stumbled")

    gate = Gate(group_writer)
    before = group_writer.submit(add("ada"))
    stumbling = group_writer.submit(stumble)
    doubled = group_writer.submit(add("ada"))
    broken = group_writer.submit(lambda session: session.execute(text("SELECT * FROM no_such_table")))
    after = group_writer.submit(add("grace"))
    gate.open()
    assert (before.result(PATIENCE_SECONDS), after.result(PATIENCE_SECONDS)) == ("ada", "grace")
    with pytest.raises(KeyError, match="stumbled"):
        stumbling.result(PATIENCE_SECONDS)
    with pytest.raises(IntegrityError):
        doubled.result(PATIENCE_SECONDS)
    assert "no_such_table" in str(broken.exception(PATIENCE_SECONDS))
    assert stored_users(engine) == {"ada", "grace"}


def test_a_locked_database_fails_the_group_and_the_thread_goes_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.01)
    engine = open_database(sqlite_url)
    with GroupWriter(engine) as group_writer:
        with writing(engine) as session:
            make_user(session, "alan")
            locked_out = group_writer.submit(add("ada"))
            with pytest.raises(DatabaseUnavailable, match="locked"):
                locked_out.result(PATIENCE_SECONDS)
        group_writer.submit(add("grace")).result(PATIENCE_SECONDS)
    assert stored_users(engine) == {"alan", "grace"}


@pytest.mark.parametrize("swallows", [False, True])
def test_a_full_disk_fails_the_whole_group_and_nothing_of_it_is_stored(
    sqlite_engine: Engine, swallows: bool
) -> None:
    """SQLite's own page limit stands in for the disk: the error code is the same."""
    with reading(sqlite_engine) as session:
        n_pages = session.scalar(text("PRAGMA page_count"))

    def fill(session: Session) -> None:
        session.execute(text(f"PRAGMA max_page_count = {n_pages + 1}"))
        try:
            session.execute(insert(User), [{"user_id": f"{n:0128d}", "created_at": NOW} for n in range(1000)])
        except DBAPIError:
            if not swallows:
                raise

    with GroupWriter(sqlite_engine) as group_writer:
        gate = Gate(group_writer)
        small, large, late = (group_writer.submit(job) for job in (add("ada"), fill, add("grace")))
        gate.open()
        for future in (small, large, late):
            error = future.exception(PATIENCE_SECONDS)
            assert isinstance(error, RuntimeError if swallows else DatabaseUnavailable), error
        assert stored_users(sqlite_engine) == set()
        lift = f"PRAGMA max_page_count = {2**30}"
        group_writer.submit(lambda session: session.execute(text(lift))).result(PATIENCE_SECONDS)
        group_writer.submit(add("alan")).result(PATIENCE_SECONDS)
    assert stored_users(sqlite_engine) == {"alan"}


def test_a_job_that_ends_the_transaction_fails_its_group(engine: Engine) -> None:
    def meddle(session: Session) -> None:
        session.rollback()

    with GroupWriter(engine) as group_writer:
        gate = Gate(group_writer)
        before, meddling = group_writer.submit(add("ada")), group_writer.submit(meddle)
        gate.open()
        assert before.exception(PATIENCE_SECONDS) is not None
        assert meddling.exception(PATIENCE_SECONDS) is not None
        assert stored_users(engine) == set()
        group_writer.submit(add("grace")).result(PATIENCE_SECONDS)
    assert stored_users(engine) == {"grace"}


def test_a_cancelled_job_does_not_run(engine: Engine, group_writer: GroupWriter) -> None:
    gate = Gate(group_writer)
    unwanted, wanted = group_writer.submit(add("ada")), group_writer.submit(add("grace"))
    assert unwanted.cancel()
    gate.open()
    wanted.result(PATIENCE_SECONDS)
    assert stored_users(engine) == {"grace"}


def test_close_drains_the_queue(engine: Engine) -> None:
    group_writer = GroupWriter(engine, max_group=7)
    gate = Gate(group_writer)
    futures = [group_writer.submit(add(f"user-{n}")) for n in range(30)]
    gate.open()
    group_writer.close()
    group_writer.close()
    assert all(future.done() for future in futures)
    assert len(stored_users(engine)) == 30
    with pytest.raises(DatabaseUnavailable, match="closed"):
        group_writer.submit(add("late"))


def test_a_full_queue_says_so(sqlite_engine: Engine) -> None:
    with GroupWriter(sqlite_engine, max_pending=2, submit_timeout_seconds=0.01) as group_writer:
        gate = Gate(group_writer)
        waiting = [group_writer.submit(add(name)) for name in ("ada", "grace")]
        with pytest.raises(DatabaseUnavailable, match="2 writes are waiting"):
            group_writer.submit(add("alan"))
        gate.open()
        assert [future.result(PATIENCE_SECONDS) for future in waiting] == ["ada", "grace"]


def test_a_job_cannot_wait_for_another_job(sqlite_engine: Engine) -> None:
    with GroupWriter(sqlite_engine) as group_writer:
        nested = group_writer.submit(lambda _session: group_writer.submit(add("ada")))
        with pytest.raises(RuntimeError, match="must not submit"):
            nested.result(PATIENCE_SECONDS)


def test_who_comes_while_nobody_writes_does_it_without_the_thread(
    engine: Engine, group_writer: GroupWriter
) -> None:
    def where(session: Session) -> int:
        make_user(session, f"user-{threading.get_ident()}")
        return threading.get_ident()

    here = threading.get_ident()
    assert group_writer.write(where) == here
    assert stored_users(engine) == {f"user-{here}"}
    gate = Gate(group_writer)
    later = threading.Timer(0.05, gate.open)
    later.start()
    assert group_writer.write(where) != here
    later.join()


def test_a_job_that_fails_where_it_was_written_stores_nothing(
    engine: Engine, group_writer: GroupWriter, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(session: Session) -> None:
        make_user(session, "half-done")
        raise KeyError("stumbled")

    with pytest.raises(KeyError, match="stumbled"):
        group_writer.write(stumble)
    assert group_writer.write(add("ada")) == "ada"
    with pytest.raises(IntegrityError):
        group_writer.write(add("ada"))
    assert stored_users(engine) == {"ada"}
    assert not caplog.records
    with pytest.raises(RuntimeError, match="must not submit"):
        group_writer.write(lambda _session: group_writer.write(add("grace")))
    with pytest.raises(RuntimeError, match="ended the transaction"):
        group_writer.write(lambda session: session.rollback())
    assert group_writer.write(add("alan")) == "alan"


def test_who_writes_here_holds_up_the_thread_and_close(engine: Engine) -> None:
    group_writer = GroupWriter(engine)
    entered, may_go_on = threading.Event(), threading.Event()

    def wait(session: Session) -> str:
        entered.set()
        may_go_on.wait(PATIENCE_SECONDS)
        return make_user(session, "ada")

    here = threading.Thread(target=group_writer.write, args=(wait,))
    here.start()
    entered.wait(PATIENCE_SECONDS)
    queued = group_writer.submit(add("grace"))
    closing = threading.Thread(target=group_writer.close)
    closing.start()
    assert not queued.done()
    may_go_on.set()
    for thread in (here, closing):
        thread.join(PATIENCE_SECONDS)
    assert queued.done()
    assert stored_users(engine) == {"ada", "grace"}
    with pytest.raises(DatabaseUnavailable, match="closed"):
        group_writer.write(add("late"))


def make_many(n: int) -> Callable[[Session], None]:
    def make(session: Session) -> None:
        for k in range(50):
            make_user(session, f"{n}-{k:0100d}")

    return make


def test_what_was_written_is_moved_into_the_file_beside(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TIDY_UP_EVERY", 4)
    engine = open_database(sqlite_url)
    file = Path(str(engine.url.database))
    with reading(engine):  # the last connection to close would move it anyway
        size = file.stat().st_size
        with GroupWriter(engine) as group_writer:
            for n in range(20):
                group_writer.write(make_many(n))
            assert len(stored_users(engine)) == 1000
        assert file.stat().st_size > size + 50_000
        assert len(stored_users(engine)) == 1000
    engine.dispose()


@pytest.mark.parametrize("way", ["submit", "write"])
def test_many_threads_lose_nothing(engine: Engine, group_writer: GroupWriter, way: str) -> None:
    n_threads, n_jobs = 8, 40
    acknowledged: list[str] = []

    def shop(thread: int) -> None:
        for n in range(n_jobs):
            job = add(f"{thread}-{n}")
            acknowledged.append(
                group_writer.write(job) if way == "write" else group_writer.submit(job).result()
            )

    threads = [threading.Thread(target=shop, args=(thread,)) for thread in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(acknowledged) == n_threads * n_jobs
    assert stored_users(engine) == set(acknowledged)


KILLED = """
import sys, threading
from datetime import UTC, datetime
from personalize.data.database import open_database
from personalize.data.schema import User
from personalize.data.writer import GroupWriter

writer = GroupWriter(open_database(sys.argv[1]))

def shop(thread):
    for n in range(100_000):
        user_id = f"{thread}-{n}"
        job = lambda session: session.add(User(user_id=user_id, created_at=datetime.now(UTC)))
        writer.write(job)
        sys.stdout.write(user_id + "\\n")

for thread in range(4):
    threading.Thread(target=shop, args=(thread,)).start()
"""


def test_what_was_acknowledged_survives_kill_9(database_url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", KILLED, database_url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(database.__file__).parents[2],
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(150)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.wait(PATIENCE_SECONDS)
    process.stdout.close()

    whole = {line.strip() for line in acknowledged if line.endswith("\n")}
    assert len(whole) >= 150
    engine = open_database(database_url)
    assert whole <= stored_users(engine)
    if engine.dialect.name == "sqlite":
        with reading(engine) as session:
            assert session.scalar(text("PRAGMA integrity_check")) == "ok"
    engine.dispose()
