"""Users needed for an uplift, or the uplift that so many users can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from analytics.errors import InsufficientData
from analytics.inference.cuped import estimate_variants
from analytics.inference.distributions import normal_probability, normal_quantile
from analytics.inference.ratio import SMALLEST, Estimate, ratio_from_sums
from analytics.metrics import Metric
from analytics.sums import Moments, Sums

WILDEST = 1e6
"""Standard error in shares of the metric above which nothing can be planned from it."""


@dataclass(frozen=True)
class Baseline:
    """What planning needs of the past: the metric, and how much one user's worth of data varies.

    `user_variance` is n Var(R): the variance of a ratio of means over n users, times n, so it stays
    the same as users come in.
    """

    value: float
    user_variance: float
    n_users: int

    @classmethod
    def of(cls, sums: Sums) -> Baseline:
        """The baseline of a group of users, by the delta method.

        Raises:
            InsufficientData: too few users, or the metric is not above zero, or nothing varies.
        """
        return cls._of(ratio_from_sums(sums), sums.n)

    @classmethod
    def of_metric(cls, moments: Moments, metric: Metric) -> Baseline:
        """The baseline of a group of users as the metric's covariates leave it.

        The past must look like the experiment: as many days, and as many before them for the covariates.

        Raises:
            InsufficientData: as `of`.
        """
        found = estimate_variants({"past": moments}, metric)["past"]
        if found.adjusted is None:
            raise InsufficientData(str(found.why_none))
        return cls._of(found.adjusted, moments.n)

    @classmethod
    def _of(cls, estimate: Estimate, n_users: int) -> Baseline:
        if estimate.value < SMALLEST or estimate.standard_error == 0:
            raise InsufficientData("planning needs a metric above zero that differs between users")
        if estimate.standard_error / estimate.value > WILDEST:
            raise InsufficientData("the metric is lost in the differences between users; cap it, or wait")
        return cls(estimate.value, n_users * estimate.standard_error**2, n_users)


@dataclass(frozen=True)
class PlanRow:
    """So many users find so large a relative uplift, after so many days where the traffic is known."""

    relative_uplift: float
    users: int
    days: int | None = None


@dataclass(frozen=True)
class Plan:
    """What users and uplifts belong together for one baseline."""

    baseline: Baseline
    alpha: float
    power: float
    treatment_share: float
    rows: tuple[PlanRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


UPLIFTS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Relative uplifts to plan for when none is asked for."""


def plan(
    baseline: Baseline,
    uplifts: Sequence[float] = (),
    users: Sequence[int] = (),
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    treatment_share: float = 0.5,
    users_per_day: float | None = None,
) -> Plan:
    """The users for each uplift, and the uplift for each number of users; usual uplifts without either.

    Args:
        users_per_day: new users of both variants together, to say how many days it takes.
    """
    if not uplifts and not users:
        uplifts = UPLIFTS
    chances = {"alpha": alpha, "power": power, "treatment_share": treatment_share}
    rows = [PlanRow(uplift, users_needed(baseline, uplift, **chances)) for uplift in uplifts]
    rows += [PlanRow(detectable_uplift(baseline, n, **chances), n) for n in users]
    if users_per_day is not None:
        rows = [replace(row, days=days_needed(row.users, users_per_day)) for row in rows]
    return Plan(baseline, alpha, power, treatment_share, tuple(rows))


def days_needed(users: int, users_per_day: float) -> int:
    """Whole days until so many users have come.

    Raises:
        ValueError: nobody comes.
    """
    if not users_per_day > 0:
        raise ValueError(f"wanted at least some users a day, got {users_per_day}")
    return math.ceil(users / users_per_day)


def users_needed(
    baseline: Baseline,
    relative_uplift: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    treatment_share: float = 0.5,
) -> int:
    """Users of both variants together, so that a true uplift is found with probability `power`.

    Two-sided test at alpha; the treatment is taken to vary as much as the baseline. With s the share
    of the treatment and L the distance in standard errors that is found with this power,
        N = L^2 user_variance / (s (1 - s) (relative_uplift value)^2)
        Phi(L - z_{1 - alpha / 2}) + Phi(-L - z_{1 - alpha / 2}) = power
    For k comparisons under Holm's correction ask with alpha / k to be on the safe side.

    Raises:
        ValueError: an uplift of zero, or a probability outside (0, 1).
    """
    if relative_uplift == 0:
        raise ValueError("an uplift of zero can never be found; ask for one above or below it")
    effect = relative_uplift * baseline.value
    return math.ceil((_noise(baseline, alpha, power, treatment_share) / effect) ** 2)


