"""An experiment straight from its raw logs: one statement makes the sums and the funnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import (
    BOT,
    BROKEN,
    DROPPED,
    IMPRESSION_RULES,
    MET_REASONS,
    MIXED,
    ORPHAN,
    OUTCOME_RULES,
    Cleaning,
    Funnel,
    LogFunnel,
    by_name,
    refuse_what_must_not_be,
)
from analytics.errors import MissingColumns
from analytics.question import Group, Question
from analytics.sql.cleaning import Part, broken_reasons, outcome_reasons
from analytics.sql.daily import DailyRows
from analytics.sql.dialect import Sql
from analytics.sql.event_rows import read_event_values
from analytics.sql.grouped import UserRows, read_grouped
from analytics.sql.logs import EventLogs, LogTables, find_log
from analytics.sql.pairs import Pairs, dropped_name, pairs_of_log
from analytics.sums import Moments

PRE = "pre_"
"""What the name of a quantity from before the experiment begins with."""


@dataclass(frozen=True)
class Users:
    """A table of what is known of each user: numbers from before the experiment, and segments."""

    table: str
    user: str = "user_id"


@dataclass(frozen=True)
class Reading:
    """Moments by variant and segment, and what became of every row."""

    groups: Mapping[Group, Moments]
    funnel: Funnel


def read_logs(
    connection: sa.Connection,
    names: EventLogs,
    experiment: str | None,
    question: Question,
    *,
    cleaning: Cleaning = Cleaning(),
    pre_period: timedelta = timedelta(0),
    users: Users | None = None,
) -> Reading:
    """Sums and funnel of one experiment.

    Args:
        question: a column `pre_x` is the quantity x within `pre_period` before `cleaning.started_at`,
            or a column of `users`.
    Raises:
        UnreadableSource, MissingColumns: a table or a column is not there.
        InvalidRows: a rule that is set to refuse was broken.
    """
    dialect = connection.dialect.name
    tables = LogTables.find(connection, names)
    rows = log_rows(connection, tables, experiment, question, cleaning, pre_period, users)
    outcomes = [log.name for log, _ in tables.outcomes]
    found = read_grouped(connection, rows, question)
    own = outcome_reasons(dialect, tables, cleaning)
    counts = {} if own is None else {(log, reason): n for log, reason, n in connection.execute(own)}
    by_reason = dict(found.by_reason)
    if BROKEN in by_reason or any(sums["broken"] for sums in by_reason.values()):
        by_reason.pop(BROKEN, None)
        for reason, n in connection.execute(broken_reasons(dialect, tables, cleaning, experiment)):
            by_reason[reason] = dict.fromkeys(("users", *rows.counters), 0) | {"impressions": n}
    funnel = funnel_of(by_reason, counts, outcomes)
    refuse_what_must_not_be(funnel, cleaning, str(connection.engine.url.database))
    if not question.events:
        return Reading(found.moments, funnel)
    events = read_event_values(connection, tables, rows, question, cleaning, experiment)
    return Reading({group: replace(m, events=events[group]) for group, m in found.moments.items()}, funnel)


def log_rows(
    connection: sa.Connection,
    tables: LogTables,
    experiment: str | None,
    question: Question,
    cleaning: Cleaning,
    pre_period: timedelta,
    users: Users | None,
) -> UserRows:
    """One row a user and variant, judged by all rules."""
    dialect = connection.dialect.name
    pairs = pairs_of_log(dialect, tables, cleaning, experiment)
    judged = _judged_pairs(dialect, pairs, cleaning)
    lookups: list[sa.FromClause] = [] if users is None else [known_users(connection, users)]
    if any(name.startswith(PRE) for name in question.columns) and cleaning.started_at and pre_period:
        lookups.append(_before(dialect, tables, cleaning, pre_period))
    counters = ("impressions", *(log.name for log, _ in tables.outcomes), *pairs.dropped, "broken")
    return UserRows(judged, pairs.columns, counters, tuple(lookups), units_of(tables))


def daily_rows_of_logs(
    connection: sa.Connection, names: EventLogs, experiment: str | None, cleaning: Cleaning
) -> DailyRows:
    """One row a user who counts and day."""
    dialect = connection.dialect.name
    tables = LogTables.find(connection, names)
    judged = _judged_pairs(dialect, pairs_of_log(dialect, tables, cleaning, experiment), cleaning)
    daily = pairs_of_log(dialect, tables, cleaning, experiment, by_day=True, name="daily")
    rows = daily.table
    same = sa.and_(rows.c.user == judged.c.user, rows.c.variant == judged.c.variant)
    query = sa.select(
        rows.c.user.label("user_id"), rows.c.variant, rows.c.day, *(rows.c[name] for name in daily.columns)
    ).select_from(rows.join(judged, same))
    counting = query.where(daily.counts, judged.c.reason == 0)
    return DailyRows(counting.subquery("days"), units_of(tables))


def units_of(tables: LogTables) -> dict[str, int]:
    """Quantities whose amounts are kept as whole numbers of so many to one."""
    return {log.value_name: log.value_units for log, _ in tables.outcomes if log.value}


def known_users(connection: sa.Connection, users: Users) -> sa.FromClause:
    """One row a `user` with every column of the table; several rows of one user are added up.

    Raises:
        MissingColumns: there is no such table, or it has no column of users.
    """
    log = find_log(connection, users.table, (users.user,), users.user)
    if log is None:
        raise MissingColumns(str(connection.engine.url.database), [users.table], [])
    others = [column for column in log.table.c if column.name != users.user]
    user = log.table.c[users.user].label("user")
    if log.is_unique:
        return sa.select(user, *others).subquery("known")
    added = [
        (sa.func.sum(c) if isinstance(c.type, sa.Numeric | sa.Integer) else sa.func.min(c)).label(c.name)
        for c in others
    ]
    return sa.select(user, *added).group_by(log.table.c[users.user]).subquery("known")


@dataclass(frozen=True)
class BeforeStart(Cleaning):
    """The rules of the pre-period: a click that came after the start was part of the experiment."""

    @property
    def outcomes_stop_at(self) -> datetime | None:
        return self.stopped_at


def before_start(cleaning: Cleaning, pre_period: timedelta) -> Cleaning:
    """The rules within the pre-period, in which nobody has a variant yet."""
    assert cleaning.started_at is not None
    rules = {name: getattr(cleaning, name) for name in Cleaning.__dataclass_fields__}
    window = {"started_at": cleaning.started_at - pre_period, "stopped_at": cleaning.started_at}
    return BeforeStart(**rules | window | {"two_variants": "keep", "bots": "keep"})


def without_variants(tables: LogTables) -> LogTables:
    """The same logs, all experiments and impressions outside of any together."""
    return replace(tables, names=replace(tables.names, variant=None, experiment=None))


def _before(dialect: str, tables: LogTables, cleaning: Cleaning, pre_period: timedelta) -> sa.FromClause:
    """One row a user: every quantity within the pre-period."""
    rules = before_start(cleaning, pre_period)
    part = Part(rules.started_at, rules.stopped_at, is_small=False)
    pairs = pairs_of_log(dialect, without_variants(tables), rules, None, name="before", part=part)
    units = units_of(tables)
    quantities = [
        (pairs.table.c[name] if units.get(name, 1) == 1 else pairs.table.c[name] / float(units[name])).label(
            PRE + name
        )
        for name in pairs.columns
    ]
    return sa.select(pairs.table.c.user, *quantities).where(pairs.counts).subquery("pre")


def funnel_of(
    by_reason: Mapping[int, Mapping[str, int]],
    own_reasons: Mapping[tuple[str, int], int],
    outcomes: Sequence[str],
) -> Funnel:
    """The funnel from grouped counts.

    Args:
        by_reason: reason of the impressions -> sums: `users`, `impressions`, and per outcome log its
            name (rows that count) and the rows that each reason dropped.
        own_reasons: (outcome log, reason that the row itself gives) -> rows.
    """
    impressions = {reason: sums["impressions"] for reason, sums in by_reason.items()}
    dropped = {rule: impressions.get(i, 0) for i, rule in enumerate(IMPRESSION_RULES, 1)}
    logs = [LogFunnel("impressions", sum(impressions.values()), dropped)]
    logs += [_outcome_funnel(name, by_reason, own_reasons) for name in outcomes]
    users = {reason: sums["users"] for reason, sums in by_reason.items()}
    left_out = {"two_variants": users.get(MIXED, 0), "bots": users.get(BOT, 0)}
    return Funnel(tuple(logs), users.get(0, 0), left_out)


def _outcome_funnel(
    name: str, by_reason: Mapping[int, Mapping[str, int]], own_reasons: Mapping[tuple[str, int], int]
) -> LogFunnel:
    own = {reason: n for (log, reason), n in own_reasons.items() if log == name}
    dropped = {i: own.get(i, 0) for i in range(1, 1 + len(OUTCOME_RULES))}
    met = 0
    for reason, sums in by_reason.items():
        for why in MET_REASONS:
            dropped[why] += sums[dropped_name(name, why)]
            met += sums[dropped_name(name, why)]
        met += sums[name]
        if reason != 0:
            dropped[DROPPED] += sums[name]
    dropped[ORPHAN] = own.get(0, 0) - met
    return LogFunnel(name, sum(own.values()), by_name(dropped))


def _judged_pairs(dialect: str, pairs: Pairs, cleaning: Cleaning) -> sa.Subquery:
    """The pairs with `reason` once the users are judged: seen in several variants, or too busy."""
    table = pairs.table
    reason: list[tuple[Any, Any]] = [(sa.not_(pairs.counts), sa.literal_column(str(BROKEN)))]
    if cleaning.two_variants != "keep":
        reason.append((_is_mixed(Sql(dialect), pairs, cleaning), sa.literal_column(str(MIXED))))
    if cleaning.bot_bound is not None:
        reason.append((table.c.impressions > cleaning.bot_bound, sa.literal_column(str(BOT))))
    verdict = sa.case(*reason, else_=sa.literal_column("0")).label("reason")
    return sa.select(*table.c, verdict).subquery("judged")


def _is_mixed(sql: Sql, pairs: Pairs, cleaning: Cleaning) -> sa.ColumnElement[bool]:
    """Whether the user saw another variant, or one before; pairs that do not count tell nothing.

    SQLite takes rows with a window function for few, and would join them without an index.
    """
    is_mixed = _is_mixed_beside(sql, pairs, cleaning)
    if not sql.is_sqlite:
        return is_mixed
    key = (pairs.table.c.user, pairs.table.c.variant)
    told = sa.select(*key, is_mixed.label("is_mixed")).subquery("told")
    return sa.tuple_(*key).in_(sa.select(told.c.user, told.c.variant).where(told.c.is_mixed))


def _is_mixed_beside(sql: Sql, pairs: Pairs, cleaning: Cleaning) -> sa.ColumnElement[bool]:
    """The same, as a window function over the pairs of the user."""
    table = pairs.table
    is_pair = sa.case((pairs.counts, 1), else_=0)
    if cleaning.two_variants == "first":
        order = (is_pair.desc(), table.c.first_at, sql.bytes(table.c.variant))
        return sa.func.row_number().over(partition_by=table.c.user, order_by=order) > 1
    return sa.func.sum(is_pair).over(partition_by=table.c.user) > 1
