"""Opening, locking and migrating the database. The only file that can tell SQLite from PostgreSQL.

SQLite runs in WAL mode with `synchronous=FULL`: a commit that returned survives a power cut.
Sessions that write begin with `BEGIN IMMEDIATE`, so two writers queue up instead of failing half way.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from personalize.data.schema import Base
from personalize.errors import DatabaseOutOfDate, DatabaseUnavailable

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

BUSY_TIMEOUT_SECONDS = 10.0
WAL_PAGES = 8000
"""Pages in the write-ahead log at which a commit itself moves them into the file; `tidy_up` comes before."""
T = TypeVar("T")

_ACCESS = "personalize_access"
_MIGRATION_LOCK = 0x7065_7273_6F6E  # "person": any constant does, as long as it never changes
_SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
    }
)


def open_database(url: str) -> Engine:
    """An engine for the SQLite file or PostgreSQL server at `url`; nothing is migrated.

    The folder of a SQLite file is made when it is missing.

    Raises:
        DatabaseUnavailable: a database we do not speak, a missing driver, SQLite in memory (every
            connection would see a database of its own), or a folder that cannot be made.
    """
    parsed = _normalized(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed)
        return create_engine(parsed, pool_size=10, max_overflow=30, pool_pre_ping=True)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise DatabaseUnavailable(
            f"no driver for {parsed.drivername}: {error}; run `pip install 'personalize[postgres]'`"
        ) from error


def _normalized(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise DatabaseUnavailable(
            f"expected a sqlite or postgresql URL, got {parsed.drivername}; set PERSONALIZE_DATABASE_URL"
        )
    return parsed


def _open_sqlite(url: URL) -> Engine:
    if url.database in {None, "", ":memory:"}:
        raise DatabaseUnavailable(
            "SQLite in memory is a new database for every connection; name a file instead"
        )
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(f"the database folder {folder} cannot be made: {error.strerror}") from error
    engine = create_engine(url, pool_size=10, max_overflow=30, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin by itself, and too late to take the write lock
    _log_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # the bytes of an erased user are overwritten
    connection.execute("PRAGMA cache_size = -32000")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log, which for once does not wait for others who open a new file as well."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    access = connection.get_execution_options().get(_ACCESS)
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    _permit(connection, driver, may_write=access not in {"read", "look"})
    if access != "look":
        _run(driver, "BEGIN IMMEDIATE" if access == "write" else "BEGIN")


def _permit(connection: Connection, driver: sqlite3.Connection, *, may_write: bool) -> None:
    """Let the connection write, or not, which outlasts what it is used for."""
    if connection.info.get(_ACCESS) != may_write:
        _run(driver, f"PRAGMA query_only = {'OFF' if may_write else 'ON'}")
        connection.info[_ACCESS] = may_write


def _run(driver: sqlite3.Connection, statement: str) -> None:
    """Every page begins twice, and SQLAlchemy's way there is thirty times as long."""
    try:
        driver.execute(statement)
    except sqlite3.Error as error:
        raise OperationalError(statement, None, error) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session that may write; committed when the block ends, rolled back when it raises.

    Raises:
        DatabaseUnavailable: locked for longer than the busy timeout, disk full, server gone.
    """
    with _answering(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        session.connection(execution_options=_access(engine, "write"))
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one state of the database and cannot change it.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    options = _access(engine, "read")
    with (
        _answering(engine),
        Session(engine.execution_options(**options), expire_on_commit=False) as session,
    ):
        yield session


@contextmanager
def looking(engine: Engine) -> Iterator[Connection]:
    """A connection for questions, each of which sees what is committed by then; cheaper than `reading`.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    with _answering(engine), engine.connect() as connection:
        connection.execution_options(**_access(engine, "look"))
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            _permit(connection, driver, may_write=False)
        yield connection


