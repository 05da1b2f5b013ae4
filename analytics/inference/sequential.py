"""When may one look? The rule is chosen beforehand; it decides how wide an interval has to be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from analytics.inference.distributions import normal_as_t, t_as_normal, t_quantile, t_two_sided_p
from analytics.inference.group_sequential import obrien_fleming, obrien_fleming_p
from analytics.inference.ratio import Estimate

PLANNED_USERS = 10_000
"""Users of two variants together for whom the interval is tuned when nothing better is known."""


@dataclass(frozen=True)
class Fixed:
    """One look, at a time chosen beforehand."""

    rule: Literal["fixed"] = "fixed"

    @property
    def sentence(self) -> str:
        """What the reader must know of it; nothing, where it is what everybody expects."""
        return ""

    def critical(self, uplift: Estimate, n_users: int, alpha: float) -> float:
        """Half-width of the interval in standard errors."""
        return t_quantile(1.0 - alpha / 2.0, uplift.degrees_of_freedom)

    def p(self, uplift: Estimate, n_users: int, alpha: float) -> float:
        """Below alpha exactly when the interval of `critical` excludes zero; the error is above zero."""
        return t_two_sided_p(uplift.value / uplift.standard_error, uplift.degrees_of_freedom)


@dataclass(frozen=True)
class Anytime:
    """As many looks as one likes, at any time, with leave to stop; see `anytime_critical`.

    The formula holds for many users. The first looks have few, and an error estimated from a handful can be
    far too small; so its half-width is taken to where Student's t has the same tail.
    """

    planned_users: int = PLANNED_USERS
    rule: Literal["anytime"] = "anytime"

    @property
    def sentence(self) -> str:
        """What the reader must know of it."""
        return "The intervals and p-values hold at any time, however often one looks."

    def critical(self, uplift: Estimate, n_users: int, alpha: float) -> float:
        """Half-width of the interval in standard errors."""
        normal = anytime_critical(n_users, alpha=alpha, planned_users=self.planned_users)
        return normal_as_t(normal, uplift.degrees_of_freedom)

    def p(self, uplift: Estimate, n_users: int, alpha: float) -> float:
        """Below alpha exactly when the interval of `critical` excludes zero."""
        statistic = t_as_normal(uplift.value / uplift.standard_error, uplift.degrees_of_freedom)
        return anytime_p(statistic, n_users, alpha=alpha, planned_users=self.planned_users)


@dataclass(frozen=True)
class PlannedLooks:
    """Looks that were planned, with O'Brien-Fleming's boundaries; see `obrien_fleming`.

    Attributes:
        fractions: the share of the planned users at each look, rising to 1.
        look: which of them this is, from 1.
    Raises:
        ValueError: no such look.
    """

    fractions: tuple[float, ...]
    look: int
    rule: Literal["planned"] = "planned"

    def __post_init__(self) -> None:
        if not 1 <= self.look <= len(self.fractions):
            raise ValueError(f"the looks are numbered 1 to {len(self.fractions)}, there is no {self.look}")

    @property
    def sentence(self) -> str:
        """What the reader must know of it."""
        return (
            f"This is look {self.look} of {len(self.fractions)} that were planned; "
            "the intervals and p-values allow for all of them (O'Brien-Fleming)."
        )

    @classmethod
    def evenly(cls, looks: int, look: int) -> PlannedLooks:
        """So many looks, with equally many new users before each."""
        return cls(tuple(k / looks for k in range(1, looks + 1)), look)

    def critical(self, uplift: Estimate, n_users: int, alpha: float) -> float:
        """Half-width of the interval in standard errors, where Student's t has the boundary's tail."""
        boundary = obrien_fleming(self.fractions, alpha)[self.look - 1]
        return normal_as_t(boundary, uplift.degrees_of_freedom)

    def p(self, uplift: Estimate, n_users: int, alpha: float) -> float:
        """Below alpha exactly when the interval of `critical` excludes zero."""
        statistic = t_as_normal(uplift.value / uplift.standard_error, uplift.degrees_of_freedom)
        return obrien_fleming_p(statistic, self.look, self.fractions)


Look = Fixed | Anytime | PlannedLooks

FIXED = Fixed()


def anytime_critical(n_users: int, *, alpha: float = 0.05, planned_users: int = PLANNED_USERS) -> float:
    """Half-width, in standard errors, of an interval that holds at all looks together.

    The chance that the truth is ever outside, at any look from the first to the last, is at most alpha
    (asymptotically), so one may look daily and stop when zero is excluded. With n users so far:
        sqrt( 2 (n rho^2 + 1) / (n rho^2) * log( sqrt(n rho^2 + 1) / alpha ) )
        rho^2 = (-2 log alpha + log(1 - 2 log alpha)) / tuned_at,    tuned_at = planned_users / 2
    Multiplied by the standard error this is the two-sided asymptotic confidence sequence. It is valid
    for every tuning, tightest near `tuned_at`, and at the planned end 1.56 times as wide as 1.96
    standard errors. The tuning must be chosen before the data are seen.

    Args:
        n_users: users of both variants together, so far.
        planned_users: users of both variants together by the planned end.
    Raises:
        ValueError: no users, none planned, or alpha outside (0, 1).
    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 2024,
        arXiv:2103.06476, theorem 2.2 and its optimal rho.

    >>> round(anytime_critical(10_000, planned_users=10_000) / 1.96, 2)
    1.56
    """
    information = _information(n_users, alpha, planned_users)
    odds = math.log(math.sqrt(information + 1.0) / alpha)
    return math.sqrt(2.0 * (information + 1.0) / information * odds)


def anytime_p(
    statistic: float, n_users: int, *, alpha: float = 0.05, planned_users: int = PLANNED_USERS
) -> float:
    """The level at which the interval of `anytime_critical` would just reach this many standard errors.

    With the tuning rho held where alpha put it, the inverse of its formula:
        min(1, sqrt(n rho^2 + 1) exp(-z^2 n rho^2 / (2 (n rho^2 + 1))))
    It is below alpha exactly when the interval excludes zero, at any look, and 1 over it is an e-value.

    Raises:
        ValueError: as `anytime_critical`.
    """
    information = _information(n_users, alpha, planned_users)
    exponent = statistic * statistic * information / (2.0 * (information + 1.0))
    return min(1.0, math.sqrt(information + 1.0) * math.exp(-exponent))


def _information(n_users: int, alpha: float, planned_users: int) -> float:
    if n_users < 1 or planned_users < 1 or not 0.0 < alpha < 1.0:
        raise ValueError(f"wanted users and alpha in (0, 1), got {n_users=}, {planned_users=}, {alpha=}")
    rho_squared = (-2.0 * math.log(alpha) + math.log1p(-2.0 * math.log(alpha))) / (planned_users / 2.0)
    return n_users * rho_squared
