"""Click-through per impression by the delta method, and the difference of two variants.

Statistics come from `Sums`, never from rows, so they cost microseconds. A difference has one p-value,
and both intervals around it, absolute and relative, exclude zero exactly when that p-value is below alpha.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from analytics.errors import InsufficientData
from analytics.inference.distributions import t_quantile, t_two_sided_p
from analytics.sums import Moments, Sums

ROUNDING = 10**12
"""A sum of squared floats of which less than this part is left has left only rounding."""


LARGEST, SMALLEST = 1e100, 1e-100
"""Beyond these a number's square may leave floating point; no shop's metric comes near."""


class RatioColumns(Protocol):
    """Two columns of the unit table whose totals are divided: a metric, or a covariate."""

    @property
    def numerator(self) -> str: ...
    @property
    def denominator(self) -> str: ...


class Interval(NamedTuple):
    """Two ends, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and the degrees of freedom of that error.

    Raises:
        InsufficientData: a number that is not finite, or too large to compute with.
    """

    value: float
    standard_error: float
    degrees_of_freedom: float

    def __post_init__(self) -> None:
        if not (abs(self.value) < LARGEST and 0 <= self.standard_error < LARGEST):
            raise InsufficientData("a value is too large to compute with")
        if self.standard_error < SMALLEST:
            object.__setattr__(self, "standard_error", 0.0)

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
    which is computed in whole numbers and rounded once.

    Raises:
        InsufficientData: fewer than two users, a denominator of zero, or a sum that is not finite.
    """
    value = ratio_value(sums)
    if sums.n < 2:
        raise InsufficientData("one user alone shows no spread between users, so there is no error to state")
    (y, x, yy, xy, xx), scale = _whole_numbers((sums.y, sums.x, sums.yy, sums.xy, sums.xx))
    squares = x * x * yy + y * y * xx
    residual = squares - 2 * x * y * xy
    if residual <= 0 or (scale and residual * ROUNDING <= squares):
        return Estimate(value, 0.0, sums.n - 1)
    try:
        variance = sums.n * residual * (scale or 1) / ((sums.n - 1) * x**4)
    except OverflowError:
        raise InsufficientData("the denominator is too small to divide by") from None
    return Estimate(value, math.sqrt(variance), sums.n - 1)


def ratio_covariances(moments: Moments, ratios: Sequence[RatioColumns]) -> list[list[float]]:
    """The covariance of every two of k ratios of means over the same users, by the delta method: k x k.

    Each ratio R = mean(y) / mean(x) moves with its users as the mean of (y - R x) / mean(x), so with
    s the covariance of two columns over n - 1
        Cov(R_i, R_j) = sum over their columns of coefficient x coefficient x s / n
    The centred sums are exact for whole numbers. A variance that only rounding keeps from zero is zero.

    Raises:
        InsufficientData: as `ratio_from_sums`.
    """
    if moments.n == 1:
        raise InsufficientData("one user alone shows no spread between users, so there is no error to state")
    parts = [_linearised(moments, ratio) for ratio in ratios]
    centred = _centred(moments, list(dict.fromkeys(name for part in parts for name, _ in part)))
    matrix = [[0.0] * len(parts) for _ in parts]
    for i, first in enumerate(parts):
        for j, second in enumerate(parts[: i + 1]):
            terms = [f * g * centred[a, b] for a, f in first for b, g in second]
            total = sum(terms)
            is_rounding = i == j and total * ROUNDING <= max(map(abs, terms))
            matrix[i][j] = matrix[j][i] = 0.0 if is_rounding else total / moments.n
    return matrix


def ratio_value(sums: Sums) -> float:
    """y per x, without an error.

    Raises:
        InsufficientData: no users, a denominator of zero, or a sum that is not finite.
    """
    if not all(map(math.isfinite, (sums.yy, sums.xy, sums.xx))):
        raise InsufficientData("a value is not a finite number")
    return _check_sums(sums.n, sums.y, sums.x)


def difference(treatment: Estimate, control: Estimate) -> Estimate:
    """Treatment minus control, two independent groups of users, with Welch's degrees of freedom.

    Raises:
        InsufficientData: too large to compute with.
    Source: Welch, Biometrika 1947, 34(1-2), the equation of Satterthwaite.
    """
    effect = treatment.value - control.value
    error = math.hypot(treatment.standard_error, control.standard_error)
    if error == 0:
        return Estimate(effect, 0.0, treatment.degrees_of_freedom + control.degrees_of_freedom)
    parts = (treatment.standard_error / error) ** 4, (control.standard_error / error) ** 4
    freedom = 1.0 / (parts[0] / treatment.degrees_of_freedom + parts[1] / control.degrees_of_freedom)
    return Estimate(effect, error, freedom)


def relative_uplift(treatment: Estimate, control: Estimate) -> float:
    """Treatment over control, minus one.

    Raises:
        InsufficientData: control is not above zero.
    """
    if control.value < SMALLEST:
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
    g = error * error
    if g >= 1.0:
        raise InsufficientData("the control is too close to zero for a relative interval to have two ends")
    numerator_error = critical * treatment.standard_error / control.value
    half_width = math.hypot(numerator_error * math.sqrt(1.0 - g), ratio * error)
    return Interval((ratio - half_width) / (1.0 - g) - 1.0, (ratio + half_width) / (1.0 - g) - 1.0)


def _check_sums(n: int, y: float, x: float) -> float:
    """y per x, after a look at both."""
    if not (math.isfinite(y) and math.isfinite(x)):
        raise InsufficientData("a value is not a finite number")
    if n == 0:
        raise InsufficientData("there are no users")
    if x == 0:
        raise InsufficientData("there is nothing to divide by: the denominator is zero for all its users")
    try:
        value = y / x
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise InsufficientData("the denominator is too small to divide by")
    return value


def _linearised(moments: Moments, ratio: RatioColumns) -> list[tuple[str, float]]:
    """What the ratio is made of to first order: columns and their coefficients."""
    x = moments.total(ratio.denominator)
    value = _check_sums(moments.n, moments.total(ratio.numerator), x)
    slope = moments.n / x
    if not math.isfinite(slope * value):
        raise InsufficientData("the denominator is too small to divide by")
    return [(ratio.numerator, slope), (ratio.denominator, -value * slope)]


def _centred(moments: Moments, names: list[str]) -> dict[tuple[str, str], float]:
    """The covariance over n - 1 of every two columns."""
    n = moments.n
    totals = [moments.total(name) for name in names]
    found: dict[tuple[str, str], float] = {}
    for i, a in enumerate(names):
        for j in range(i + 1):
            b = names[j]
            covariance = (n * moments.product(a, b) - totals[i] * totals[j]) / (n * (n - 1))
            if not math.isfinite(covariance):
                raise InsufficientData("a value is not a finite number")
            found[a, b] = found[b, a] = covariance
    return found


def _whole_numbers(values: tuple[float, ...]) -> tuple[list[int], int]:
    """The same values times a common scale, exactly; the scale is 0 where all were whole numbers anyway."""
    if all(isinstance(value, int) for value in values):
        return [int(value) for value in values], 0
    ratios = [value.as_integer_ratio() for value in values]
    scale = max(denominator for _, denominator in ratios)
    return [numerator * (scale // denominator) for numerator, denominator in ratios], scale