def tidy_up(engine: Engine) -> None:
    """Move what was committed from SQLite's write-ahead log into its file, which nobody has to wait for.

    Left to a commit, one in thirty would take several times as long as the others.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    if engine.dialect.name == "sqlite":
        with _answering(engine), engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _access(engine: Engine, access: Literal["read", "look", "write"]) -> dict[str, Any]:
    """Execution options of a connection for this."""
    if engine.dialect.name == "postgresql" and access != "write":
        level = "REPEATABLE READ" if access == "read" else "READ COMMITTED"
        return {"postgresql_readonly": True, "isolation_level": level}
    return {_ACCESS: access}


@contextmanager
def _answering(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = _failure_of_the_database(error)
        if cause is None:
            raise
        reason = str(cause.orig if isinstance(cause, DBAPIError) else cause).strip()
        raise DatabaseUnavailable(
            f"the database {engine.url.render_as_string(hide_password=True)} does not answer: {reason}; "
            "nothing was changed, try again"
        ) from error


def is_unavailable(error: BaseException) -> bool:
    """Whether the database itself failed (locked, full, unreachable), not the statement sent to it."""
    return isinstance(error, DatabaseUnavailable) or _failure_of_the_database(error) is not None


def _failure_of_the_database(error: BaseException) -> BaseException | None:
    """The error, or the one it came from, that says so: after a full disk, cleaning up fails too."""
    if isinstance(error, PoolTimeout):
        return error
    if isinstance(error, DBAPIError):
        if isinstance(error.orig, sqlite3.Error):
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _SQLITE_UNAVAILABLE:
                return error
        elif error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
            return error
    return _failure_of_the_database(error.__context__) if error.__context__ else None


def in_transaction(session: Session) -> bool:
    """Whether the database still has the transaction: SQLite ends it by itself when the disk is full."""
    driver = session.connection().connection.driver_connection
    return driver.in_transaction if isinstance(driver, sqlite3.Connection) else True


def insert_new(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], key: str) -> set[str]:
    """Insert the rows whose primary key is not there yet; returns the `key` of those that were new.

    Two processes may insert the same row at once: one wins, the other learns that it did not.

    Args:
        key: a column that tells the given rows apart; usually the primary key.
    """
    if not rows:
        return set()
    statement = _insert_new(session.get_bind().dialect.name, table_of(model), key)
    return set(session.connection().execute(statement, list(rows)).scalars())


@cache
def _insert_new(dialect: str, table: Table, key: str) -> Any:
    """Made once: every batch of events asks for it, and making it costs as much as running it."""
    return insert_if_new(dialect, table).returning(table.c[key])


def insert_if_new(dialect: str, table: Table) -> Any:
    """The statement that inserts rows, and passes over those whose primary key is there."""
    return _insert(dialect)(table).on_conflict_do_nothing(index_elements=table.primary_key.columns)


def upsert(
    session: Session,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    keep: Collection[str] = (),
    where: ColumnElement[bool] | None = None,
) -> int:
    """Insert the rows; where the primary key is there already, overwrite the columns that the rows name.

    Args:
        keep: columns that are written once, at the insert.
        where: an existing row is overwritten only if it satisfies this.
    Returns:
        How many rows were inserted or overwritten.
    """
    if not rows:
        return 0
    table = table_of(model)
    key = table.primary_key.columns
    statement = _insert(session.get_bind().dialect.name)(table)
    overwritten = {name: statement.excluded[name] for name in rows[0] if name not in {*key.keys(), *keep}}
    statement = statement.on_conflict_do_update(index_elements=key, set_=overwritten, where=where)
    return len(session.execute(statement.returning(*key), list(rows)).all())


def in_chunks(values: Iterable[T], size: int = 1000) -> Iterator[list[T]]:
    """The values in lists that fit into one `IN (...)` of either database.

    >>> list(in_chunks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _insert(dialect: str) -> Callable[[Table], Any]:
    return postgresql.insert if dialect == "postgresql" else sqlite.insert


def table_of(model: type[Base]) -> Table:
    """The table behind a model, for statements that need no objects (several times faster in bulk)."""
    table = model.__table__
    assert isinstance(table, Table)
    return table


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to a revision of this version's migrations; harmless when it is there already.

    Raises:
        DatabaseUnavailable: the database does not answer, or is at a revision that this version
            does not know, because a newer version made it.
    """
    from alembic import command

    _require_known_revision(url)
    command.upgrade(_alembic_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database back to an earlier revision ("base" has no tables), with what fits into it."""
    from alembic import command

    _require_known_revision(url)
    command.downgrade(_alembic_config(url), revision)


def current_revision(engine: Engine) -> str | None:
    """The revision that the database is at; None for a database without our tables."""
    from alembic.runtime.migration import MigrationContext

    with _answering(engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def head_revision() -> str:
    """The revision that this version of the code needs."""
    head = _script_directory().get_current_head()
    assert head is not None
    return head


def require_head(engine: Engine) -> None:
    """Refuse a database at another revision than the code.

    Raises:
        DatabaseOutOfDate: with the command to run.
    """
    current = current_revision(engine)
    if current != head_revision():
        raise DatabaseOutOfDate(current, head_revision())


@contextmanager
def migration_connection(url: str) -> Iterator[Connection]:
    """A connection in a transaction that holds the migration lock: what `migrations/env.py` runs on.

    SQLite's foreign keys are off while tables are rebuilt (dropping the old copy would cascade)
    and checked before the commit; PostgreSQL is guarded by an advisory lock.
    """
    engine = open_database(url)
    try:
        with _answering(engine), engine.connect() as connection:
            connection.execution_options(**_access(engine, "write"))
            if engine.dialect.name == "sqlite":
                connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            with connection.begin():
                if engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                yield connection
                if engine.dialect.name == "sqlite":
                    _require_sound_references(connection)
    finally:
        engine.dispose()


def _require_sound_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        tables = sorted({row[0] for row in broken})
        raise DatabaseUnavailable(
            f"the migration was rolled back: {len(broken)} rows of {', '.join(tables)} would point to nothing"
        )


def _require_known_revision(url: str) -> None:
    engine = open_database(url)
    try:
        current = current_revision(engine)
    finally:
        engine.dispose()
    known = {script.revision for script in _script_directory().walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseUnavailable(
            f"the database is at revision {current}, which this version does not know; "
            "use the version that made it, or a newer one"
        )


def _script_directory() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_alembic_config(""))


def _alembic_config(url: str) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations_dir()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["database_url"] = url
    return config


def _migrations_dir() -> Path:
    """Inside the package when it was installed from a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise FileNotFoundError(f"no migrations beside or inside {package}; install the package again")
