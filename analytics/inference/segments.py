"""Is the effect the same for everybody? One test over all segments, before any single one is believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from analytics.errors import InsufficientData
from analytics.inference.cuped import VariantEstimate, estimate_variants
from analytics.inference.distributions import chi_square_p
from analytics.inference.ratio import Estimate, difference
from analytics.metrics import Metric
from analytics.sums import Moments

FARTHEST = 1e6
"""Standard errors from the common effect beyond which a segment is no farther."""


@dataclass(frozen=True)
class Interaction:
    """Verdict on whether the effect differs between segments.

    Attributes:
        statistic: Cochran's Q; `p` is the chance of one so large when the effect is the same everywhere.
        common: the effect that all segments share if it is the same, each weighed by its precision.
        segments: those that could be used; `left_out` the others, with the reason.
    """

    segments: tuple[str, ...]
    left_out: Mapping[str, str]
    statistic: float | None = None
    degrees_of_freedom: int | None = None
    p: float | None = None
    common: float | None = None
    why_none: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


def interaction(effects: Mapping[str, Estimate], left_out: Mapping[str, str] | None = None) -> Interaction:
    """Do independent estimates of an effect differ more than chance explains?

    With w = 1 / SE^2 and the mean effect weighed by w,
        Q = sum w (effect - mean)^2,   chi-square with one degree of freedom fewer than there are segments.
    It equals the Wald test of all segment x treatment terms in a regression with robust errors.

    Args:
        effects: treatment minus control in each segment; no user is in two of them.
        left_out: segments that have no effect, and why, to be told with the result.
    Source: Cochran, Biometrics 1954, 10(1).
    """
    used = {name: effect for name, effect in effects.items() if effect.standard_error > 0}
    alike = "its users behave alike, so there is no error to weigh it by"
    missing = {**(left_out or {}), **{name: alike for name in effects if name not in used}}
    names = tuple(used)
    if len(used) < 2:
        return Interaction(names, missing, why_none="there are not two segments to tell apart")
    smallest = min(effect.standard_error for effect in used.values())
    weights = [(smallest / effect.standard_error) ** 2 for effect in used.values()]
    common = math.fsum(w * effect.value for w, effect in zip(weights, used.values(), strict=True))
    common /= math.fsum(weights)
    distances = [(effect.value - common) / effect.standard_error for effect in used.values()]
    statistic = math.fsum(min(abs(distance), FARTHEST) ** 2 for distance in distances)
    freedom = len(used) - 1
    return Interaction(names, missing, statistic, freedom, chi_square_p(statistic, freedom), common)


def segment_interaction(
    segments: Mapping[str, Mapping[str, Moments]], metric: Metric, treatment: str, control: str
) -> Interaction:
    """`interaction` of a metric's effect, from the moments per segment and variant.

    A segment where either variant has too little data is left out, with the reason.
    """
    effects, left_out = {}, {}
    for name, moments in segments.items():
        nobody = VariantEstimate(None, None, why_none="there are no users")
        found = estimate_variants(moments, metric)
        t, c = found.get(treatment, nobody), found.get(control, nobody)
        if t.adjusted is None:
            left_out[name] = f"in “{treatment}”, {t.why_none}"
        elif c.adjusted is None:
            left_out[name] = f"in “{control}”, {c.why_none}"
        else:
            try:
                effects[name] = difference(t.adjusted, c.adjusted)
            except InsufficientData as reason:
                left_out[name] = str(reason)
    return interaction(effects, left_out)
