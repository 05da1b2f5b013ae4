"""A quantile of events, such as the 95th percentile of page times, with an error clustered by user.

Three passes over the events: the order statistic itself; per user how many of them lie at or below it
(`Sums`); two more order statistics. No density is estimated and nothing is resampled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.errors import InsufficientData
from analytics.event_values import EventValues
from analytics.inference.ratio import Estimate, Interval, ratio_from_sums
from analytics.inference.winsor import order_rank
from analytics.sums import Sums

REACH = 1.959963984540054
"""Standard errors of the share below, either way, at which the two order statistics are taken."""


def quantile_levels(sums: Sums, level: float) -> Interval:
    """Between which levels the true quantile lies: `level` and 1.96 errors of the share below it, either way.

    Args:
        sums: over users, of y events at or below the sample quantile and x events in all.
    Raises:
        InsufficientData: as `ratio_from_sums`, or events too few for the levels to lie inside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a quantile's level must lie between 0 and 1, got {level}")
    reach = REACH * ratio_from_sums(sums).standard_error
    if not 0.0 < reach < min(level, 1.0 - level):
        raise InsufficientData(f"there are too few different events to bound the {level:g} quantile")
    return Interval(level - reach, level + reach)


def quantile_from_order_statistics(value: float, low: float, high: float, n_users: int) -> Estimate:
    """The quantile with the standard error that the values at `quantile_levels` imply.

    When users' events are alike the share F of events at or below the quantile is a ratio of means with a
    clustered error s. The quantile moves by s over the density, which the two order statistics measure:
        SE = (value at level + 1.96 s - value at level - 1.96 s) / (2 x 1.96)
    Values that repeat, as of times rounded to a tenth of a second, may leave no distance on one side. Then
    the other one is taken for both: with half of it, rounding alone would be found to be an effect.

    Raises:
        InsufficientData: a value that is not finite, or no distance between the two order statistics: the
            values around the quantile are all alike, as of times in whole seconds, and tell no density.
    Source: Deng, Knoblich and Lu, KDD 2018, arXiv:1803.06336, section 4 (the outer confidence interval).
    """
    if not all(map(np.isfinite, (value, low, high))):
        raise InsufficientData("a value is not a finite number")
    if high <= low:
        raise InsufficientData(f"the values around {value:g} are all alike, so its error cannot be estimated")
    distance = float(high) - float(low)
    return Estimate(float(value), distance / (REACH if value in (low, high) else 2.0 * REACH), n_users - 1)


def quantile(values: NDArray[Any], user: NDArray[Any], level: float) -> Estimate:
    """The quantile of one variant's events, all three passes at once.

    Args:
        values, user: (n,), one per event.
    Raises:
        ValueError: a level outside (0, 1), or arrays of different lengths.
        InsufficientData: no events, one user, too few events, or a value that is not finite.
    """
    if np.shape(values) != np.shape(user) or np.ndim(values) != 1:
        raise ValueError(f"one value and user per event, got {np.shape(values)} and {np.shape(user)}")
    _, codes = np.unique(user, return_inverse=True)
    return quantile_of_events(EventValues(np.asarray(values), codes), level)


def quantile_of_events(events: EventValues, level: float) -> Estimate:
    """The same of events that know their users.

    Raises:
        ValueError, InsufficientData: as `quantile`.
    """
    value = quantile_value(events, level)
    sums = Sums.of(*events.counts(value))
    low, high = (events.ordered[order_rank(len(events), end)] for end in quantile_levels(sums, level))
    return quantile_from_order_statistics(value, low, high, sums.n)


def quantile_value(events: EventValues, level: float) -> float:
    """The order statistic alone: the least value that the share `level` of the events stays at or below.

    Raises:
        ValueError: a level outside (0, 1).
        InsufficientData: no events, or a value that is not finite.
    """
    if not events.is_finite:
        raise InsufficientData("a value is not a finite number")
    value: float = events.ordered[order_rank(len(events), level)].item()
    return value
