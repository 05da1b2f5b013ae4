"""Click-through per impression by the delta method, and the difference of two variants.

Statistics come from `Sums`, never from rows, so they cost microseconds. A difference has one p-value,
and both intervals around it, absolute and relative, exclude zero exactly when that p-value is below alpha.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from numpy.typing import NDArray

from analytics.distributions import t_quantile, t_two_sided_p
from analytics.errors import InsufficientData
from analytics.sums import Sums

ROUNDING = 1e-12
"""Share of a sum of squared floats below which what is left of it is rounding."""


class Interval(NamedTuple):
    """Two ends, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and the degrees of freedom of that error."""

    value: float
    standard_error: float
    degrees_of_freedom: float

    def interval(self, alpha: float = 0.05) -> Interval:
        """The two-sided 1 - alpha interval of Student's t."""
        half_width = self.critical(alpha) * self.standard_error
        return Interval(self.value - half_width, self.value + half_width)

    def p(self) -> float:
        """The two-sided p-value of the value being zero.

        Raises:
            InsufficientData: the standard error is zero.
        """
        if self.standard_error == 0:
            raise InsufficientData(
                "all users of both variants behave alike, so the error cannot be estimated"
            )
        return t_two_sided_p(self.value / self.standard_error, self.degrees_of_freedom)

    def critical(self, alpha: float) -> float:
        """Half-width of the 1 - alpha interval in standard errors."""
        return t_quantile(1.0 - alpha / 2.0, self.degrees_of_freedom)


def ratio_of_means(clicks: NDArray[Any], impressions: NDArray[Any]) -> Estimate:
    """Clicks per impression, with a standard error that is right when users are randomized.

    A user's impressions are correlated, so the binomial error is too small. With one pair
    (y, x) per user and R = mean(y) / mean(x), to first order and with s over n - 1:
        Var(R) = (s_yy - 2 R s_xy + R^2 s_xx) / (n mean(x)^2)

    Args:
        clicks, impressions: y and x, (n,), counts per user; zero-impression users may stay.
    Raises:
        InsufficientData: fewer than two users, or no impressions at all.
    Source: delta method, Deng, Knoblich and Lu, KDD 2018, arXiv:1803.06336.

    >>> import numpy as np
    >>> estimate = ratio_of_means(np.array([1, 0, 2]), np.array([4, 3, 5]))
    >>> estimate.value, round(estimate.standard_error, 4)
    (0.25, 0.1083)
    """
    return ratio_from_sums(Sums.of(clicks, impressions))


def ratio_from_sums(sums: Sums) -> Estimate:
    """`ratio_of_means` from sums.

    The residuals y - R x sum to zero, so their variance needs no centring and, with Y and X the sums:
        Var(R) = n / (n - 1) * (X^2 sum(yy) - 2 X Y sum(xy) + Y^2 sum(xx)) / X^4
    which is computed in rational arithmetic and rounded once.

    Raises:
        InsufficientData: fewer than two users, a denominator of zero, or a sum that is not finite.
    """
    value = ratio_value(sums)
    if sums.n < 2:
        raise InsufficientData("one user alone shows no spread between users, so there is no error to state")
    y, x, yy, xy, xx = (Fraction(s) for s in (sums.y, sums.x, sums.yy, sums.xy, sums.xx))
    squares = x * x * yy + y * y * xx
    residual = squares - 2 * x * y * xy
    if _is_rounding(residual, squares, sums):
        return Estimate(value, 0.0, sums.n - 1)
    variance = Fraction(sums.n, sums.n - 1) * residual / x**4
    return Estimate(value, math.sqrt(variance), sums.n - 1)


def ratio_value(sums: Sums) -> float:
    """y per x, without an error.

    Raises:
        InsufficientData: no users, a denominator of zero, or a sum that is not finite.
    """
    if not all(math.isfinite(s) for s in (sums.y, sums.x, sums.yy, sums.xy, sums.xx)):
        raise InsufficientData("a value is not a finite number")
    if sums.n == 0:
        raise InsufficientData("there are no users")
    if sums.x == 0:
        raise InsufficientData("there is nothing to divide by: the denominator is zero for all its users")
    return sums.y / sums.x


def difference(treatment: Estimate, control: Estimate) -> Estimate:
    """Treatment minus control, two independent groups of users, with Welch's degrees of freedom.

    Source: Welch, Biometrika 1947, 34(1-2), the equation of Satterthwaite.
    """
    effect = treatment.value - control.value
    variances = treatment.standard_error**2, control.standard_error**2
    variance = sum(variances)
    if variance == 0:
        return Estimate(effect, 0.0, treatment.degrees_of_freedom + control.degrees_of_freedom)
    parts = [(v / variance) ** 2 for v in variances]
    freedom = 1.0 / (parts[0] / treatment.degrees_of_freedom + parts[1] / control.degrees_of_freedom)
    return Estimate(effect, math.sqrt(variance), freedom)


def relative_uplift(treatment: Estimate, control: Estimate) -> float:
    """Treatment over control, minus one.

    Raises:
        InsufficientData: control is not above zero.
    """
    if control.value <= 0:
        raise InsufficientData("the control is not above zero, so nothing can be stated relative to it")
    return treatment.value / control.value - 1.0


def relative_interval(treatment: Estimate, control: Estimate, critical: float) -> Interval:
    """Fieller's interval of the relative uplift: all values that the same test would not refuse.

    It holds every d with |treatment - (1 + d) control| within `critical` standard errors of that
    difference. At d = 0 this is the absolute comparison, so with the same `critical` the interval
    excludes zero exactly when the absolute one does. A delta-method interval does not.

    Args:
        critical: half-width in standard errors, `difference(...).critical(alpha)`.
    Raises:
        InsufficientData: control is not above zero, or not by `critical` standard errors; the set is
            then unbounded.
    Source: Fieller, J. R. Stat. Soc. B 1954, 16(2), with no covariance.
    """
    ratio = relative_uplift(treatment, control) + 1.0
    error = critical * control.standard_error / control.value
    g = error**2
    if g >= 1.0:
        raise InsufficientData("the control is too close to zero for a relative interval to have two ends")
    numerator_error = critical * treatment.standard_error / control.value
    half_width = math.sqrt(numerator_error**2 * (1.0 - g) + (ratio * error) ** 2)
    return Interval((ratio - half_width) / (1.0 - g) - 1.0, (ratio + half_width) / (1.0 - g) - 1.0)


def _is_rounding(residual: Fraction, squares: Fraction, sums: Sums) -> bool:
    if all(isinstance(s, int) for s in (sums.y, sums.x, sums.yy, sums.xy, sums.xx)):
        return residual <= 0
    return residual <= ROUNDING * squares
