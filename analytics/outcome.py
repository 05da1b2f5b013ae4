"""What an analysis found, by name: effects, segments, the split, the funnel, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from analytics.cleaning import Cleaning, Funnel
from analytics.compare import DailyMoments, daily_series
from analytics.decision import Decision, decide
from analytics.errors import UnknownVariant
from analytics.inference.bayes import Posterior
from analytics.inference.corrections import Correction
from analytics.inference.guardrails import NonInferiority
from analytics.inference.novelty import Novelty, Since, Trends, novelty
from analytics.inference.ratio import Interval
from analytics.inference.segments import Interaction
from analytics.inference.sequential import Anytime, Fixed, Look
from analytics.inference.srm import SampleRatio, SampleRatioBy, sample_ratio_by
from analytics.measures import Measure
from analytics.metrics import Metric
from analytics.results import Comparison, Contrast, DailySeries

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Effect:
    """A variant against the control in one metric.

    Attributes:
        effect, ci: treatment minus control in the metric's unit, and its interval under the look.
        relative, relative_ci: the same in shares of the control; the two intervals agree with `p`.
        p: under the look; `p_adjusted` counts in all metrics and variants that were compared.
        variance_reduction: the share of the variance that the covariates took away.
        why_none: why numbers are missing.
        posterior: the Bayesian reading of the same difference.
        noninferiority: of a guardrail with a margin: is it shown to stay within it?
    """

    metric: str
    variant: str
    control: str
    effect: float | None
    ci: Interval | None
    relative: float | None
    relative_ci: Interval | None
    standard_error: float | None
    p: float | None
    p_adjusted: float | None
    variance_reduction: float | None
    why_none: str | None
    why_no_relative: str | None
    why_not_adjusted: str | None
    posterior: Posterior | None = None
    noninferiority: NonInferiority | None = None

    @classmethod
    def of(
        cls,
        metric: str,
        contrast: Contrast,
        p_adjusted: float | None,
        posterior: Posterior | None = None,
        noninferiority: NonInferiority | None = None,
    ) -> Effect:
        """The effect that a contrast tells."""
        return cls(
            metric,
            contrast.treatment,
            contrast.control,
            contrast.effect,
            _interval(contrast.ci_low, contrast.ci_high),
            contrast.relative_uplift,
            _interval(contrast.relative_low, contrast.relative_high),
            contrast.standard_error,
            contrast.p,
            p_adjusted,
            contrast.variance_reduction,
            contrast.why_none,
            contrast.why_no_relative,
            contrast.why_not_adjusted,
            posterior,
            noninferiority,
        )

    def is_significant(self, alpha: float) -> bool:
        """True when the adjusted p-value is below alpha."""
        return self.p_adjusted is not None and self.p_adjusted < alpha

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self) | {
            "ci": list(self.ci) if self.ci else None,
            "relative_ci": list(self.relative_ci) if self.relative_ci else None,
        }


def _interval(low: float | None, high: float | None) -> Interval | None:
    return None if low is None or high is None else Interval(low, high)


@dataclass(frozen=True)
class Segment:
    """The effects within each value of one segment.

    Attributes:
        effects: value -> (variant, metric) -> effect, adjusted over all segments together.
        srm: value -> the sample-ratio check within it.
        interactions: (variant, metric) -> does the effect differ between the values?
    """

    name: str
    effects: Mapping[str, Mapping[tuple[str, str], Effect]]
    srm: Mapping[str, SampleRatio]
    interactions: Mapping[tuple[str, str], Interaction]

    def __getitem__(self, value: str) -> Mapping[tuple[str, str], Effect]:
        return self.effects[value]

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            "name": self.name,
            "values": {
                value: {
                    "srm": self.srm[value].to_dict(),
                    "effects": [effect.to_dict() for effect in effects.values()],
                }
                for value, effects in self.effects.items()
            },
            "interactions": [
                {"variant": variant, "metric": metric, **found.to_dict()}
                for (variant, metric), found in self.interactions.items()
            ],
        }


@dataclass(frozen=True)
class Result:
    """Everything that an analysis found; `result["personal", "ctr"]` is one effect.

    Attributes:
        control: what the variants are compared with; other pairs are named `treatment_vs_control`.
        comparisons: metric -> values per variant and contrasts, each adjusted within itself alone.
        effects: (variant, metric) -> effect, adjusted over all of them.
        srm: the sample-ratio check; read it first.
        shares: the planned shares by variant, where they are known.
        funnel: what became of every row of the logs; None where the source was clean already.
    """

    name: str
    measures: tuple[Measure, ...]
    control: str
    alpha: float
    look: Look
    correction: Correction
    comparisons: Mapping[str, Comparison]
    effects: Mapping[tuple[str, str], Effect]
    srm: SampleRatio
    shares: Mapping[str, float] | None
    funnel: Funnel | None
    cleaning: Cleaning
    came_from: str
    segments: tuple[Segment, ...]
    days_of: Callable[[], DailyMoments | None]
    trends_of: Callable[[Metric, Since], Trends | None]

    def __getitem__(self, key: tuple[str, str]) -> Effect:
        if key not in self.effects:
            raise UnknownVariant("/".join(key), ("/".join(known) for known in self.effects))
        return self.effects[key]

    def segment(self, name: str) -> Segment:
        """One of the segments asked for.

        Raises:
            UnknownVariant: it was not asked for.
        """
        for segment in self.segments:
            if segment.name == name:
                return segment
        raise UnknownVariant(name, (segment.name for segment in self.segments))

    @property
    def variants(self) -> list[str]:
        """The control first."""
        return list(next(iter(self.comparisons.values())).variants)

    @property
    def decision(self) -> Decision:
        """The split, then the guardrails, then the first goal."""
        return decide(self)

    @property
    def conclusion(self) -> str:
        """The decision with its reasons, in a few plain sentences."""
        return " ".join(self.decision.reasons)

    def by_day(self) -> dict[str, DailySeries]:
        """Metric -> its values over all days up to each day; empty where the source has no days.

        Quantiles have none: the days are kept as sums. The days are read when they are asked for.
        """
        days = self.days_of()
        if not days:
            return {}
        known = {name: days[name] for name in self.variants if name in days}
        columns = {column for moments in known.values() for m in moments.values() for column in m.totals}
        ratios = [m.metric for m in self.measures if m.metric.quantile is None]
        plain = (Metric(m.name, m.numerator, m.denominator) for m in ratios)
        return {m.name: daily_series(known, m, self.alpha) for m in plain if columns.issuperset(m.columns)}

    def novelty(
        self, since: Since = "start", metrics: Collection[str] | None = None
    ) -> dict[tuple[str, str], Novelty]:
        """(variant, metric) -> does the effect fade or grow? Covariates do not enter.

        The days are read when they are asked for.

        Args:
            since: the day of the experiment ("start"), or the days since the user was first seen in it.
            metrics: their names; all of them by default.
        """
        return {
            (variant, m.metric.name): found
            for m in self.measures
            if metrics is None or m.metric.name in metrics
            for variant, found in self._novelty_of(m.metric, since).items()
        }

    def _novelty_of(self, metric: Metric, since: Since) -> dict[str, Novelty]:
        variants = [name for name in self.variants if name != self.control]
        try:
            trends = self.trends_of(metric, since)
        except KeyError:
            trends = None
        if trends is None:
            return {name: Novelty(0, why_none="there are no daily data of this metric") for name in variants}
        seen = {*trends.moments}
        return {
            name: novelty(
                trends.moments[name], trends.moments[self.control], metric, trends.n_days, alpha=self.alpha
            )
            if {name, self.control} <= seen
            else Novelty(trends.n_days, why_none="one of the variants has no users")
            for name in variants
        }

    def srm_by(self, segment: str) -> SampleRatioBy:
        """The sample-ratio check within each value of a segment, adjusted for there being several.

        Raises:
            UnknownVariant: the segment was not asked for.
        """
        found = self.segment(segment).srm
        users = {value: check.observed for value, check in found.items()}
        return sample_ratio_by(users, self.shares, threshold=self.srm.threshold)

    def srm_by_day(self) -> SampleRatioBy:
        """The same for each day's new users, others every day; without groups where there are no days.

        The days are read when they are asked for.
        """
        new: dict[str, dict[str, int]] = {}
        for variant, of_days in (self.days_of() or {}).items():
            so_far = 0
            for day, moments in sorted(of_days.items()):
                new.setdefault(day, {})[variant] = moments.n - so_far
                so_far = moments.n
        names = self.variants
        users = {day: {name: of_day.get(name, 0) for name in names} for day, of_day in sorted(new.items())}
        return sample_ratio_by(users, self.shares, threshold=self.srm.threshold)

    def to_dict(self) -> dict[str, Any]:
        """All of it but the days, ready for JSON: no NaN, no infinity."""
        return {
            "experiment": self.name or None,
            "control": self.control,
            "alpha": self.alpha,
            "look": look_words(self.look),
            "correction": self.correction,
            "conclusion": self.conclusion,
            "decision": self.decision.to_dict(),
            "srm": self.srm.to_dict(),
            "funnel": self.funnel.to_dict() if self.funnel else None,
            "cleaning": self.cleaning.to_dict(),
            "came_from": self.came_from,
            "metrics": {
                m.metric.name: {**asdict(m.metric), "role": m.role, "margin": m.margin, "cap": m.cap}
                for m in self.measures
            },
            "variants": {
                name: {metric: self.comparisons[metric].variant_dict(name) for metric in self.comparisons}
                for name in self.variants
            },
            "effects": [effect.to_dict() for effect in self.effects.values()],
            "segments": [segment.to_dict() for segment in self.segments],
        }

    def to_pandas(self) -> pd.DataFrame:
        """One row an effect, those of the segments below; `segment` and `value` are empty for the whole."""
        import pandas as pd

        rows = [("", "", effect) for effect in self.effects.values()]
        rows += [
            (segment.name, value, effect)
            for segment in self.segments
            for value, effects in segment.effects.items()
            for effect in effects.values()
        ]
        return pd.DataFrame([_flat(segment, value, effect) for segment, value, effect in rows])

    def to_html(self) -> str:
        """The report: one HTML file that asks for nothing outside itself."""
        from analytics.reporting.report import html_report

        return html_report(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the split, the conclusion and the effects."""
        from analytics.reporting.report import notebook_html

        return notebook_html(self)


def _flat(segment: str, value: str, effect: Effect) -> dict[str, Any]:
    nested = ("ci", "relative_ci", "posterior", "noninferiority")
    row = {key: item for key, item in asdict(effect).items() if key not in nested}
    for name, interval in (("ci", effect.ci), ("relative", effect.relative_ci)):
        row[f"{name}_low"], row[f"{name}_high"] = interval or (None, None)
    row["chance_to_win"] = effect.posterior and effect.posterior.chance_to_win
    row["expected_loss"] = effect.posterior and effect.posterior.expected_loss
    row["is_noninferior"] = effect.noninferiority and effect.noninferiority.is_noninferior
    return {"segment": segment, "value": value, **row}


def look_words(look: Look) -> str:
    """What the intervals are valid for, in a few words."""
    if isinstance(look, Fixed):
        return "one look at a time chosen beforehand"
    if isinstance(look, Anytime):
        return "any number of looks at any time"
    return f"look {look.look} of {len(look.fractions)} that were planned"
