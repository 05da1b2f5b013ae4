"""Reading an experiment from SQLite or PostgreSQL: sums come back, rows stay there.

Three relations, tables or views, whose names are settings of `Relations`:
    experiment_units       experiment, variant, user_id, clicks, impressions, and where known purchases
                           and revenue: one row per user
    experiment_unit_days   the same with day, an ISO date: one row per user and day; may be missing
    experiments            name, variants as JSON {variant: planned share}; may be missing
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from analytics.definition import Definition, parse_definition
from analytics.errors import MissingColumns, UnknownExperiment, UnreadableSource
from analytics.sql.daily import DailyRows, variant_name
from analytics.sums import Moments, pairs_of
from analytics.units import COLUMNS, ExperimentSums, accumulate_days


@dataclass(frozen=True)
class Relations:
    """Names of the tables or views to read, `schema.name` where they live in a schema."""

    units: str = "experiment_units"
    days: str = "experiment_unit_days"
    experiments: str = "experiments"


def read_experiment(
    database: str | Path | sa.Engine,
    experiment: str,
    *,
    columns: Sequence[str] = COLUMNS,
    relations: Relations = Relations(),
) -> ExperimentSums:
    """The sums, the daily sums and the plan of one experiment.

    Args:
        database: an SQLAlchemy URL, the path of an SQLite file, or an engine.
        columns: quantities to sum; `clicks` and `impressions` must exist, others are read where they do.
    Raises:
        UnreadableSource: no such database or relation, or the database refused.
        MissingColumns: the relation of units lacks what it must have.
        UnknownExperiment: the experiment has neither users nor a plan.
    """
    with opened(database) as connection:
        source = connection.engine.url.render_as_string(hide_password=True)
        return _read(connection, source, experiment, columns, relations)


@contextmanager
def opened(database: str | Path | sa.Engine) -> Iterator[sa.Connection]:
    """A connection for reading; whatever the database refuses is an error of ours.

    Raises:
        UnreadableSource: no such database, or it refused.
    """
    engine = database if isinstance(database, sa.Engine) else _engine(database_url(database))
    source = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        detail = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise UnreadableSource(source, f"the database refused ({detail})") from error
    finally:
        if engine is not database:
            engine.dispose()


def stored_definition(connection: sa.Connection, relation: str, experiment: str) -> Definition | None:
    """The definition in the table of experiments, as far as the table knows it; None without one.

    Raises:
        UnreadableSource: its shares do not read like {'a': 0.5}.
        InvalidDefinition: what is stored cannot be.
    """
    table = _relation(connection, relation)
    shares = _planned_shares(connection, relation, experiment)
    if table is None or shares is None:
        return None
    known = [
        sa.column(name, sa.JSON) if name in AS_JSON else table.c[name] for name in STORED if name in table.c
    ]
    query = sa.select(*known) if known else sa.select(sa.literal(experiment).label("name"))
    row = connection.execute(query.select_from(table).where(table.c.name == experiment)).mappings().one()
    weight = sum(shares.values())
    variants = {name: share / weight for name, share in shares.items() if share > 0}
    values = {name: _utc(value) for name, value in row.items() if value is not None}
    return parse_definition({"name": experiment} | values | {"variants": variants})


AS_JSON = ("goals", "guardrails", "rates")
STORED = (
    "name",
    "salt",
    "version",
    "traffic",
    "layer",
    "layer_start",
    "started_at",
    "stopped_at",
    "attribution_seconds",
    "pre_period_days",
    "currency",
    *AS_JSON,
)


def _utc(value: Any) -> Any:
    """SQLite gives times back without their zone."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def database_url(database: str | Path) -> sa.URL:
    """The URL of a database, from a URL or the path of an SQLite file.

    PostgreSQL is reached through psycopg. A missing SQLite file is an error: connecting would create it.

    Raises:
        UnreadableSource: the text is no URL and no file, or the SQLite file does not exist.
    """
    text = str(database)
    try:
        url = sa.make_url(text) if "://" in text else sa.URL.create("sqlite", database=text)
    except (ArgumentError, ValueError) as error:
        raise UnreadableSource(text, "is no database URL; one reads sqlite:///shop.db") from error
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database and not _is_sqlite_file(url):
        raise UnreadableSource(url.database, "there is no such database file; check the path")
    return url


def _engine(url: sa.URL) -> sa.Engine:
    try:
        return sa.create_engine(url)
    except (ImportError, SQLAlchemyError) as error:
        source = url.render_as_string(hide_password=True)
        raise UnreadableSource(source, f"there is no driver for it ({error}); install one") from error


def _is_sqlite_file(url: sa.URL) -> bool:
    database = url.database or ""
    return database.startswith((":memory:", "file:")) or Path(database).is_file()


def _read(
    connection: sa.Connection, source: str, experiment: str, columns: Sequence[str], relations: Relations
) -> ExperimentSums:
    units = _relation(connection, relations.units)
    if units is None:
        raise UnreadableSource(source, f"there is no table or view {relations.units!r}; upgrade the database")
    _require(source, units, ("experiment", "variant", "clicks", "impressions"))
    known = [c for c in columns if c in units.c]
    moments = relation_moments(connection, units, known, units.c.experiment == experiment)
    shares = _planned_shares(connection, relations.experiments, experiment)
    if not moments and shares is None:
        raise UnknownExperiment(experiment, _known_experiments(connection, units, relations.experiments))
    days = _relation(connection, relations.days)
    if days is None or not moments:
        return ExperimentSums(moments, None, shares)
    _require(source, days, ("experiment", "variant", "user_id", "day", "clicks", "impressions"))
    known = [c for c in columns if c in days.c]
    mine = sa.select(*days.c).where(days.c.experiment == experiment).subquery("mine")
    return ExperimentSums(moments, daily_moments(connection, DailyRows(mine), known) or None, shares)


