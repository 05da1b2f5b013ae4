"""Revenue without the few orders that drown everything else: values above a cap count as the cap.

Two passes. The first finds the cap from the users of all variants together, so that the treatment cannot
move it in its own favour; the second is the usual sums, of the derived column `min(revenue,cap)`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.derived import Derived
from analytics.errors import InsufficientData
from analytics.metrics import Metric


def order_rank(n: int, level: float) -> int:
    """Which of n values in rising order, from 0, is the first with at least the share `level` at or below it.

    In SQL it is `ORDER BY revenue LIMIT 1 OFFSET rank`.

    Raises:
        ValueError: a level outside (0, 1).
        InsufficientData: no values.

    >>> order_rank(1000, 0.999)
    998
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a quantile's level must lie between 0 and 1, got {level}")
    if n < 1:
        raise InsufficientData("there are no values to take a quantile of")
    return min(max(math.ceil(level * n - 1e-9) - 1, 0), n - 1)


def cap_at(values: NDArray[Any], level: float) -> float:
    """The cap that the share `level` of the users stays at or below; (n,) values of all variants together.

    Raises:
        ValueError: a level outside (0, 1).
        InsufficientData: no values, or one that is not finite.
    """
    values = np.asarray(values)
    if not np.all(np.isfinite(values)):
        raise InsufficientData("a value is not a finite number")
    rank = order_rank(len(values), level)
    cap: float = np.partition(values, rank)[rank].item()
    return cap


def capped(metric: Metric, cap: float) -> Metric:
    """The metric with its numerator capped; name, denominator and covariates stay.

    Raises:
        ValueError: a cap that is not finite, or a numerator that is a derived column already.

    >>> capped(Metric.mean("revenue"), 250).numerator
    'min(revenue,250)'
    """
    if not math.isfinite(cap) or Derived.parse(metric.numerator) is not None:
        raise ValueError(f"a finite cap on a plain column is wanted, got {cap} on {metric.numerator!r}")
    return replace(metric, numerator=Derived("min", metric.numerator, float(cap)).name)
