"""The front door: units or their sums in, a Comparison out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Literal

from analytics.conclusion import conclude
from analytics.derived import plain_columns
from analytics.errors import InsufficientData, MissingColumns, NoEvents, UnknownVariant
from analytics.inference.contrasts import contrast_variants
from analytics.inference.corrections import holm
from analytics.inference.estimates import metric_estimate, metric_value
from analytics.inference.sequential import FIXED, PLANNED_USERS, Anytime, Look
from analytics.inference.srm import THRESHOLD, sample_ratio
from analytics.metrics import CTR, Metric
from analytics.results import Comparison, Contrast, DailySeries, DayPoint, VariantResult
from analytics.sums import Moments
from analytics.units import UnitDays, Units

Pairs = Literal["control", "all"] | Sequence[tuple[str, str]]
DailyMoments = Mapping[str, Mapping[str, Moments]]


def compare(
    data: Units | UnitDays | Mapping[str, Moments],
    *,
    control: str,
    metric: Metric = CTR,
    pairs: Pairs = "control",
    shares: Mapping[str, float] | None = None,
    days: DailyMoments | None = None,
    alpha: float = 0.05,
    planned_users: int = PLANNED_USERS,
    srm_threshold: float = THRESHOLD,
    experiment: str | None = None,
    look: Look = FIXED,
) -> Comparison:
    """The metric per variant, the differences between variants, and whether the split was sound.

    Data that cannot carry an answer (no users, one user, an empty variant, no spread) give a result
    whose numbers are None and whose `why_none` says why; never NaN and never an exception.

    Args:
        data: one row per user, or per user and day, or the moments per variant.
        control: the variant that the others are compared with.
        pairs: "control" for every variant against the control, "all" for every ordered pair, or
            (treatment, control) pairs by name.
        shares: planned shares by variant name, for the sample-ratio check and for variants without users.
        days: moments of each variant up to each day, for the course of the metric.
        planned_users: users of two variants together at the planned end; tunes the anytime interval,
            unless `look` brings its own.
        look: what was planned about looking; the intervals and p-values follow it.
    Raises:
        MissingColumns: what the metric is made of was not summed.
        NoEvents: a quantile, and the data hold no events.
        UnknownVariant: the control, or a name in `pairs`, has neither users nor a planned share.
        ValueError: alpha outside (0, 1), or shares that cannot be shares.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    if isinstance(data, UnitDays):
        days = data.cumulative_moments() if days is None else days
        data = data.units()
    moments = _in_order(
        _with_columns(_moments_of(data, metric) if isinstance(data, Units) else data, metric),
        control,
        shares or {},
        metric,
    )
    variants = {name: _variant(name, m, metric, alpha) for name, m in moments.items()}
    contrasts = contrast_variants(
        moments,
        metric,
        _named_pairs(pairs, control, list(moments)),
        alpha=alpha,
        look=look,
        planned_users=planned_users,
    )
    comparison = Comparison(
        metric=metric,
        alpha=alpha,
        control=control,
        variants=variants,
        contrasts=_with_holm(contrasts),
        srm=sample_ratio({name: m.n for name, m in moments.items()}, shares, threshold=srm_threshold),
        planned_users=look.planned_users if isinstance(look, Anytime) else planned_users,
        conclusion="",
        experiment=experiment,
        days=_course(days, moments, metric, alpha),
        look=look,
    )
    return replace(comparison, conclusion=conclude(comparison))


def daily_series(days: DailyMoments, metric: Metric = CTR, alpha: float = 0.05) -> DailySeries:
    """The metric of each variant, with its interval, from the moments up to each day."""
    series = {}
    for name, of_variant in days.items():
        results = {day: _variant(name, moments, metric, alpha) for day, moments in sorted(of_variant.items())}
        series[name] = tuple(DayPoint(d, r.users, r.value, r.ci_low, r.ci_high) for d, r in results.items())
    return DailySeries(metric, alpha, series)


def _moments_of(units: Units, metric: Metric) -> Mapping[str, Moments]:
    """Of every column that is there, and of the derived ones that the metric needs."""
    made = [name for name in metric.columns if set(plain_columns([name])) <= set(units.columns)]
    return units.moments(dict.fromkeys([*units.columns, *made]))


def _with_columns(moments: Mapping[str, Moments], metric: Metric) -> Mapping[str, Moments]:
    for of_variant in moments.values():
        missing = [column for column in metric.columns if column not in of_variant.totals]
        if missing:
            raise MissingColumns(f"the data for {metric.name!r}", missing, of_variant.totals)
        if of_variant.n and not set(metric.event_columns) <= set(of_variant.events):
            raise NoEvents(metric.event_columns, "these data hold")
    return moments


def _course(
    days: DailyMoments | None, names: Iterable[str], metric: Metric, alpha: float
) -> DailySeries | None:
    """The daily series, where the daily data hold what the metric is made of; events they do not hold."""
    if metric.quantile is not None:
        return None
    known = {name: days[name] for name in names if days and name in days}
    columns = {column for of_variant in known.values() for m in of_variant.values() for column in m.totals}
    return daily_series(known, metric, alpha) if known and columns.issuperset(metric.columns) else None


def _in_order(
    moments: Mapping[str, Moments], control: str, shares: Mapping[str, float], metric: Metric
) -> dict[str, Moments]:
    """The control, then the plan's order, then the rest; a planned variant without users is empty."""
    if moments and control not in moments and control not in shares:
        raise UnknownVariant(control, {*moments, *shares})
    columns = tuple(next(iter(moments.values())).totals) if moments else metric.columns
    names = dict.fromkeys([control, *shares, *moments])
    return {name: moments.get(name) or Moments.empty(columns) for name in names}


def _named_pairs(pairs: Pairs, control: str, names: list[str]) -> list[tuple[str, str]]:
    if pairs == "control":
        return [(name, control) for name in names if name != control]
    if pairs == "all":
        forward = [(treatment, baseline) for baseline, treatment in combinations(names, 2)]
        return forward + [(baseline, treatment) for treatment, baseline in forward]
    named = [(str(treatment), str(baseline)) for treatment, baseline in pairs]
    for name in (name for pair in named for name in pair):
        if name not in names:
            raise UnknownVariant(name, names)
    return named


def _variant(name: str, moments: Moments, metric: Metric, alpha: float) -> VariantResult:
    result = VariantResult(name, moments.n, _finite(moments.totals))
    try:
        result = replace(result, value=metric_value(moments, metric))
        estimate = metric_estimate(moments, metric)
        if estimate.standard_error == 0:
            raise InsufficientData("all its users behave alike, so the error cannot be estimated")
    except InsufficientData as reason:
        return replace(result, why_none=str(reason))
    low, high = estimate.interval(alpha)
    low = low if metric.quantile else max(low, 0.0)
    return replace(result, standard_error=estimate.standard_error, ci_low=low, ci_high=high)


def _with_holm(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """Adjusted for the comparisons made; a pair and its mirror image are one comparison."""
    raw = {frozenset((c.treatment, c.control)): c.p for c in contrasts if c.p is not None}
    adjusted = dict(zip(raw, holm(list(raw.values())), strict=True))
    return tuple(replace(c, p_holm=adjusted.get(frozenset((c.treatment, c.control)))) for c in contrasts)


def _finite(totals: Mapping[str, float]) -> dict[str, float]:
    return {name: total for name, total in totals.items() if abs(total) < float("inf")}
