"""Is the split the one we asked for: the first question to every experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.inference.corrections import adjust
from analytics.inference.distributions import chi_square_noncentrality, chi_square_p

THRESHOLD = 0.0005
"""Alarm below this p-value: a false alarm stops a sound experiment, and a broken split is rarely subtle."""

SMALLEST_EXPECTED = 5.0
"""Expected users per variant below which chi-square is no guide."""

POWER = 0.8


@dataclass(frozen=True)
class SampleRatio:
    """Verdict of the sample-ratio check, with what it could have seen.

    Attributes:
        observed: users per variant.
        expected: users per variant under the planned shares, or empty when no plan is known.
        p: chance of a split at least this uneven under the plan; None when the check was not possible.
        detectable_loss: the share of any one variant's users whose loss would have raised the alarm
            with probability 0.8; None when even the loss of all of them might have passed.
        why_none: why `p` is None.
    """

    observed: Mapping[str, int]
    expected: Mapping[str, float]
    p: float | None
    threshold: float
    detectable_loss: float | None = None
    why_none: str | None = None

    @property
    def is_alarm(self) -> bool:
        """True when the split is not the planned one, and nothing further should be believed."""
        return self.p is not None and self.p < self.threshold

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            "p": self.p,
            "threshold": self.threshold,
            "is_alarm": self.is_alarm,
            "observed": dict(self.observed),
            "expected": dict(self.expected),
            "detectable_loss": self.detectable_loss,
            "why_none": self.why_none,
        }


def sample_ratio(
    users: Mapping[str, int], shares: Mapping[str, float] | None, *, threshold: float = THRESHOLD
) -> SampleRatio:
    """Chi-square of the users per variant against the planned shares.

    A user in a variant that was never planned is impossible under the plan: p is 0.

    Args:
        shares: planned shares or weights, at least 0; scaled to sum to 1.
    Raises:
        ValueError: a negative share, or none above zero.
    Source: Fabijan et al., Diagnosing sample ratio mismatch, KDD 2019.

    >>> round(sample_ratio({"a": 5100, "b": 4900}, {"a": 1, "b": 1}).p, 4)
    0.0455
    """
    if not shares:
        return SampleRatio(users, {}, None, threshold, why_none="the planned shares are not known")
    expected = _expected(users, shares)
    if sum(users.values()) == 0:
        return SampleRatio(users, expected, None, threshold, why_none="there are no users yet")
    if any(n and not expected[name] for name, n in users.items()):
        return SampleRatio(users, expected, 0.0, threshold)
    planned = {name: n for name, n in expected.items() if n > 0}
    if len(planned) < 2:
        return SampleRatio(users, expected, None, threshold, why_none="only one variant was planned")
    scarce = min(planned, key=planned.__getitem__)
    if planned[scarce] < SMALLEST_EXPECTED:
        reason = f"fewer than {SMALLEST_EXPECTED:g} users are expected in “{scarce}” so far"
        return SampleRatio(users, expected, None, threshold, why_none=reason)
    statistic = sum((users.get(name, 0) - n) ** 2 / n for name, n in planned.items())
    p = chi_square_p(statistic, len(planned) - 1)
    return SampleRatio(users, expected, p, threshold, detectable_loss(planned, threshold=threshold))


@dataclass(frozen=True)
class SampleRatioBy:
    """The sample-ratio check in each of several groups of users, such as days or devices.

    Attributes:
        groups: the check within each group; each says itself what it could have seen.
        adjusted_p: their p-values, adjusted by Holm for how many there are.
    """

    groups: Mapping[str, SampleRatio]
    adjusted_p: Mapping[str, float | None]
    threshold: float

    @property
    def alarms(self) -> tuple[str, ...]:
        """The groups whose split is not the planned one."""
        return tuple(name for name, p in self.adjusted_p.items() if p is not None and p < self.threshold)

    @property
    def is_alarm(self) -> bool:
        """True when any group's split is not the planned one."""
        return bool(self.alarms)

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            "threshold": self.threshold,
            "is_alarm": self.is_alarm,
            "alarms": list(self.alarms),
            "groups": {
                name: {**check.to_dict(), "adjusted_p": self.adjusted_p[name]}
                for name, check in self.groups.items()
            },
        }


def sample_ratio_by(
    groups: Mapping[str, Mapping[str, int]],
    shares: Mapping[str, float] | None,
    *,
    threshold: float = THRESHOLD,
) -> SampleRatioBy:
    """`sample_ratio` within every group, and which groups raise the alarm when all are looked at.

    A fault that began on one day, or on one kind of device, drowns in the total and shows here. Groups
    must not share users: by day, count users on their first day alone.

    Args:
        groups: users per variant in each group.
    Raises:
        ValueError: as `sample_ratio`.
    """
    checks = {name: sample_ratio(users, shares, threshold=threshold) for name, users in groups.items()}
    adjusted = adjust([check.p for check in checks.values()])
    return SampleRatioBy(checks, dict(zip(checks, adjusted, strict=True)), threshold)


def detectable_loss(expected: Mapping[str, float], *, threshold: float, power: float = POWER) -> float | None:
    """The smallest share of a variant's users whose loss alarms with probability `power`, worst variant.

    Losing the share d of a variant with planned share s moves every share, and the noncentrality of
    chi-square per user left becomes s (1 - s) d^2 / (1 - s d)^2, which is solved for d.

    Returns:
        A share in (0, 1), or None when the loss of every user of some variant may go unseen.
    """
    total = sum(expected.values())
    reach = math.sqrt(chi_square_noncentrality(threshold, len(expected) - 1, power) / total)
    shares = [n / total for n in expected.values()]
    losses = [reach / (math.sqrt(share * (1.0 - share)) + share * reach) for share in shares]
    return max(losses) if max(losses) < 1.0 else None


def _expected(users: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, float]:
    weight = math.fsum(shares.values())
    if not (math.isfinite(weight) and weight > 0) or min(shares.values()) < 0:
        raise ValueError(f"planned shares must be at least 0 and not all 0, got {dict(shares)}")
    n_users = sum(users.values())
    return {name: n_users * shares.get(name, 0.0) / weight for name in dict.fromkeys([*shares, *users])}
