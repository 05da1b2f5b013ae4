"""Users needed for an uplift, or the uplift that so many users can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analytics.distributions import normal_quantile
from analytics.errors import InsufficientData
from analytics.ratio import ratio_from_sums
from analytics.sums import Sums


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
        estimate = ratio_from_sums(sums)
        if estimate.value <= 0 or estimate.standard_error == 0:
            raise InsufficientData("planning needs a metric above zero that differs between users")
        return cls(estimate.value, sums.n * estimate.standard_error**2, sums.n)


@dataclass(frozen=True)
class PlanRow:
    """So many users find so large a relative uplift."""

    relative_uplift: float
    users: int


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
) -> Plan:
    """The users for each uplift, and the uplift for each number of users; usual uplifts without either."""
    if not uplifts and not users:
        uplifts = UPLIFTS
    chances = {"alpha": alpha, "power": power, "treatment_share": treatment_share}
    rows = [PlanRow(uplift, users_needed(baseline, uplift, **chances)) for uplift in uplifts]
    rows += [PlanRow(detectable_uplift(baseline, n, **chances), n) for n in users]
    return Plan(baseline, alpha, power, treatment_share, tuple(rows))


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
    of the treatment:
        N = (z_{1 - alpha / 2} + z_power)^2 user_variance / (s (1 - s) (relative_uplift value)^2)

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
    if not n_users > 0:
        raise ValueError(f"wanted at least one user, got {n_users}")
    return _noise(baseline, alpha, power, treatment_share) / math.sqrt(n_users) / baseline.value


def _noise(baseline: Baseline, alpha: float, power: float, treatment_share: float) -> float:
    """The effect that one user would show with the wanted power, in the metric's unit."""
    for name, value in {"alpha": alpha, "power": power, "treatment_share": treatment_share}.items():
        if not 0.0 < value < 1.0:
            raise ValueError(f"{name} must lie between 0 and 1, got {value}")
    quantiles = normal_quantile(1.0 - alpha / 2.0) + normal_quantile(power)
    return quantiles * math.sqrt(baseline.user_variance / (treatment_share * (1.0 - treatment_share)))
