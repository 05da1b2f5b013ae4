"""How an effect changes over the days, asked of a database: five sums a user, and their moments.

`novelty` says what the sums are for. Days are counted from the first of all, or from each user's own first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from analytics.database import relation_moments
from analytics.dialect import Sql
from analytics.metrics import Metric
from analytics.novelty import DAYS, Since, Trends, trend_columns
from analytics.sums import Moments


def read_trends(
    connection: sa.Connection, days: sa.FromClause, metric: Metric, units: Mapping[str, int], since: Since
) -> Trends:
    """The moments of `trend_columns` by variant, and how many days they span.

    With t0 a user's first day, the sums since then follow from those since the first day of all:
        sum (t - t0) y = sum t y - t0 sum y,    sum (t - t0)^2 x = sum t^2 x - 2 t0 sum t x + t0^2 sum x

    Args:
        days: user_id, variant, day (ISO) and the quantities; one row a user and day.
        units: columns kept as whole numbers of so many to one.
    """
    names = trend_columns(metric)
    first = connection.scalar(sa.select(sa.func.min(days.c.day)))
    if first is None:
        return Trends({}, 0)
    t = Sql(connection.dialect.name).days_since(days.c.day, first)
    y, x = (sa.literal(1) if name == DAYS else _amount(days, name, units) for name in names[:2])
    powers = dict(zip(names, (y, x, t * y, t * x, t * t * x), strict=True))
    sums = [sa.func.sum(value).label(name) for name, value in powers.items()]
    ends = [sa.func.min(t).label("first"), sa.func.max(t).label("last")]
    per_user = sa.select(days.c.variant, *sums, *ends).group_by(days.c.user_id, days.c.variant)
    user = per_user.subquery("per_user")
    shift = user.c.first if since == "exposure" else sa.literal(0)
    sy, sx, sty, stx, sttx = (user.c[name] for name in names)
    moved = (sy, sx, sty - shift * sy, stx - shift * sx, sttx - 2 * shift * stx + shift * shift * sx)
    rows = sa.select(
        user.c.variant,
        (user.c.last - shift).label("reach"),
        *(value.label(name) for name, value in zip(names, moved, strict=True)),
    ).subquery("trends")
    moments: dict[str, Moments] = relation_moments(connection, rows, names)
    reach = connection.scalar(sa.select(sa.func.max(rows.c.reach)))
    return Trends(moments, int(reach or 0) + 1)


def _amount(days: sa.FromClause, name: str, units: Mapping[str, int]) -> sa.ColumnElement[Any]:
    value = days.c[name]
    if units.get(name, 1) == 1:
        return sa.cast(value, sa.BigInteger)
    return sa.cast(value, sa.Double) / float(units[name])
