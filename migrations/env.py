"""Runs the migrations, for `alembic` in a checkout and for `personalize.data.database.upgrade`.

The database is the one handed down by `upgrade(url)`, otherwise the one of the settings
(PERSONALIZE_DATABASE_URL, or SQLite in PERSONALIZE_DATA_DIR).
"""

from typing import Any, Literal

from alembic import context

from personalize.data.database import migration_connection
from personalize.data.schema import Base, Money, UtcDateTime
from personalize.settings import Settings


def database_url() -> str:
    handed_down: str | None = context.config.attributes.get("database_url")
    return handed_down or Settings().resolved_database_url


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Our column types as what they are stored as, so that a revision never imports today's code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Money):
        return "sa.BigInteger()"
    return False


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Not the tables that `analytics` makes beside ours: they can be thrown away and made anew."""
    return kind != "table" or not (name or "").startswith("analytics_")


def print_sql() -> None:
    """`alembic upgrade --sql`: the statements for someone who may not run them from here."""
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run() -> None:
    with migration_connection(database_url()) as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            compare_server_default=True,
            render_item=render_item,
            include_name=is_ours,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    print_sql()
else:
    run()
