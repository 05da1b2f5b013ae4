"""What an analysis found, by name: effects, segments, the split, the funnel, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from analytics.cleaning import Cleaning, Funnel
from analytics.compare import DailyMoments, daily_series
from analytics.conclusion import p_words, split_sentence
from analytics.corrections import Correction
from analytics.errors import UnknownVariant
from analytics.metrics import Metric
from analytics.ratio import Interval
from analytics.results import Comparison, Contrast, DailySeries
from analytics.segments import Interaction
from analytics.sequential import Anytime, Fixed, Look
from analytics.srm import SampleRatio
from analytics.wording import amount, confidence, percent, percent_span, quoted, signed_amount, signed_span

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["goal", "guardrail", "secondary"]
Verdict = Literal["do not trust", "ship", "do not ship", "wait"]


@dataclass(frozen=True)
class Measure:
    """A metric and what it is for.

    Attributes:
        role: a `goal` decides, a `guardrail` must not get worse, a `secondary` metric explains.
        margin: the share of the control by which a guardrail may be worse before it counts as harmed.
        increase_is_good: False for a metric such as latency.
    """

    metric: Metric
    role: Role = "goal"
    margin: float = 0.0
    increase_is_good: bool = True


@dataclass(frozen=True)
class Effect:
    """A variant against the control in one metric.

    Attributes:
        effect, ci: treatment minus control in the metric's unit, and its interval under the look.
        relative, relative_ci: the same in shares of the control; the two intervals agree with `p`.
        p: under the look; `p_adjusted` counts in all metrics and variants that were compared.
        variance_reduction: the share of the variance that the covariates took away.
        why_none: why numbers are missing.
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

    @classmethod
    def of(cls, metric: str, contrast: Contrast, p_adjusted: float | None) -> Effect:
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
class Decision:
    """What to do, and why.

    Attributes:
        variant: the one to ship, when there is one.
    """

    verdict: Verdict
    variant: str | None
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self) | {"reasons": list(self.reasons)}


@dataclass(frozen=True)
class Result:
    """Everything that an analysis found; `result["personal", "ctr"]` is one effect.

    Attributes:
        control: what the variants are compared with; other pairs are named `treatment_vs_control`.
        comparisons: metric -> values per variant and contrasts, each adjusted within itself alone.
        effects: (variant, metric) -> effect, adjusted over all of them.
        srm: the sample-ratio check; read it first.
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
    funnel: Funnel | None
    cleaning: Cleaning
    came_from: str
    segments: tuple[Segment, ...]
    days_of: Callable[[], DailyMoments | None]

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

        The days are read when they are asked for.
        """
        days = self.days_of()
        if not days:
            return {}
        known = {name: days[name] for name in self.variants if name in days}
        columns = {column for moments in known.values() for m in moments.values() for column in m.totals}
        plain = (Metric(m.metric.name, m.metric.numerator, m.metric.denominator) for m in self.measures)
        return {m.name: daily_series(known, m, self.alpha) for m in plain if columns.issuperset(m.columns)}

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
                m.metric.name: {**asdict(m.metric), "role": m.role, "margin": m.margin} for m in self.measures
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
        from analytics.experiment_report import html_report

        return html_report(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the split, the conclusion and the effects."""
        from analytics.experiment_report import notebook_html

        return notebook_html(self)


def _flat(segment: str, value: str, effect: Effect) -> dict[str, Any]:
    row = {key: item for key, item in asdict(effect).items() if key not in ("ci", "relative_ci")}
    for name, interval in (("ci", effect.ci), ("relative", effect.relative_ci)):
        row[f"{name}_low"], row[f"{name}_high"] = interval or (None, None)
    return {"segment": segment, "value": value, **row}


def look_words(look: Look) -> str:
    """What the intervals are valid for, in a few words."""
    if isinstance(look, Fixed):
        return "one look at a time chosen beforehand"
    if isinstance(look, Anytime):
        return "any number of looks at any time"
    return f"look {look.look} of {len(look.fractions)} that were planned"


def decide(result: Result) -> Decision:
    """What the numbers say to do, in the order in which to believe them.

    A broken split ends it. A guardrail that is shown to be worse by more than its margin rules its variant
    out. Of the variants left, the one furthest ahead in the first goal is the one to ship, if that is shown
    beyond doubt; if all are shown to be behind the answer is no, and otherwise it is to wait.
    """
    split = split_sentence(next(iter(result.comparisons.values())))
    if result.srm.is_alarm:
        return Decision("do not trust", None, (split,))
    reasons = [split]
    harmed = {variant for variant, _ in _harms(result)}
    for variant, metric in _harms(result):
        reasons.append(f"{quoted(variant)} made the guardrail {quoted(metric)} worse: do not ship it.")
    goals = [m for m in result.measures if m.role == "goal"]
    if not goals or len(result.variants) < 2:
        return Decision("wait", None, (*reasons, "There is no goal, or nothing to compare it with."))
    goal = goals[0]
    sign = 1.0 if goal.increase_is_good else -1.0
    names = [name for name in result.variants if (name, goal.metric.name) in result.effects]
    effects = [result[name, goal.metric.name] for name in names]
    reasons += [goal_sentence(result, goal, effect) for effect in effects]
    shown = [e for e in effects if e.is_significant(result.alpha)]
    ahead = [e for e in shown if sign * (e.effect or 0.0) > 0 and e.variant not in harmed]
    if ahead:
        best = max(ahead, key=lambda e: sign * (e.effect or 0.0))
        reasons.append(f"Ship {quoted(best.variant)}.")
        return Decision("ship", best.variant, tuple(reasons))
    if effects and all(e in shown or e.variant in harmed for e in effects):
        reasons.append(f"Keep {quoted(result.control)}.")
        return Decision("do not ship", None, tuple(reasons))
    reasons.append("Nothing is decided yet: gather more users, or accept that the difference is small.")
    return Decision("wait", None, tuple(reasons))


def goal_sentence(result: Result, goal: Measure, effect: Effect) -> str:
    """One variant in the first goal, with the p-value that counts in every comparison."""
    metric, name = goal.metric, quoted(effect.variant)
    if effect.p is None or effect.ci is None:
        return f"{name} cannot be judged: {effect.why_none}."
    comparison = result.comparisons[metric.name]
    interval = percent_span(*effect.relative_ci) if effect.relative_ci else signed_span(*effect.ci, metric)
    size = signed_amount(effect.effect, metric) if effect.relative is None else percent(effect.relative)
    evidence = f"{size}, {confidence(result.alpha)} interval {interval}, p\u00a0{p_words(effect.p_adjusted)}"
    if not effect.is_significant(result.alpha):
        return f"No difference in {metric.title} between {name} and the control is shown ({evidence})."
    verb = "raised" if (effect.effect or 0.0) > 0 else "lowered"
    before = amount(comparison.variants[result.control].value, metric)
    return f"{name} {verb} {metric.title} from {before} ({evidence})."


def _harms(result: Result) -> list[tuple[str, str]]:
    """Guardrails that are shown to be worse by more than their margin: (variant, metric)."""
    found = []
    for measure in (m for m in result.measures if m.role == "guardrail"):
        for variant in (v for v in result.variants if (v, measure.metric.name) in result.effects):
            effect = result[variant, measure.metric.name]
            ends = effect.relative_ci or (effect.ci if measure.margin == 0 else None)
            if ends is None or not (measure.margin > 0 or effect.is_significant(result.alpha)):
                continue
            best = ends.high if measure.increase_is_good else -ends.low
            if best < -measure.margin:
                found.append((variant, measure.metric.name))
    return found
