"""A metric within one variant, whether it is a ratio of sums or a quantile of events."""

from __future__ import annotations

from analytics.errors import InsufficientData, NoEvents
from analytics.event_values import EventValues
from analytics.inference.quantiles import quantile_of_events, quantile_value
from analytics.inference.ratio import Estimate, ratio_from_sums, ratio_value
from analytics.metrics import Metric
from analytics.sums import Moments


def metric_value(moments: Moments, metric: Metric) -> float:
    """The value without an error.

    Raises:
        InsufficientData: no users, a denominator of zero, no events, or a value that is not finite.
        NoEvents: a quantile, and the events were not kept.
    """
    if metric.quantile is None:
        return ratio_value(moments.sums(metric))
    return quantile_value(_events(moments, metric.quantile.column), metric.quantile.level)


def metric_estimate(moments: Moments, metric: Metric) -> Estimate:
    """The value with an error that is right when users are randomized.

    Raises:
        InsufficientData: as `metric_value`, or too little to estimate the error from.
        NoEvents: as `metric_value`.
    """
    if metric.quantile is None:
        return ratio_from_sums(moments.sums(metric))
    return quantile_of_events(_events(moments, metric.quantile.column), metric.quantile.level)


def _events(moments: Moments, column: str) -> EventValues:
    if moments.n == 0:
        raise InsufficientData("there are no users")
    if column not in moments.events:
        raise NoEvents([column], "these data hold")
    return moments.events[column]
