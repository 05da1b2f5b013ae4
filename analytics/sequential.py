"""Intervals that stay valid when looked at every day."""

import math

PLANNED_USERS = 10_000
"""Users of two variants together for whom the interval is tuned when nothing better is known."""


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
    if n_users < 1 or planned_users < 1 or not 0.0 < alpha < 1.0:
        raise ValueError(f"wanted users and alpha in (0, 1), got {n_users=}, {planned_users=}, {alpha=}")
    rho_squared = (-2.0 * math.log(alpha) + math.log1p(-2.0 * math.log(alpha))) / (planned_users / 2.0)
    information = n_users * rho_squared
    odds = math.log(math.sqrt(information + 1.0) / alpha)
    return math.sqrt(2.0 * (information + 1.0) / information * odds)
