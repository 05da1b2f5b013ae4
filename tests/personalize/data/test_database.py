"""Sessions, bulk writes and the settings that durability hangs on, the same on both databases."""

import sqlite3
import threading
from pathlib import Path

import pytest
from factories import NOW, make_user
from sqlalchemy import Engine, delete, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from personalize.data import database
from personalize.data.database import (
    insert_new,
    is_unavailable,
    looking,
    open_database,
    reading,
    upsert,
    writing,
)
from personalize.data.schema import Impression, Style, User
from personalize.errors import DatabaseUnavailable


def user_rows(*user_ids: str) -> list[dict[str, object]]:
    return [{"user_id": user_id, "created_at": NOW} for user_id in user_ids]


def style_row(style_id: str, title: str, *, is_active: bool = True) -> dict[str, object]:
    return {
        "style_id": style_id,
        "title": title,
        "content_vector": [],
        "is_active": is_active,
        "added_at": NOW,
    }


def count_users(engine: Engine) -> int:
    with reading(engine) as session:
        return session.scalar(select(func.count()).select_from(User)) or 0


def test_sqlite_is_durable_and_keeps_its_references(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        pragma = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        }
    assert pragma == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "secure_delete": 1,
        "busy_timeout": 10_000,
    }


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "there.sqlite3"
    engine = open_database(f"sqlite:///{path}")
    with reading(engine) as session:
        session.execute(text("SELECT 1"))
    engine.dispose()
    assert path.exists()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("mysql://localhost/shop", "expected a sqlite or postgresql URL, got mysql"),
        ("postgresql+nosuchdriver://localhost/shop", "no driver for postgresql\\+nosuchdriver"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=sentence):
        open_database(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_uses_our_driver(scheme: str) -> None:
    assert open_database(f"{scheme}://localhost/shop").url.drivername == "postgresql+psycopg"


def test_a_file_in_place_of_the_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DatabaseUnavailable, match="cannot be made"):
        open_database(f"sqlite:///{tmp_path}/file/shop.sqlite3")


