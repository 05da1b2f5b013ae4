"""How an effect changes over the days, asked of a database: five sums a user, and their moments.

`novelty` says what the sums are for. Days are counted from the first of all, or from each user's own first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import sqlalchemy as sa

from analytics.inference.novelty import DAYS, Since, Trends, trend_columns
from analytics.metrics import Metric
from analytics.sql.daily import DailyRows
from analytics.sql.database import read_moments
from analytics.sums import pairs_of


def read_trends(connection: sa.Connection, daily: DailyRows, metric: Metric) -> dict[Since, Trends]:
    """The moments of `trend_columns` by variant, and how many days they span, both ways to count days.

    With t0 a user's first day, the sums since then follow from those since the first day of all:
        sum (t - t0) y = sum t y - t0 sum y,    sum (t - t0)^2 x = sum t^2 x - 2 t0 sum t x + t0^2 sum x
    """
    t = daily.days_since_first(connection)
    if t is None:
        return {since: Trends({}, 0) for since in get_args(Since)}
    days, names = daily.table, trend_columns(metric)
    y, x = (sa.literal(1) if name == DAYS else _amount(daily, name) for name in names[:2])
    powers = dict(zip(names, (y, x, t * y, t * x, t * t * x), strict=True))
    sums = [sa.func.sum(value).label(name) for name, value in powers.items()]
    ends = [sa.func.min(t).label("first"), sa.func.max(t).label("last")]
    per_user = sa.select(days.c.variant, *sums, *ends).group_by(days.c.user_id, days.c.variant)
    user = per_user.subquery("per_user")
    sy, sx, sty, stx, sttx = (user.c[name] for name in names)
    shift = user.c.first
    moved = (sy, sx, sty - shift * sy, stx - shift * sx, sttx - 2 * shift * stx + shift * shift * sx)
    ways = {"start": (sy, sx, sty, stx, sttx), "exposure": moved}
    reaches = {"start": user.c.last, "exposure": user.c.last - shift}
    columns = [c for since in get_args(Since) for c in _sums_of(ways[since], names, reaches[since])]
    found = connection.execute(sa.select(user.c.variant, *columns).group_by(user.c.variant)).all()
    n_columns = len(columns) // len(ways)
    return {
        since: _trends(daily, names, [(row[0], row[1 + i * n_columns :][:n_columns]) for row in found])
        for i, since in enumerate(get_args(Since))
    }


def _sums_of(
    values: Sequence[sa.ColumnElement[Any]], names: tuple[str, ...], reach: sa.ColumnElement[Any]
) -> list[sa.ColumnElement[Any]]:
    """How far the days reach, the users, and the sums and products that their moments are read from."""
    of = dict(zip(names, values, strict=True))
    sums = [sa.func.sum(value) for value in values]
    products = [sa.func.sum(of[a] * of[b]) for a, b in pairs_of(names)]
    return [sa.func.max(reach), sa.func.count(), *sums, *products]


def _trends(daily: DailyRows, names: Sequence[str], rows: Sequence[tuple[Any, Sequence[Any]]]) -> Trends:
    moments = {
        daily.variant_of(variant, numbers[1]): read_moments(names, numbers[1:]) for variant, numbers in rows
    }
    return Trends(dict(sorted(moments.items())), 1 + max((int(numbers[0]) for _, numbers in rows), default=0))


def _amount(daily: DailyRows, name: str) -> sa.ColumnElement[Any]:
    value = daily.table.c[name]
    if daily.units.get(name, 1) == 1:
        return sa.cast(value, sa.BigInteger)
    return sa.cast(value, sa.Double) / float(daily.units[name])
