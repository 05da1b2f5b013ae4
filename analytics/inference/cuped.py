"""Variance reduction: what users did before the experiment explains part of how they differ in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analytics.errors import InsufficientData
from analytics.inference.estimates import metric_estimate
from analytics.inference.ratio import Estimate, RatioColumns, ratio_covariances
from analytics.metrics import Covariate, Metric
from analytics.sums import Moments

ROUNDING = 1e-12
"""Share of a variance below which what the regression leaves of it is rounding."""

COLLINEAR = 1e-10
"""Share of a covariate's variance below which what the others leave of it is a repetition of them."""

NO_QUANTILE = "not adjusted: what users did before is taken out of means and ratios, not of a quantile"

Matrix = list[list[float]]


@dataclass(frozen=True)
class VariantEstimate:
    """The metric in one variant, as it was and adjusted for the covariates.

    Attributes:
        plain: the ratio of means, or the quantile.
        adjusted: as it would be if all variants had begun alike; equal to `plain` without covariates.
        why_none: why there is neither.
        why_not_adjusted: which covariates could not be used, and why.
    """

    plain: Estimate | None
    adjusted: Estimate | None
    why_none: str | None = None
    why_not_adjusted: str | None = None


def estimate_variants(moments: Mapping[str, Moments], metric: Metric) -> dict[str, VariantEstimate]:
    """The metric in each variant, adjusted for its covariates by regression (CUPED), means or ratios alike.

    Metric R and covariates C_j are ratios of means, linearised by the delta method. With slopes fitted to
    the users of all variants together,
        theta = Cov(C, C)^-1 Cov(C, R)
        R_adjusted = R - theta . (C - C_all),    Var = Var(R) - 2 theta . Cov(C, R) + theta Cov(C, C) theta
    within each variant. Chance differences of the past are taken out and the expected effect stays, because
    a treatment cannot change the past. Covariates without data or spread are left out, and those that
    repeat others count once. A quantile is not adjusted.

    Source: Deng, Xu, Kohavi and Walker, WSDM 2013; for ratios and several covariates the linearisation of
        Deng, Knoblich and Lu, KDD 2018, arXiv:1803.06336. One slope for all variants, as there.
    """
    found: dict[str, VariantEstimate] = {}
    for name, of_variant in moments.items():
        try:
            plain = metric_estimate(of_variant, metric)
            found[name] = VariantEstimate(plain, plain)
        except InsufficientData as reason:
            found[name] = VariantEstimate(None, None, why_none=str(reason))
    if metric.covariates and metric.quantile is not None:
        return {name: replace(one, why_not_adjusted=NO_QUANTILE) for name, one in found.items()}
    if metric.covariates:
        found |= _adjusted_variants({n: m for n, m in moments.items() if found[n].plain}, found, metric)
    return found


def _adjusted_variants(
    moments: Mapping[str, Moments], found: Mapping[str, VariantEstimate], metric: Metric
) -> dict[str, VariantEstimate]:
    """The variants that have an estimate, adjusted for what can be adjusted for in all of them."""
    parts = {name: of_variant.only(metric.columns) for name, of_variant in moments.items()}
    if not parts:
        return {}
    everyone = _sum(parts.values())
    faults = {c: _fault(c, parts.values()) for c in metric.covariates}
    usable = [covariate for covariate, fault in faults.items() if fault is None]
    ratios: list[RatioColumns] = [*usable, metric]
    try:
        pooled = ratio_covariances(everyone, ratios)
        slopes = _slopes(pooled)
        adjusted = {
            name: _adjusted(plain, part, everyone, ratios, slopes)
            for name, part in parts.items()
            if (plain := found[name].plain)
        }
    except InsufficientData as reason:
        return {name: replace(found[name], why_not_adjusted=f"not adjusted: {reason}") for name in parts}
    faults |= {c: "it is the same for all users" for i, c in enumerate(usable) if pooled[i][i] == 0}
    problems = [f"not adjusted for “{c.name}”: {fault}" for c, fault in faults.items() if fault]
    why_not = "; ".join(problems) or None
    if all(faults.values()):
        return {name: replace(found[name], why_not_adjusted=why_not) for name in parts}
    return {
        name: replace(found[name], adjusted=estimate, why_not_adjusted=why_not)
        for name, estimate in adjusted.items()
    }


def _sum(parts: Iterable[Moments]) -> Moments:
    first, *rest = parts
    for other in rest:
        first = first + other
    return first


def _fault(covariate: Covariate, parts: Iterable[Moments]) -> str | None:
    """Why a covariate cannot be computed in every variant."""
    y, x = covariate.numerator, covariate.denominator
    for part in parts:
        if not all(map(math.isfinite, (part.product(y, y), part.product(x, x)))):
            return "a value is not a finite number"
        if part.total(x) == 0:
            return "some variant has nothing of it from before"
    return None


def _slopes(covariances: Matrix) -> list[float]:
    """theta: the last of the ratios regressed on the others, by Gauss-Jordan elimination."""
    k = len(covariances) - 1
    rows = [row[:] for row in covariances[:k]]
    kept = []
    for i in range(k):
        if rows[i][i] <= COLLINEAR * covariances[i][i]:
            continue
        kept.append(i)
        for j in range(k):
            if j != i:
                factor = rows[j][i] / rows[i][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [rows[i][k] / rows[i][i] if i in kept else 0.0 for i in range(k)]


def _gaps(part: Moments, everyone: Moments, covariates: Sequence[RatioColumns]) -> list[float]:
    """How far the covariates of one variant are from those of all."""
    return [
        part.total(c.numerator) / part.total(c.denominator)
        - everyone.total(c.numerator) / everyone.total(c.denominator)
        for c in covariates
    ]


def _adjusted(
    plain: Estimate,
    part: Moments,
    everyone: Moments,
    ratios: Sequence[RatioColumns],
    slopes: Sequence[float],
) -> Estimate:
    """One variant's estimate, its covariates brought to where everyone's are; the metric comes last."""
    *within, across = ratio_covariances(part, ratios)
    variance = across[-1]
    for i, slope in enumerate(slopes):
        fitted = math.fsum(other * c for other, c in zip(slopes, within[i], strict=False))
        variance += slope * (fitted - 2.0 * across[i])
    error = math.sqrt(variance) if variance > ROUNDING * across[-1] else 0.0
    gaps = _gaps(part, everyone, ratios[:-1])
    shift = math.fsum(slope * gap for slope, gap in zip(slopes, gaps, strict=True))
    return Estimate(plain.value - shift, error, plain.degrees_of_freedom)