def test_a_server_that_is_not_there_is_unavailable_and_the_password_stays_secret(tmp_path: Path) -> None:
    engine = open_database(f"postgresql://shop:secret@/shop?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable) as caught, reading(engine) as session:
        session.execute(text("SELECT 1"))
    assert "try again" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite3"
    path.write_bytes(b"this is a shopping list, not a database" * 100)
    engine = open_database(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailable, match="not a database"), reading(engine) as session:
        session.execute(text("SELECT 1"))


def test_what_is_written_is_committed_at_the_end(engine: Engine) -> None:
    with writing(engine) as session:
        make_user(session, "ada")
        assert count_users(engine) == 0
    assert count_users(engine) == 1


def test_what_raises_is_rolled_back(engine: Engine) -> None:
    with writing(engine) as session:
        make_user(session, "grace")
    with pytest.raises(IntegrityError), writing(engine) as session:
        session.add_all([User(**row) for row in user_rows("ada", "grace")])
    assert count_users(engine) == 1


def test_a_reading_session_cannot_write(engine: Engine) -> None:
    with (
        pytest.raises((DBAPIError, DatabaseUnavailable), match=r"readonly|read-only"),
        reading(engine) as session,
    ):
        make_user(session, "ada")
    with writing(engine) as session:  # and leaves no trace on the connection that the pool hands out next
        make_user(session, "grace")
    assert count_users(engine) == 1


def test_a_reading_session_sees_one_state(engine: Engine) -> None:
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0
        with writing(engine) as writer:
            make_user(writer, "ada")
        assert session.scalar(select(func.count()).select_from(User)) == 0
    assert count_users(engine) == 1


def test_a_look_sees_what_is_committed_by_then_and_changes_nothing(engine: Engine) -> None:
    users = select(func.count()).select_from(User)
    with looking(engine) as connection:
        assert connection.scalar(users) == 0
        with writing(engine) as writer:
            make_user(writer, "ada")
        assert connection.scalar(users) == 1
    forbidden = pytest.raises((DBAPIError, DatabaseUnavailable), match=r"readonly|read-only")
    with forbidden, looking(engine) as connection:
        connection.execute(delete(User))
    with reading(engine) as session:  # on the same connection of the pool
        assert session.scalar(users) == 1
        with writing(engine) as writer:
            make_user(writer, "grace")
        assert session.scalar(users) == 1
    assert count_users(engine) == 2


def test_references_must_point_to_something(engine: Engine) -> None:
    with pytest.raises(IntegrityError), writing(engine) as session:
        session.add(
            Impression(
                impression_id="i", slate_id="s", user_id="u", product_id="p", style_id="w", position=0,
                shown_at=NOW, propensity=0.5, policy="personal", model_version="popularity",
            )
        )  # fmt: skip


def test_writers_queue_up_instead_of_failing(engine: Engine) -> None:
    """Each reads, then writes: without the lock at the start, SQLite fails all but one."""
    n_writers, n_turns = 4, 10
    start = threading.Barrier(n_writers)

    def take_turns(writer: int) -> None:
        start.wait()
        for turn in range(n_turns):
            with writing(engine) as session:
                session.scalar(select(func.count()).select_from(User))
                make_user(session, f"{writer}-{turn}")

    threads = [threading.Thread(target=take_turns, args=(writer,)) for writer in range(n_writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count_users(engine) == n_writers * n_turns


def test_a_lock_that_is_never_released_becomes_a_sentence(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.01)
    engine = open_database(sqlite_url)
    with writing(engine) as first:
        make_user(first)
        with (
            pytest.raises(DatabaseUnavailable, match=r"database is locked.*try again"),
            writing(engine) as second,
        ):
            make_user(second)
    with writing(engine) as session:  # the connection that failed to begin is usable again
        make_user(session)
    assert count_users(engine) == 2


def test_a_mistake_in_a_statement_is_not_an_unavailable_database(engine: Engine) -> None:
    with pytest.raises(DBAPIError) as caught, reading(engine) as session:
        session.execute(text("SELECT * FROM no_such_table"))
    assert not is_unavailable(caught.value)
    assert not is_unavailable(ValueError("ours"))


def test_new_rows_are_told_from_known_ones(engine: Engine) -> None:
    with writing(engine) as session:
        assert insert_new(session, User, user_rows("a", "b"), "user_id") == {"a", "b"}
        assert insert_new(session, User, user_rows("b", "c"), "user_id") == {"c"}
        assert insert_new(session, User, [], "user_id") == set()
    assert count_users(engine) == 3


def test_many_rows_fit_into_one_call(engine: Engine) -> None:
    rows = user_rows(*(f"user-{n}" for n in range(20_000)))
    with writing(engine) as session:
        assert len(insert_new(session, User, rows, "user_id")) == 20_000
        assert insert_new(session, User, rows[::2], "user_id") == set()


def test_upsert_overwrites_all_but_what_it_keeps(engine: Engine) -> None:
    with writing(engine) as session:
        upsert(session, Style, [style_row("waves", "Waves"), style_row("woodcut", "Woodcut")])
        later = style_row("waves", "Great waves") | {"added_at": NOW.replace(year=2030)}
        assert upsert(session, Style, [later, style_row("scream", "Scream")], keep={"added_at"}) == 2
        styles = {style.style_id: (style.title, style.added_at) for style in session.scalars(select(Style))}
    assert styles == {
        "waves": ("Great waves", NOW),
        "woodcut": ("Woodcut", NOW),
        "scream": ("Scream", NOW),
    }


def test_upsert_may_spare_rows(engine: Engine) -> None:
    with writing(engine) as session:
        upsert(
            session, Style, [style_row("waves", "Waves"), style_row("woodcut", "Woodcut", is_active=False)]
        )
        changes = [style_row("waves", "A"), style_row("woodcut", "B")]
        assert upsert(session, Style, changes, where=~Style.is_active) == 1
        assert upsert(session, Style, []) == 0
        assert set(session.scalars(select(Style.title))) == {"Waves", "B"}


def test_every_sqlite_failure_of_the_disk_or_the_lock_counts_as_unavailable() -> None:
    for name in ("BUSY", "FULL", "IOERR_WRITE", "READONLY", "CANTOPEN", "CORRUPT"):
        error = sqlite3.OperationalError(name)
        error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}")
        assert is_unavailable(DBAPIError("INSERT", {}, error)), name


def test_a_new_file_that_another_is_making_is_waited_for(tmp_path: Path) -> None:
    """SQLite's own patience does not cover the switch to the write-ahead log."""
    path = tmp_path / "new.sqlite3"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.commit)
    release.start()
    engine = open_database(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    release.join()
    other.close()
    engine.dispose()
