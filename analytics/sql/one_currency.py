"""Amounts in several currencies are not added up in silence: whoever asks for their sum has to name one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.definition import Definition
from analytics.derived import plain_columns
from analytics.errors import InvalidRequest, SeveralCurrencies
from analytics.sql.cleaning import good_outcomes, marked_impressions
from analytics.sql.dialect import Sql
from analytics.sql.logs import EventLogs, LogTable, LogTables, OutcomeLog, find_log
from analytics.sql.pairs import delays
from analytics.sql.raw import PRE, before_start, without_variants

_Phase = tuple[LogTables, Cleaning, str | None, tuple[str, ...]]
"""Of the experiment or from before it: the logs, the rules, the experiment, and what tells users apart."""


def refuse_several_currencies(
    connection: sa.Connection,
    names: EventLogs,
    cleaning: Cleaning,
    definition: Definition,
    columns: Sequence[str],
    users: Callable[[], sa.FromClause],
) -> None:
    """An error where amounts in several currencies would be added up.

    One quick look at the log of purchases is enough for most shops: it holds one currency. Only where it
    holds more is it asked which of them count. A purchase without a currency tells nothing.

    Args:
        columns: the quantities that are asked for.
        users: gives user, variant and reason, 0 where the user counts.
    Raises:
        SeveralCurrencies: an amount is asked for, purchases that count are in several currencies, and the
            rules name none.
    """
    asked = plain_columns(columns)
    sums = {prefix + log.value_name for log in names.outcomes if log.value for prefix in ("", PRE)}
    if cleaning.currency is not None or sums.isdisjoint(asked):
        return
    tables = LogTables.find(connection, names)
    for log, table in tables.outcomes:
        phases: dict[str, _Phase] = {log.value_name: (tables, cleaning, definition.name, ("user", "variant"))}
        if definition.started_at is not None:
            before = before_start(cleaning, definition.pre_period)
            phases[PRE + log.value_name] = (without_variants(tables), before, None, ("user",))
        wanted = [name for name in phases if name in asked]
        if not wanted or not _has_several(connection, log, table):
            continue
        for name in wanted:
            found = _counted(connection, log, users(), *phases[name])
            if len(found) > 1:
                raise SeveralCurrencies(name, found)


def refuse_sums_of_several(
    connection: sa.Connection, names: EventLogs, cleaning: Cleaning, columns: Sequence[str]
) -> None:
    """The same of views, which add up amounts whatever their currency, so that no rule can choose one.

    Raises:
        InvalidRequest: an amount is asked for in a currency that was named, or where the log holds several.
    """
    asked = plain_columns(columns)
    for log in (log for log in names.outcomes if log.value and log.value_name in asked):
        table = None if cleaning.currency else find_log(connection, log.table, (), None)
        if cleaning.currency or (table is not None and _has_several(connection, log, table)):
            raise InvalidRequest(
                f"a view adds up {log.value_name} whatever its currency; define the experiment, such as with "
                "--definition, so that its raw logs are read"
            )


def _has_several(connection: sa.Connection, log: OutcomeLog, table: LogTable) -> bool:
    if log.currency is None or log.currency not in table.table.c:
        return False
    currency = table.column(log.currency)
    is_blank = Sql(connection.dialect.name).any_blank([currency])
    query = sa.select(currency).distinct().where(sa.not_(is_blank)).limit(2)
    return len(connection.scalars(query).all()) > 1


def _counted(
    connection: sa.Connection,
    log: OutcomeLog,
    users: sa.FromClause,
    tables: LogTables,
    cleaning: Cleaning,
    experiment: str | None,
    keys: Sequence[str],
) -> set[str]:
    """The currencies of the outcomes that count: of impressions that count, of users who count, in time."""
    sql = Sql(connection.dialect.name)
    in_place_of_value = replace(log, value=log.currency)
    rows = good_outcomes(sql, in_place_of_value, dict(tables.outcomes)[log], cleaning)
    shown = marked_impressions(sql, tables, cleaning, experiment)
    early, late = delays(sql, log, tables, cleaning, shown.c.at, rows.c.at)
    met = sa.and_(rows.c.id == shown.c.id, shown.c.reason == 0, shown.c.rank == 1)
    theirs = sa.and_(*(shown.c[key] == users.c[key] for key in keys))
    query = sa.select(rows.c.value).distinct().select_from(rows.join(shown, met).join(users, theirs))
    query = query.where(
        users.c.reason == 0, sa.not_(early), sa.not_(late), sa.not_(sql.any_blank([rows.c.value]))
    )
    return {str(code) for code in connection.scalars(query)}
