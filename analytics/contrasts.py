"""One metric, two variants: the difference, its interval under the planned look, and its one p-value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from analytics.cuped import VariantEstimate, estimate_variants
from analytics.errors import InsufficientData
from analytics.metrics import Metric
from analytics.ratio import Estimate, difference, relative_interval, relative_uplift
from analytics.results import Contrast
from analytics.sequential import FIXED, PLANNED_USERS, Anytime, Look
from analytics.sums import Moments
from analytics.wording import quoted


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
            Contrast(treatment, control),
            estimates[treatment],
            estimates[control],
            moments[treatment].n + moments[control].n,
            alpha,
            look,
            Anytime(planned_users),
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
    return _contrast(Contrast(*names), *found, n_users, alpha, look, Anytime(planned_users))


def _contrast(
    result: Contrast,
    treatment: VariantEstimate,
    control: VariantEstimate,
    n_users: int,
    alpha: float,
    look: Look,
    anytime: Anytime,
) -> Contrast:
    if treatment.adjusted is None:
        return replace(result, why_none=f"in {quoted(result.treatment)}, {treatment.why_none}")
    if control.adjusted is None:
        return replace(result, why_none=f"in {quoted(result.control)}, {control.why_none}")
    uplift = difference(treatment.adjusted, control.adjusted)
    result = replace(result, effect=uplift.value, why_not_adjusted=treatment.why_not_adjusted)
    if uplift.standard_error == 0:
        reason = "all users of both variants behave alike, so the error cannot be estimated"
        return replace(result, why_none=reason)
    critical = look.critical(uplift, n_users, alpha)
    any_critical = anytime.critical(uplift, n_users, alpha)
    result = replace(
        result,
        standard_error=uplift.standard_error,
        ci_low=uplift.value - critical * uplift.standard_error,
        ci_high=uplift.value + critical * uplift.standard_error,
        p=look.p(uplift, n_users, alpha),
        anytime_low=uplift.value - any_critical * uplift.standard_error,
        anytime_high=uplift.value + any_critical * uplift.standard_error,
        anytime_p=anytime.p(uplift, n_users, alpha),
        variance_reduction=_variance_reduction(treatment, control, uplift),
    )
    return _with_relative(result, treatment.adjusted, control.adjusted, critical)


def _variance_reduction(
    treatment: VariantEstimate, control: VariantEstimate, adjusted: Estimate
) -> float | None:
    if treatment.plain is treatment.adjusted or not (treatment.plain and control.plain):
        return None
    before = difference(treatment.plain, control.plain).standard_error
    return 1.0 - (adjusted.standard_error / before) ** 2


def _with_relative(result: Contrast, treatment: Estimate, control: Estimate, critical: float) -> Contrast:
    try:
        result = replace(result, relative_uplift=relative_uplift(treatment, control))
        low, high = relative_interval(treatment, control, critical)
    except InsufficientData as reason:
        return replace(result, why_no_relative=str(reason))
    return replace(result, relative_low=low, relative_high=high)
