"""One metric, two variants: the difference, its interval under the planned look, and its one p-value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from analytics.errors import InsufficientData
from analytics.inference.cuped import VariantEstimate, estimate_variants
from analytics.inference.ratio import Estimate, Interval, difference, relative_interval, relative_uplift
from analytics.inference.sequential import FIXED, PLANNED_USERS, Anytime, Look
from analytics.metrics import Metric
from analytics.results import Contrast
from analytics.sums import Moments
from analytics.wording import quoted

ALIKE = "all users of both variants behave alike, so the error cannot be estimated"


def contrast_variants(
    moments: Mapping[str, Moments],
    metric: Metric,
    pairs: Iterable[tuple[str, str]],
    *,
    alpha: float = 0.05,
    look: Look = FIXED,
    planned_users: int = PLANNED_USERS,
) -> tuple[Contrast, ...]:
    """One contrast for each (treatment, control), adjusted for the metric's covariates; p_holm is left out.

    Args:
        moments: by variant; every name in `pairs` must be there.
        planned_users: of two variants together by the planned end; tunes the anytime interval that is
            given beside the one of `look`.
    """
    estimates = estimate_variants(moments, metric)
    return tuple(
        _contrast(
            (treatment, control),
            estimates[treatment],
            estimates[control],
            moments[treatment].n + moments[control].n,
            alpha,
            look,
            _beside(look, planned_users),
        )
        for treatment, control in pairs
    )


def contrast_estimates(
    names: tuple[str, str],
    treatment: Estimate,
    control: Estimate,
    n_users: int,
    *,
    alpha: float = 0.05,
    look: Look = FIXED,
    planned_users: int = PLANNED_USERS,
) -> Contrast:
    """The contrast of two estimates that were made in another way, such as quantiles.

    Args:
        names: of the treatment and the control.
        n_users: of both together.
    """
    found = VariantEstimate(treatment, treatment), VariantEstimate(control, control)
    return _contrast(names, *found, n_users, alpha, look, _beside(look, planned_users))


def _beside(look: Look, planned_users: int) -> Anytime:
    """The any-time rule that is told beside `look`: the same where it is one already."""
    return look if isinstance(look, Anytime) else Anytime(planned_users)


def _contrast(
    names: tuple[str, str],
    treatment: VariantEstimate,
    control: VariantEstimate,
    n_users: int,
    alpha: float,
    look: Look,
    anytime: Anytime,
) -> Contrast:
    new, old = treatment.adjusted, control.adjusted
    if new is None:
        return Contrast(*names, why_none=f"in {quoted(names[0])}, {treatment.why_none}")
    if old is None:
        return Contrast(*names, why_none=f"in {quoted(names[1])}, {control.why_none}")
    try:
        uplift = difference(new, old)
    except InsufficientData as reason:
        return Contrast(*names, why_none=str(reason))
    effect, error = uplift.value, uplift.standard_error
    if error == 0:
        return Contrast(*names, effect=effect, why_none=ALIKE, why_not_adjusted=treatment.why_not_adjusted)
    critical = look.critical(uplift, n_users, alpha)
    any_critical = anytime.critical(uplift, n_users, alpha)
    relative, ends, why_no_relative = _relative(new, old, critical)
    return Contrast(
        *names,
        effect=effect,
        standard_error=error,
        ci_low=effect - critical * error,
        ci_high=effect + critical * error,
        p=look.p(uplift, n_users, alpha),
        anytime_low=effect - any_critical * error,
        anytime_high=effect + any_critical * error,
        anytime_p=anytime.p(uplift, n_users, alpha),
        relative_uplift=relative,
        relative_low=ends and ends.low,
        relative_high=ends and ends.high,
        variance_reduction=_variance_reduction(treatment, control, error),
        why_no_relative=why_no_relative,
        why_not_adjusted=treatment.why_not_adjusted,
    )


def _relative(
    treatment: Estimate, control: Estimate, critical: float
) -> tuple[float | None, Interval | None, str | None]:
    """The relative uplift, its interval, and why either is missing."""
    uplift: float | None = None
    try:
        uplift = relative_uplift(treatment, control)
        return uplift, relative_interval(treatment, control, critical), None
    except InsufficientData as reason:
        return uplift, None, str(reason)


def _variance_reduction(treatment: VariantEstimate, control: VariantEstimate, error: float) -> float | None:
    """The share of the variance that the covariates took away."""
    if treatment.plain is treatment.adjusted or not (treatment.plain and control.plain):
        return None
    before = difference(treatment.plain, control.plain).standard_error
    return 1.0 - (error / before) ** 2 if before > 0 else None