def daily_moments(
    connection: sa.Connection, days: DailyRows, columns: Sequence[str]
) -> dict[str, dict[str, Moments]]:
    """Per variant and day the moments of the users' totals from the first day up to that day."""
    return accumulate_days(_daily_steps(connection, days, columns))


def _relation(connection: sa.Connection, name: str) -> sa.TableClause | None:
    """A table or view with the columns and types that the database says it has."""
    schema, _, table = name.rpartition(".")
    inspector = sa.inspect(connection)
    try:
        found = inspector.get_columns(table, schema=schema or None)
    except sa.exc.NoSuchTableError:
        return None
    return sa.table(table, *(sa.column(c["name"], c["type"]) for c in found), schema=schema or None)


def _require(source: str, relation: sa.TableClause, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in relation.c]
    if missing:
        raise MissingColumns(f"{relation.name} in {source}", missing, relation.c.keys())


def relation_moments(
    connection: sa.Connection, units: sa.FromClause, columns: Sequence[str], *where: sa.ColumnElement[bool]
) -> dict[str, Moments]:
    """One scan: counts, sums and sums of products per variant."""
    values = {name: _value(units.c[name]) for name in columns}
    totals = [sa.func.sum(value) for value in values.values()]
    products = [sa.func.sum(values[a] * values[b]) for a, b in pairs_of(values)]
    query = (
        sa.select(units.c.variant, sa.func.count(), *totals, *products)
        .where(*where)
        .group_by(units.c.variant)
        .order_by(units.c.variant)
    )
    return {
        variant_name(units, row[0], row[1]): read_moments(columns, row[1:])
        for row in connection.execute(query)
    }


def _daily_steps(
    connection: sa.Connection, daily: DailyRows, columns: Sequence[str]
) -> dict[str, dict[str, Moments]]:
    """What each day added to the moments of the users' running totals; `UnitDays` says why it adds up."""
    days = daily.table
    user = (days.c.user_id, days.c.variant)
    values = {name: _value(days.c[name]) for name in columns}
    values |= {
        name: sa.cast(days.c[name], sa.Double) / float(n) for name, n in daily.units.items() if name in values
    }
    running = {
        name: sa.func.sum(value).over(partition_by=user, order_by=days.c.day, rows=(None, 0))
        for name, value in values.items()
    }
    visit = sa.func.row_number().over(partition_by=user, order_by=days.c.day)
    rows = sa.select(
        days.c.variant,
        days.c.day,
        visit.label("visit"),
        *(value.label(f"{name}_today") for name, value in values.items()),
        *(total.label(f"{name}_so_far") for name, total in running.items()),
    ).subquery()
    today = {name: rows.c[f"{name}_today"] for name in columns}
    so_far = {name: rows.c[f"{name}_so_far"] for name in columns}
    query = (
        sa.select(
            rows.c.variant,
            rows.c.day,
            sa.func.sum(sa.case((rows.c.visit == 1, 1), else_=0)),
            *(sa.func.sum(value) for value in today.values()),
            *(
                sa.func.sum(so_far[a] * today[b] + today[a] * so_far[b] - today[a] * today[b])
                for a, b in pairs_of(values)
            ),
        )
        .group_by(rows.c.variant, rows.c.day)
        .order_by(rows.c.variant, rows.c.day)
    )
    steps: dict[str, dict[str, Moments]] = {}
    for variant, day, *numbers in connection.execute(query):
        of_days = steps.setdefault(daily.variant_of(variant, numbers[0]), {})
        of_days[daily.iso_day_of(day, numbers[0])] = read_moments(columns, numbers)
    return steps


def _value(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A number that may be multiplied: no null, and wide enough for the square of an integer."""
    wide = sa.cast(column, sa.BigInteger) if isinstance(column.type, sa.Integer) else column
    return sa.func.coalesce(wide, 0)


def read_moments(columns: Sequence[str], numbers: Sequence[Any]) -> Moments:
    """From the number of users, the sums of the columns and those of the products of each two."""
    n, *rest = (_number(value) for value in numbers)
    totals = dict(zip(columns, rest, strict=False))
    return Moments(int(n), totals, dict(zip(pairs_of(totals), rest[len(totals) :], strict=True)))


def _number(value: Any) -> float:
    """A Python number; an exact decimal without a fraction becomes an integer again."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, int) else float(value)


def _planned_shares(connection: sa.Connection, name: str, experiment: str) -> dict[str, float] | None:
    experiments = _relation(connection, name)
    if experiments is None or not {"name", "variants"} <= set(experiments.c.keys()):
        return None
    plan = sa.column("variants", sa.JSON)
    query = sa.select(plan).select_from(experiments).where(experiments.c.name == experiment)
    found = connection.scalar(query)
    if found is None:
        return None
    try:
        shares = {str(variant): float(share) for variant, share in found.items()}
    except (AttributeError, TypeError, ValueError):
        shares = {}
    if not any(share > 0 for share in shares.values()) or any(share < 0 for share in shares.values()):
        raise UnreadableSource(
            name, f"the variants of {experiment!r} must read like {{'a': 0.5}}, not {found!r}"
        )
    return shares


def _known_experiments(connection: sa.Connection, units: sa.TableClause, name: str) -> list[str]:
    experiments = _relation(connection, name)
    planned = [] if experiments is None else connection.scalars(sa.select(experiments.c.name)).all()
    counted = connection.scalars(sa.select(units.c.experiment).distinct()).all()
    return sorted({str(known) for known in (*planned, *counted)})
