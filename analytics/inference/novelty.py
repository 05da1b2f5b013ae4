"""Does the effect fade or grow? A straight line through the days, with errors clustered by user.

Effects of different days come from the same users, so a test across days needs how each user's days hang
together. Five sums per user hold it: of a rate y / x that follows a + b t on day t, least squares weighed
by x uses nothing but y, x, t y, t x and t^2 x.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.errors import InsufficientData
from analytics.inference.ratio import ROUNDING, Estimate, difference
from analytics.metrics import USERS, Metric
from analytics.sums import Moments
from analytics.units import UnitDays, Units

Since = Literal["start", "exposure"]
"""Whether days are counted from the first day of all, or from the user's own first day."""

DAYS = "days"
"""The column that is 1 for every user on every day, for means per user and day."""


@dataclass(frozen=True)
class Novelty:
    """How the effect changed over time.

    Attributes:
        slope: change of the effect per day, in the metric's unit, with its 1 - alpha interval.
        p: of no change; `p` below alpha says that the effect at the end is not the effect on average.
        effect_first, effect_last: where the two lines are apart on the first and on the last day.
    """

    n_days: int
    slope: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    effect_first: float | None = None
    effect_last: float | None = None
    why_none: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Trend:
    """The line of one variant: the metric on day 0, and its change per day."""

    level: float
    slope: Estimate


@dataclass(frozen=True)
class Trends:
    """Moments of `trend_columns` by variant, and how many days they span."""

    moments: Mapping[str, Moments]
    n_days: int


def read_trends(days: UnitDays, metric: Metric, since: Since) -> Trends | None:
    """The same of arrays; None where a column of the metric has no days."""
    if not set(trend_columns(metric)[:2]) <= {*days.columns, DAYS}:
        return None
    t = _days_since(days, since)
    n_days = int(t.max(initial=-1)) + 1
    return Trends(trend_units(days, metric, since=since).moments() if n_days else {}, n_days)


def trend_columns(metric: Metric) -> tuple[str, str, str, str, str]:
    """Names of the five columns per user: y, x, t y, t x and t^2 x, summed over the user's days t.

    A mean per user becomes a mean per user and day.

    >>> trend_columns(Metric("ctr", "clicks", "impressions"))
    ('clicks', 'impressions', 't*clicks', 't*impressions', 't*t*impressions')
    """
    y, x = metric.numerator, DAYS if metric.denominator == USERS else metric.denominator
    return y, x, f"t*{y}", f"t*{x}", f"t*t*{x}"


def trend_units(days: UnitDays, metric: Metric, *, since: Since = "start") -> Units:
    """One row per user with the five columns.

    Args:
        since: whether t counts days from the first day of all, or from the user's own first day.
    """
    names = trend_columns(metric)
    t = _days_since(days, since)
    y = days[metric.numerator]
    x = np.ones(len(t), np.int64) if names[1] == DAYS else days[metric.denominator]
    columns = dict(zip(names, (y, x, t * y, t * x, t * t * x), strict=True))
    return days.totals(columns)


def trend(moments: Moments, metric: Metric) -> Trend:
    """The line of a metric over the days, by least squares weighed by the denominator.

    With A = [[sum x, sum t x], [sum t x, sum t^2 x]] and each user's residual sums u = (y - a x - b t x,
    t y - a t x - b t^2 x), the covariance of (a, b) is A^-1 (n / (n - 1) sum u u') A^-1.

    Raises:
        InsufficientData: fewer than two users or two days, or a value that is not finite.
    Source: Liang and Zeger, Biometrika 1986, 73(1), with independence as the working correlation.
    """
    names = trend_columns(metric)
    y, x, ty, tx, ttx = (float(moments.total(name)) for name in names)
    products = np.array([[float(moments.product(a, b)) for b in names] for a in names])
    if not np.all(np.isfinite(products)):
        raise InsufficientData("a value is not a finite number")
    if moments.n < 2:
        raise InsufficientData("fewer than two users show no spread between users")
    spread = x * ttx - tx * tx
    if not spread > 0:
        raise InsufficientData("there are not two days to draw a line through")
    slope = (x * ty - tx * y) / spread
    level = (y * ttx - tx * ty) / spread
    influence = np.array([-tx, tx * level, x, tx * slope - x * level, -x * slope]) / spread
    variance = float(influence @ products @ influence) * moments.n / (moments.n - 1)
    size = float(np.abs(influence) @ np.abs(products) @ np.abs(influence))
    error = math.sqrt(variance) if variance * ROUNDING > size else 0.0
    return Trend(level, Estimate(slope, error, moments.n - 1))


def novelty(
    treatment: Moments, control: Moments, metric: Metric, n_days: int, *, alpha: float = 0.05
) -> Novelty:
    """Does treatment minus control change from day to day? The difference of two independent slopes.

    Args:
        treatment, control: moments of `trend_columns(metric)`.
        n_days: how many days there were, or how long after exposure users were followed.
    """
    result = Novelty(n_days)
    try:
        new, old = trend(treatment, metric), trend(control, metric)
        slope = difference(new.slope, old.slope)
        p = slope.p()
    except InsufficientData as reason:
        return replace(result, why_none=str(reason))
    low, high = slope.interval(alpha)
    first = new.level - old.level
    return replace(
        result,
        slope=slope.value,
        ci_low=low,
        ci_high=high,
        p=p,
        effect_first=first,
        effect_last=first + slope.value * (n_days - 1),
    )


def _days_since(days: UnitDays, since: Since) -> NDArray[np.int64]:
    return days.days_since_exposure if since == "exposure" else days.days_since_start