def detectable_uplift(
    baseline: Baseline,
    n_users: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    treatment_share: float = 0.5,
) -> float:
    """The smallest relative uplift found with probability `power`; the inverse of `users_needed`.

    Args:
        n_users: users of both variants together.
    Raises:
        ValueError: no users, or a probability outside (0, 1).
    """
    _check(n_users)
    return _noise(baseline, alpha, power, treatment_share) / math.sqrt(n_users) / baseline.value


def achieved_power(
    baseline: Baseline,
    relative_uplift: float,
    n_users: float,
    *,
    alpha: float = 0.05,
    treatment_share: float = 0.5,
) -> float:
    """The chance that a true uplift is found with so many users of both variants together.

    Raises:
        ValueError: as `detectable_uplift`.
    """
    _check(n_users, alpha=alpha, treatment_share=treatment_share)
    distance = abs(relative_uplift) * baseline.value / _error(baseline, n_users, treatment_share)
    return _chance_found(distance, alpha)


def users_for_noninferiority(
    baseline: Baseline,
    margin: float,
    *,
    expected_uplift: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    treatment_share: float = 0.5,
) -> int:
    """Users of both variants together, so that a harmless treatment is shown to be harmless.

    The question is whether treatment - (1 - margin) control is above zero, at alpha / 2 on one side:
        N = (z_{1 - alpha / 2} + z_power)^2 user_variance (1 / s + (1 - margin)^2 / (1 - s)) /
            ((margin + expected_uplift) value)^2

    Args:
        margin: relative, as in `guardrails.noninferiority`; expected_uplift: the true one, relative.
    Raises:
        ValueError: a margin outside (0, 1), an expectation beyond the margin, or an impossible probability.
    """
    _check(1.0, alpha=alpha, power=power, treatment_share=treatment_share, margin=margin)
    if margin + expected_uplift <= 0:
        raise ValueError("what is expected to be worse than the margin cannot be shown to be within it")
    distance = normal_quantile(1.0 - alpha / 2.0) + normal_quantile(power)
    inverse = 1.0 / treatment_share + (1.0 - margin) ** 2 / (1.0 - treatment_share)
    effect = (margin + expected_uplift) * baseline.value
    return math.ceil(distance**2 * baseline.user_variance * inverse / effect**2)


def _noise(baseline: Baseline, alpha: float, power: float, treatment_share: float) -> float:
    """The effect that one user would show with the wanted power, in the metric's unit."""
    _check(1.0, alpha=alpha, power=power, treatment_share=treatment_share)
    return _distance(alpha, power) * _error(baseline, 1.0, treatment_share)


def _error(baseline: Baseline, n_users: float, treatment_share: float) -> float:
    return math.sqrt(baseline.user_variance / (treatment_share * (1.0 - treatment_share) * n_users))


def _chance_found(distance: float, alpha: float) -> float:
    """The chance that an effect so many standard errors from zero is significant, on either side."""
    quantile = normal_quantile(1.0 - alpha / 2.0)
    return normal_probability(distance - quantile) + normal_probability(-distance - quantile)


def _distance(alpha: float, power: float) -> float:
    """The inverse of `_chance_found`."""
    from scipy.optimize import brentq

    if power <= alpha:
        raise ValueError(f"chance alone finds {alpha:g}; ask for a power above it, not {power}")
    highest = normal_quantile(1.0 - alpha / 2.0) + normal_quantile(max(power, 0.5))
    return float(brentq(lambda distance: _chance_found(distance, alpha) - power, 0.0, highest, xtol=1e-14))


def _check(n_users: float, **chances: float) -> None:
    if not n_users > 0:
        raise ValueError(f"wanted at least one user, got {n_users}")
    for name, value in chances.items():
        if not 0.0 < value < 1.0:
            raise ValueError(f"{name} must lie between 0 and 1, got {value}")
