"""What a comparison found, by name. A number that cannot be given is None and a sentence says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from analytics.errors import UnknownVariant
from analytics.inference.sequential import FIXED, Look
from analytics.inference.srm import SampleRatio
from analytics.metrics import Metric


@dataclass(frozen=True)
class VariantResult:
    """The metric within one variant.

    Attributes:
        totals: every summed column, by name.
        value: the metric, None without a denominator.
        ci_low, ci_high: its 1 - alpha interval; that of a ratio is not below zero.
        why_none: why `value` or its interval is missing.
    """

    name: str
    users: int
    totals: Mapping[str, float]
    value: float | None = None
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    why_none: str | None = None


@dataclass(frozen=True)
class Contrast:
    """Treatment minus control.

    Attributes:
        effect: the uplift in the metric's own unit, adjusted for the metric's covariates.
        ci_low, ci_high: its 1 - alpha interval under the look that was planned; without a plan it is valid
            for one look at a time chosen beforehand.
        p: the two-sided p-value of that look, below alpha exactly when the interval excludes zero;
            p_holm is adjusted for all comparisons made.
        anytime_low, anytime_high, anytime_p: the same so that it also stands when looked at every day.
        relative_uplift, relative_low, relative_high: in shares of the control; agrees with `p`.
        variance_reduction: the share of the variance that the covariates took away; None without any.
        why_none: why numbers are missing; why_no_relative: why only the relative ones are;
            why_not_adjusted: which covariates could not be used.
    """

    treatment: str
    control: str
    effect: float | None = None
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    anytime_low: float | None = None
    anytime_high: float | None = None
    anytime_p: float | None = None
    relative_uplift: float | None = None
    relative_low: float | None = None
    relative_high: float | None = None
    variance_reduction: float | None = None
    why_none: str | None = None
    why_no_relative: str | None = None
    why_not_adjusted: str | None = None

    @property
    def name(self) -> str:
        """`treatment_vs_control`."""
        return f"{self.treatment}_vs_{self.control}"

    def is_significant(self, alpha: float) -> bool:
        """True when the p-value, adjusted for all comparisons made, is below alpha."""
        return self.p_holm is not None and self.p_holm < alpha

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class DayPoint:
    """The metric of one variant over all days up to this one."""

    day: str
    users: int
    value: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class DailySeries:
    """The metric of each variant as it built up, day by day; each band is a single-look interval."""

    metric: Metric
    alpha: float
    variants: Mapping[str, tuple[DayPoint, ...]]

    @property
    def days(self) -> list[str]:
        """Every day, in order."""
        return sorted({point.day for points in self.variants.values() for point in points})

    def to_dict(self) -> dict[str, Any]:
        """Variant name -> list of days, ready for JSON."""
        return {name: [asdict(point) for point in points] for name, points in self.variants.items()}


@dataclass(frozen=True)
class Comparison:
    """One metric compared between the variants of an experiment.

    `comparison["personal", "popular"]` is the contrast of these two, either way round where both were
    asked for; `comparison["personal"]` is the one against the control.

    Attributes:
        variants: in planned order where a plan is known, the control first.
        contrasts: in the order asked for.
        srm: the sample-ratio check; read it first.
        days: the metric as it built up, where daily data were given.
        look: what was planned about looking.
        conclusion: all of it in a few plain sentences.
    """

    metric: Metric
    alpha: float
    control: str
    variants: Mapping[str, VariantResult]
    contrasts: tuple[Contrast, ...]
    srm: SampleRatio
    planned_users: int
    conclusion: str
    experiment: str | None = None
    days: DailySeries | None = None
    look: Look = FIXED

    def __getitem__(self, key: str | tuple[str, str]) -> Contrast:
        treatment, control = key if isinstance(key, tuple) else (key, self.control)
        for contrast in self.contrasts:
            if (contrast.treatment, contrast.control) == (treatment, control):
                return contrast
        raise UnknownVariant(f"{treatment}_vs_{control}", (contrast.name for contrast in self.contrasts))

    def to_dict(self) -> dict[str, Any]:
        """All of it ready for JSON: no NaN, no infinity."""
        return {
            "experiment": self.experiment,
            "metric": asdict(self.metric),
            "alpha": self.alpha,
            "control": self.control,
            "conclusion": self.conclusion,
            "srm": self.srm.to_dict(),
            "variants": {name: self.variant_dict(name) for name in self.variants},
            "comparisons": {contrast.name: contrast.to_dict() for contrast in self.contrasts},
            "planned_users": self.planned_users,
            "look": asdict(self.look),
            "days": self.days.to_dict() if self.days else None,
        }

    def variant_dict(self, name: str) -> dict[str, Any]:
        """One variant, ready for JSON.

        `value` is under the metric's name too, unless that is the name of a total, as in clicks=clicks/users.
        """
        variant = self.variants[name]
        return {
            self.metric.name: variant.value,
            "users": variant.users,
            **variant.totals,
            "value": variant.value,
            "standard_error": variant.standard_error,
            "ci_low": variant.ci_low,
            "ci_high": variant.ci_high,
            "why_none": variant.why_none,
        }
