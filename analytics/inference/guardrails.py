"""Guardrails: has it been shown that the treatment does not make this metric worse by more than we accept?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from analytics.errors import InsufficientData
from analytics.inference.ratio import Estimate, Interval, difference, relative_interval, relative_uplift
from analytics.inference.sequential import FIXED, Look


@dataclass(frozen=True)
class NonInferiority:
    """Verdict on one guardrail.

    Attributes:
        margin: how much worse is still accepted: a share of the control when `is_relative`, else in the
            metric's unit.
        worst: the end of the 1 - alpha interval on the bad side, in the unit of the margin.
        p: one-sided, of being worse by the margin or more; compare it with alpha / 2.
        is_noninferior: True when `worst` is within the margin. False means not shown, not harmful.
    """

    margin: float
    is_relative: bool
    increase_is_good: bool
    worst: float | None = None
    p: float | None = None
    is_noninferior: bool | None = None
    why_none: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


def noninferiority(
    treatment: Estimate,
    control: Estimate,
    *,
    margin: float,
    is_relative: bool = True,
    increase_is_good: bool = True,
    alpha: float = 0.05,
    look: Look = FIXED,
) -> NonInferiority:
    """Is the treatment at most `margin` worse than the control, beyond doubt?

    With b = 1 - margin (1 + margin where an increase is bad) the relative question is whether
    treatment - b control is on the good side of zero, which is tested as any other difference and agrees
    with Fieller's interval of the relative effect. One side of a two-sided 1 - alpha interval is
    looked at, so harm is overlooked with chance alpha / 2.

    Raises:
        ValueError: a margin below zero, or relative and not below 1.
    Source: Food and Drug Administration, Non-Inferiority Clinical Trials, 2016; Fieller 1954 for the ratio.
    """
    if margin < 0 or (is_relative and margin >= 1):
        raise ValueError(f"a margin is at least 0, and below 1 when relative, got {margin}")
    result = NonInferiority(margin, is_relative, increase_is_good)
    sign = 1.0 if increase_is_good else -1.0
    n_users = round(treatment.degrees_of_freedom + control.degrees_of_freedom) + 2
    try:
        gap = _gap(treatment, control, sign * margin, is_relative)
        gap.p()
        critical = look.critical(gap, n_users, alpha)
        if is_relative:
            ends = relative_interval(treatment, control, critical)
        else:
            ends = _ends(gap, critical, sign * margin)
    except InsufficientData as reason:
        return replace(result, why_none=str(reason))
    half = look.p(gap, n_users, alpha) / 2.0
    p = half if sign * gap.value > 0 else 1.0 - half
    worst = ends.low if increase_is_good else ends.high
    return replace(result, worst=worst, p=p, is_noninferior=p < alpha / 2.0)


def _gap(treatment: Estimate, control: Estimate, allowed: float, is_relative: bool) -> Estimate:
    """How far the treatment is from what is just not accepted any more."""
    if not is_relative:
        plain = difference(treatment, control)
        return replace(plain, value=plain.value + allowed)
    relative_uplift(treatment, control)
    b = 1.0 - allowed
    bound = Estimate(b * control.value, b * control.standard_error, control.degrees_of_freedom)
    return difference(treatment, bound)


def _ends(gap: Estimate, critical: float, shift: float) -> Interval:
    reach = critical * gap.standard_error
    return Interval(gap.value - shift - reach, gap.value - shift + reach)
