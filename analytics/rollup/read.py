"""What a rollup says: the whole experiment from its user totals, any stretch of days from its user days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from analytics.cleaning import BOT, MET_REASONS, MIXED, Cleaning, Funnel
from analytics.errors import UnknownRollup
from analytics.question import Question
from analytics.rollup.rollup import Rollup
from analytics.rollup.tables import FIRST, LATER, NOBODY, SOLE, UNFINISHED, RollupTables
from analytics.sql.daily import DailyRows
from analytics.sql.grouped import UserRows, read_grouped
from analytics.sql.logs import IMPRESSIONS, LogTables
from analytics.sql.pairs import dropped_name, pairs_of_log
from analytics.sql.raw import PRE, Reading, Users, funnel_of, known_users, units_of

Column = sa.ColumnElement[Any]


@dataclass(frozen=True)
class _Found:
    """A rollup in its database."""

    rules: Cleaning
    logs: LogTables
    tables: RollupTables
    rollup_id: int

    @property
    def outcomes(self) -> tuple[str, ...]:
        return tuple(log.name for log, _ in self.logs.outcomes)

    @property
    def columns(self) -> tuple[str, ...]:
        """The quantities, and the same from before."""
        return (*self.tables.quantities, *(PRE + name for name in self.tables.quantities))

    def user_rows(
        self, table: sa.FromClause, variants: Mapping[int, str], users: sa.FromClause | None
    ) -> UserRows:
        units = units_of(self.logs)
        return UserRows(
            table,
            self.columns,
            (IMPRESSIONS, *self.outcomes),
            () if users is None else (users,),
            units | {PRE + name: n for name, n in units.items()},
            has_no_null=True,
            variants=variants,
        )


def read_totals(
    connection: sa.Connection, rollup: Rollup, question: Question, users: Users | None = None
) -> Reading:
    """Sums and funnel of the whole experiment, as of the last refresh.

    Raises:
        UnknownRollup: it was never refreshed, or with other rules.
    """
    found = _find(connection, rollup)
    totals = found.tables.user_totals
    rows = _rows_of_users(connection, found, totals, totals.c.place, users)
    rows = replace(rows, is_stored=True)
    grouped = read_grouped(connection, rows, question)
    return Reading(grouped.moments, _funnel(connection, found, grouped.by_reason))


def totals_rows(connection: sa.Connection, rollup: Rollup, users: Users | None = None) -> UserRows:
    """One row a user and variant of the whole experiment, both by name.

    Raises:
        UnknownRollup: it was never refreshed, or with other rules.
    """
    found = _find(connection, rollup)
    totals = found.tables.user_totals
    return _rows_of_users(connection, found, totals, totals.c.place, users, is_named=True)


def read_days(
    connection: sa.Connection,
    rollup: Rollup,
    question: Question,
    first: date | None = None,
    last: date | None = None,
    users: Users | None = None,
) -> Reading:
    """Sums of the days from `first` to `last`, both included, as an analysis of these days alone would.

    Whoever saw several variants in these days counts in none of them, unless the rule is to keep them;
    which of them came first is known of the whole experiment only, without `first` and `last`. The
    funnel is that of these users.

    Raises:
        UnknownRollup: it was never refreshed, or with other rules.
    """
    found = _find(connection, rollup)
    days, totals = found.tables.user_days, found.tables.user_totals
    keys = (days.c.user_no, days.c.variant_no)
    sums = [sa.func.sum(days.c[name]).label(name) for name in found.tables.quantities]
    pairs = sa.select(*keys, *sums).where(*_within(days, found, first, last))
    pair = pairs.group_by(*keys).subquery("pairs")
    place: Column = totals.c.place
    if first is not None or last is not None:
        place = _place_within(found, pair, first, last)
    rows = _rows_of_users(connection, found, pair, place, users)
    grouped = read_grouped(connection, rows, question)
    return Reading(grouped.moments, funnel_of(grouped.by_reason, {}, ()))


def _rows_of_users(
    connection: sa.Connection,
    found: _Found,
    sums: sa.FromClause,
    place: Column,
    users: Users | None,
    *,
    is_named: bool = False,
) -> UserRows:
    """Sums of each user and variant with the pre-period, which stands in the totals.

    Args:
        is_named: whether users and variants have their names; else they have their numbers, but users have
            names where `users` knows more of them.
    """
    totals, users_by_no = found.tables.user_totals, found.tables.user_numbers
    user, variant = sums.c.user_no, sums.c.variant_no
    source: sa.FromClause = sums
    if sums is not totals:  # an outer join lets SQLite read the sums as they are made
        same = (totals.c[key] == sums.c[key] for key in ("variant_no", "user_no"))
        source = sums.outerjoin(totals, sa.and_(totals.c.rollup_id == found.rollup_id, *same))
    if is_named or users is not None:
        source = source.join(users_by_no, users_by_no.c.user_no == user)
        user = users_by_no.c.user_id
    if is_named:
        names = found.tables.variant_numbers
        source = source.join(
            names, sa.and_(names.c.rollup_id == found.rollup_id, names.c.variant_no == variant)
        )
        variant = names.c.variant
    rows = sa.select(
        user.label("user"),
        variant.label("variant"),
        _judgement(found.rules, place, sums.c.impressions).label("reason"),
        *(sums.c[name] for name in found.tables.quantities),
        *(totals.c[PRE + name] for name in found.tables.quantities),
    ).select_from(source)
    if sums is totals:
        rows = rows.where(totals.c.rollup_id == found.rollup_id)
    known = None if users is None else known_users(connection, users)
    variants = {} if is_named else _variants(connection, found)
    return found.user_rows(rows.subquery("rows_of_users"), variants, known)


def _variants(connection: sa.Connection, found: _Found) -> dict[int, str]:
    table = found.tables.variant_numbers
    query = sa.select(table.c.variant_no, table.c.variant).where(table.c.rollup_id == found.rollup_id)
    return {int(n): variant for n, variant in connection.execute(query)}


def _place_within(found: _Found, pair: sa.Subquery, first: date | None, last: date | None) -> Column:
    """The place of a variant in a stretch of days, where nobody is known to have seen it first."""
    totals, other = found.tables.user_totals, found.tables.user_days.alias("other")
    saw_another = sa.exists().where(
        other.c.user_no == pair.c.user_no,
        other.c.variant_no != pair.c.variant_no,
        *_within(other, found, first, last),
    )
    return sa.case((totals.c.place == SOLE, SOLE), (saw_another, LATER), else_=SOLE)


def _within(
    days: sa.FromClause, found: _Found, first: date | None, last: date | None
) -> list[sa.ColumnElement[bool]]:
    """Rows of the experiment itself, of these days."""
    inside = [days.c.rollup_id == found.rollup_id, days.c.variant_no != NOBODY]
    inside += [] if first is None else [days.c.day >= first.toordinal()]
    inside += [] if last is None else [days.c.day <= last.toordinal()]
    return inside


def daily_rows(connection: sa.Connection, rollup: Rollup) -> DailyRows:
    """One row a user who counts, variant and day; users, variants and days by number.

    Those who do not count are few and are left out by a list: so the rows come in the order in which they
    lie, which is that of users, and need no sort.

    Raises:
        UnknownRollup: it was never refreshed, or with other rules.
    """
    found = _find(connection, rollup)
    days, totals = found.tables.user_days, found.tables.user_totals
    others = sa.select(totals.c.user_no, totals.c.variant_no).where(
        totals.c.rollup_id == found.rollup_id,
        _judgement(found.rules, totals.c.place, totals.c.impressions) != 0,
    )
    query = sa.select(
        days.c.user_no.label("user_id"),
        days.c.variant_no.label("variant"),
        days.c.day,
        *(days.c[name] for name in found.tables.quantities),
    ).where(*_within(days, found, None, None), sa.tuple_(days.c.user_no, days.c.variant_no).not_in(others))
    variants = _variants(connection, found)
    return DailyRows(query.subquery("daily"), units_of(found.logs), variants, has_day_numbers=True)


def has_rollup(connection: sa.Connection, rollup: Rollup) -> bool:
    """Whether it was refreshed with these rules before."""
    try:
        _find(connection, rollup)
    except UnknownRollup:
        return False
    return True


def _find(connection: sa.Connection, rollup: Rollup) -> _Found:
    name = rollup.definition.name
    logs = LogTables.find(connection, rollup.logs)
    pairs = pairs_of_log(connection.dialect.name, logs, rollup.rules, None)
    tables = RollupTables.of(pairs.columns, pairs.dropped)
    if not sa.inspect(connection).has_table(tables.rollups.name):
        raise UnknownRollup(name, "was never made")
    stored = sa.select(tables.rollups.c.rollup_id, tables.rollups.c.made_with)
    row = connection.execute(stored.where(tables.rollups.c.experiment == name)).first()
    if row is None:
        raise UnknownRollup(name, "was never made")
    if row.made_with == UNFINISHED + rollup.made_with():
        raise UnknownRollup(name, "is not finished")
    if row.made_with != rollup.made_with():
        raise UnknownRollup(name, "was made with other rules or another window")
    return _Found(rollup.rules, logs, tables, row.rollup_id)


def _judgement(rules: Cleaning, place: Column, impressions: Column) -> Column:
    """0 for a user who counts, else the rule for users that leaves them out."""
    cases: list[tuple[Column, Column]] = []
    if rules.two_variants != "keep":
        last_to_keep = FIRST if rules.two_variants == "first" else SOLE
        cases.append((place > last_to_keep, sa.literal_column(str(MIXED))))
    if rules.bot_bound is not None:
        cases.append((impressions > rules.bot_bound, sa.literal_column(str(BOT))))
    none: Column = sa.literal_column("0")
    return sa.case(*cases, else_=none) if cases else none


def _funnel(connection: sa.Connection, found: _Found, by_reason: Mapping[int, Mapping[str, int]]) -> Funnel:
    """The counts of the users that were read, with those of the rows that never became a user's."""
    table = found.tables.dropped_rows
    query = sa.select(table.c.log, table.c.reason, table.c.n_rows)
    counts = {reason: dict(sums) for reason, sums in by_reason.items()}
    met = [dropped_name(log, reason) for log in found.outcomes for reason in MET_REASONS]
    nothing = dict.fromkeys(("users", IMPRESSIONS, *found.outcomes), 0)
    for sums in counts.values():
        sums.update(dict.fromkeys(met, 0))
    own: dict[tuple[str, int], int] = {}
    for log, reason, n in connection.execute(query.where(table.c.rollup_id == found.rollup_id)):
        if log == IMPRESSIONS:
            sums = counts.setdefault(reason, nothing | dict.fromkeys(met, 0))
            sums[IMPRESSIONS] += n
        elif reason not in MET_REASONS:
            own[log, reason] = own.get((log, reason), 0) + n
        else:
            counts.setdefault(0, nothing | dict.fromkeys(met, 0))[dropped_name(log, reason)] += n
    return funnel_of(counts, own, found.outcomes)
