"""One way to ask any source: a database (rollup, raw logs or views), files, data frames or units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NoReturn

import sqlalchemy as sa

from analytics.cleaning import Cleaning, Funnel
from analytics.definition import Definition
from analytics.derived import plain_columns, with_derived
from analytics.errors import InvalidRequest, NoEvents
from analytics.frames.tables import CleanUnits, Tables
from analytics.inference.novelty import DAYS, Since, Trends, trend_columns
from analytics.inference.novelty import read_trends as trends_of_days
from analytics.inference.winsor import cap_at
from analytics.metrics import Metric
from analytics.question import Group, Question
from analytics.rollup import Rollup
from analytics.rollup.read import daily_rows, has_rollup, read_totals, totals_rows
from analytics.sql.daily import DailyRows
from analytics.sql.database import Relations, daily_moments, opened, read_experiment, stored_definition
from analytics.sql.grouped import UserRows, read_units, value_at
from analytics.sql.logs import EventLogs, LogTables
from analytics.sql.one_currency import refuse_several_currencies, refuse_sums_of_several
from analytics.sql.raw import Users, daily_rows_of_logs, log_rows, read_logs
from analytics.sql.trends import read_trends
from analytics.sums import Moments
from analytics.units import UnitDays, Units

DailyMoments = Mapping[str, Mapping[str, Moments]]


@dataclass(frozen=True)
class Database:
    """An experiment in a database.

    It is read from its rollup where that was refreshed with the same rules (but for quantiles, which sums
    do not tell), else from the raw logs, else from a view with one row a user (`Relations.units`), which
    no rule cleans any more.

    Attributes:
        database: an SQLAlchemy URL, the path of an SQLite file, or an engine.
        users: a table with segments and quantities from before the experiment.
    """

    database: str | Path | sa.Engine
    logs: EventLogs = field(default_factory=EventLogs)
    users: Users | None = None
    relations: Relations = field(default_factory=Relations)


Source = Database | Tables | Units | UnitDays | Mapping[str, Moments]


@dataclass(frozen=True)
class Data:
    """What a source says.

    Attributes:
        groups: moments by variant and segment.
        funnel: what became of every row; None where the source was clean already.
        definition: the experiment as the source knows it.
        days: asks for the moments of each variant up to each day; None without daily data.
        trends: asks how a metric runs over the days; None without daily data.
        value_at: asks for a quantile over all users of one quantity.
        units: asks for these quantities, one row a user who counts.
        came_from: what was read, in a few words.
    """

    groups: Mapping[Group, Moments]
    funnel: Funnel | None = None
    definition: Definition | None = None
    days: Callable[[], DailyMoments | None] = lambda: None
    trends: Callable[[Metric, Since], Trends | None] = lambda *_: None
    value_at: Callable[[str, float], float] = lambda *_: _refuse_sums()
    units: Callable[[Sequence[str]], Units] = lambda *_: _refuse_sums()
    came_from: str = "units"


def _refuse_sums() -> NoReturn:
    """Of sums, and of views whose rows are summed where they lie."""
    raise InvalidRequest("sums do not tell one user from another; give units, files, raw logs or a rollup")


def read_source(
    source: Source, name: str, question: Question, cleaning: Cleaning, definition: Definition | None
) -> Data:
    """The sums that a question needs.

    Raises:
        Whatever its reader raises, always an `AnalyticsError`.
    """
    if isinstance(source, Database):
        return _read_database(source, name, question, cleaning, definition)
    if isinstance(source, Tables):
        rules = cleaning if definition is None else cleaning.within(definition)
        cleaned = source.read(rules, question)
        return _read_units(cleaned, cleaned.days, question, cleaned.funnel)
    if isinstance(source, UnitDays):
        return _read_units(CleanUnits(source.units(), NO_FUNNEL), source, question, None)
    if isinstance(source, Units):
        return _read_units(CleanUnits(source, NO_FUNNEL), None, question, None)
    return Data({Group(variant): moments for variant, moments in source.items()}, came_from="sums")


NO_FUNNEL = Funnel((), 0, {})


def _read_units(
    cleaned: CleanUnits, days: UnitDays | None, question: Question, funnel: Funnel | None
) -> Data:
    units = cleaned.units
    return Data(
        cleaned.groups(question),
        funnel,
        days=cache(lambda: None if days is None else days.cumulative_moments() or None),
        trends=lambda metric, since: None if days is None else trends_of_days(days, metric, since),
        value_at=lambda name, level: cap_at(with_derived(units.columns, [name])[name], level),
        units=lambda names: replace(units, columns=with_derived(units.columns, names)),
    )


def _read_database(
    source: Database, name: str, question: Question, cleaning: Cleaning, definition: Definition | None
) -> Data:
    with opened(source.database) as connection:
        found = definition or stored_definition(connection, source.relations.experiments, name)
        if found is not None and sa.inspect(connection).has_table(*_schema(source.logs.impressions)):
            return _read_own_logs(connection, source, replace_name(found, name), question, cleaning)
    if question.events:
        raise NoEvents(question.events, "views hold")
    with opened(source.database) as connection:
        rules = cleaning if found is None else cleaning.within(found)
        refuse_sums_of_several(connection, source.logs, rules, question.columns)
    columns = dict.fromkeys(("clicks", "impressions", *plain_columns(question.columns)))
    sums = read_experiment(source.database, name, columns=tuple(columns), relations=source.relations)
    groups = {Group(variant): moments for variant, moments in sums.moments.items()}
    known = found or (None if sums.shares is None else _planned(name, sums.shares))
    return Data(groups, None, known, lambda: sums.days, came_from="views")


def _read_own_logs(
    connection: sa.Connection,
    source: Database,
    definition: Definition,
    question: Question,
    cleaning: Cleaning,
) -> Data:
    rollup = Rollup(definition, source.logs, cleaning)
    refuse_several_currencies(
        connection,
        source.logs,
        rollup.rules,
        definition,
        question.columns,
        lambda: _user_rows(connection, source, rollup, question.columns).table,
    )
    is_rolled_up = not question.events and has_rollup(connection, rollup)
    if is_rolled_up:
        read = read_totals(connection, rollup, question, source.users)
    else:
        read = read_logs(
            connection,
            source.logs,
            definition.name,
            question,
            cleaning=rollup.rules,
            pre_period=definition.pre_period,
            users=source.users,
        )
    has_times = source.logs.shown_at is not None
    days = cache(lambda: _days(source, rollup, question) if has_times else None)
    trends = cache(lambda metric: _trends(source, rollup, metric) if has_times else None)
    return Data(
        read.groups,
        read.funnel,
        definition,
        days=days,
        trends=lambda metric, since: (trends(metric) or {}).get(since),
        value_at=lambda name, level: _value_at(source, rollup, name, level),
        units=lambda names: _units(source, rollup, names),
        came_from="rollup" if is_rolled_up else "logs",
    )


def _value_at(source: Database, rollup: Rollup, name: str, level: float) -> float:
    with opened(source.database) as connection:
        return value_at(connection, _user_rows(connection, source, rollup, [name]), name, level)


def _units(source: Database, rollup: Rollup, names: Sequence[str]) -> Units:
    with opened(source.database) as connection:
        return read_units(connection, _user_rows(connection, source, rollup, names), names)


def _user_rows(connection: sa.Connection, source: Database, rollup: Rollup, names: Sequence[str]) -> UserRows:
    if has_rollup(connection, rollup):
        return totals_rows(connection, rollup, source.users)
    tables, definition = LogTables.find(connection, source.logs), rollup.definition
    question = Question(tuple(names))
    return log_rows(
        connection, tables, definition.name, question, rollup.rules, definition.pre_period, source.users
    )


def _trends(source: Database, rollup: Rollup, metric: Metric) -> Mapping[Since, Trends] | None:
    with opened(source.database) as connection:
        rows = _daily_rows(connection, source, rollup)
        if not set(trend_columns(metric)[:2]) <= {*rows.table.c.keys(), DAYS}:
            return None
        return read_trends(connection, rows, metric)


def _days(source: Database, rollup: Rollup, question: Question) -> DailyMoments | None:
    """Of the quantities that have days: those from before the start do not."""
    with opened(source.database) as connection:
        rows = _daily_rows(connection, source, rollup)
        wanted = [c for c in plain_columns(question.columns) if c in rows.table.c]
        return daily_moments(connection, rows, wanted) or None


def _daily_rows(connection: sa.Connection, source: Database, rollup: Rollup) -> DailyRows:
    if has_rollup(connection, rollup):
        return daily_rows(connection, rollup)
    return daily_rows_of_logs(connection, source.logs, rollup.definition.name, rollup.rules)


def replace_name(definition: Definition, name: str) -> Definition:
    """The definition under the name by which the log knows the experiment."""
    return definition if definition.name == name else replace(definition, name=name, salt=definition.salt)


def _planned(name: str, shares: Mapping[str, float]) -> Definition:
    total = sum(shares.values())
    return Definition(name, {variant: share / total for variant, share in shares.items() if share > 0})


def _schema(name: str) -> tuple[str, str | None]:
    schema, _, table = name.rpartition(".")
    return table, schema or None
