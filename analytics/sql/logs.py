"""What the raw logs of a database are called, and what the database itself knows about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from analytics.errors import MissingColumns, UnreadableSource

IMPRESSIONS = "impressions"
"""The quantity that counts impressions, and the name of their log in the funnel."""


@dataclass(frozen=True)
class OutcomeLog:
    """A log of what came of impressions: one row a click, or a purchase.

    Attributes:
        name: the quantity that counts its rows, and the name of the log in the funnel.
        value: the column that is added up as the quantity `value_name`, if there is one; it is an
            amount in `value_units` to one, such as 10,000 for ten-thousandths.
        currency: the column with the ISO 4217 code of that amount; the log may lack it as long as nobody
            names a currency.
        is_once: at most one row of an impression counts.
    """

    name: str
    table: str
    event_id: str | None = "event_id"
    impression_id: str = "impression_id"
    at: str | None = None
    value: str | None = None
    value_name: str = ""
    value_units: int = 1
    currency: str | None = None
    is_once: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The quantities that it gives each user."""
        return (self.name, self.value_name) if self.value else (self.name,)


CLICKS = OutcomeLog("clicks", "clicks", at="clicked_at", is_once=True)
PURCHASES = OutcomeLog(
    "purchases",
    "purchases",
    at="purchased_at",
    value="value",
    value_name="revenue",
    value_units=10_000,
    currency="currency",
)


@dataclass(frozen=True)
class EventLogs:
    """Names of the tables (or views) and columns of the raw logs; `schema.table` in a schema.

    Attributes:
        variant: None where nobody has one, as before an experiment.
        experiment: the column that says to which experiment an impression belongs; None when the
            table holds a single one.
        clicked: a column of the impressions that is true where clicked, in place of a log of clicks.
        outcomes: logs that point to impressions; one whose table is missing is taken as empty.
    """

    impressions: str = "impressions"
    impression_id: str | None = "impression_id"
    user: str = "user_id"
    variant: str | None = "variant"
    shown_at: str | None = "shown_at"
    experiment: str | None = "experiment"
    clicked: str | None = None
    outcomes: tuple[OutcomeLog, ...] = field(default=(CLICKS, PURCHASES))

    @property
    def columns(self) -> tuple[str, ...]:
        """The quantities per user that these logs give."""
        clicked = ("clicks",) if self.clicked else ()
        return ("impressions", *clicked, *(name for log in self.outcomes for name in log.columns))


@dataclass(frozen=True)
class LogTable:
    """A table or view as the database has it; `is_unique` is whether its id column can hold no duplicate."""

    table: sa.TableClause
    is_unique: bool

    def column(self, name: str | None) -> sa.ColumnElement[Any]:
        """A column by name; null where the log has none."""
        return sa.null() if name is None else self.table.c[name]


def find_log(
    connection: sa.Connection, name: str, wanted: tuple[str | None, ...], event_id: str | None
) -> LogTable | None:
    """The log of that name, or None without one.

    Raises:
        MissingColumns: one of `wanted` is not there.
    """
    schema, _, bare = name.rpartition(".")
    inspector = sa.inspect(connection)
    try:
        found = inspector.get_columns(bare, schema=schema or None)
    except sa.exc.NoSuchTableError:
        return None
    names = [column["name"] for column in found]
    missing = [column for column in wanted if column is not None and column not in names]
    if missing:
        raise MissingColumns(f"{name} in {connection.engine.url.database}", missing, names)
    is_sqlite = connection.dialect.name == "sqlite"
    columns = [sa.column(c["name"], _type(c["type"], is_sqlite=is_sqlite)) for c in found]
    keys: list[Sequence[str | None]] = [
        inspector.get_pk_constraint(bare, schema=schema or None)["constrained_columns"]
    ]
    keys += [u["column_names"] for u in inspector.get_unique_constraints(bare, schema=schema or None)]
    keys += [i["column_names"] for i in inspector.get_indexes(bare, schema=schema or None) if i["unique"]]
    return LogTable(sa.table(bare, *columns, schema=schema or None), [event_id] in keys)


def _type(found: Any, *, is_sqlite: bool) -> Any:
    """SQLite keeps times as text and is asked for them as text."""
    return sa.String() if is_sqlite and isinstance(found, sa.DateTime | sa.Date) else found


@dataclass(frozen=True)
class LogTables:
    """The logs of one database, found."""

    names: EventLogs
    impressions: LogTable
    outcomes: tuple[tuple[OutcomeLog, LogTable], ...]

    @classmethod
    def find(cls, connection: sa.Connection, names: EventLogs) -> LogTables:
        """
        Raises:
            UnreadableSource: there is no table of impressions.
            MissingColumns: a table lacks a column that it must have.
        """
        wanted = (names.impression_id, names.user, names.variant, names.shown_at, names.experiment)
        impressions = find_log(connection, names.impressions, (*wanted, names.clicked), names.impression_id)
        if impressions is None:
            source = connection.engine.url.render_as_string(hide_password=True)
            raise UnreadableSource(
                source, f"there is no table or view {names.impressions!r}; name the right one"
            )
        found = [(log, _find_outcomes(connection, log)) for log in names.outcomes]
        return cls(names, impressions, tuple((log, table) for log, table in found if table is not None))


def _find_outcomes(connection: sa.Connection, log: OutcomeLog) -> LogTable | None:
    return find_log(connection, log.table, (log.event_id, log.impression_id, log.at, log.value), log.event_id)
