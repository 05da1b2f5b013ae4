"""Sufficient statistics: all that an analysis needs to know of a variant's users, and they add.

Counts stay Python integers from the database or the array to the variance, so that no digit is lost:
a variance of zero is exactly zero however many users there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.event_values import EventValues
from analytics.metrics import USERS, Metric

INT64_LIMIT = 2**63 - 1


@dataclass(frozen=True)
class Sums:
    """Sums over n users of a pair (y, x) and of its products.

    Integers when the data are integers, floats otherwise. `a + b` is the Sums of both groups of users.
    """

    n: int
    y: float
    x: float
    yy: float
    xy: float
    xx: float

    @classmethod
    def of(cls, y: NDArray[Any], x: NDArray[Any]) -> Sums:
        """The sums of two arrays of shape (n,), one pair per user."""
        y, x = _checked({"y": y, "x": x}).values()
        return cls(len(y), _total(y), _total(x), _dot(y, y), _dot(x, y), _dot(x, x))

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.n + other.n,
            self.y + other.y,
            self.x + other.x,
            self.yy + other.yy,
            self.xy + other.xy,
            self.xx + other.xx,
        )


@dataclass(frozen=True)
class Moments:
    """Sums over n users of several columns and of the product of every two: many metrics from one pass.

    Args:
        totals: column name -> sum.
        products: (first name, second name) in alphabetical order -> sum of products.
        events: column name -> the single events, where a quantile is asked for.
    """

    n: int
    totals: Mapping[str, float]
    products: Mapping[tuple[str, str], float]
    events: Mapping[str, EventValues] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        columns: Mapping[str, NDArray[Any]],
        n: int | None = None,
        events: Mapping[str, EventValues] | None = None,
    ) -> Moments:
        """The moments of arrays of shape (n,), one value per user; `n` users where there are no columns."""
        arrays = _checked(columns)
        n = len(next(iter(arrays.values()), ())) if n is None else n
        totals = {name: _total(values) for name, values in arrays.items()}
        products = {(a, b): _dot(arrays[a], arrays[b]) for a, b in pairs_of(arrays)}
        return cls(n, totals, products, events or {})

    @classmethod
    def empty(cls, columns: tuple[str, ...]) -> Moments:
        """No users at all."""
        return cls(0, dict.fromkeys(columns, 0), dict.fromkeys(pairs_of(columns), 0))

    def __add__(self, other: Moments) -> Moments:
        totals = {name: total + other.totals[name] for name, total in self.totals.items()}
        products = {pair: product + other.products[pair] for pair, product in self.products.items()}
        events = {name: values + other.events[name] for name, values in self.events.items()}
        return Moments(self.n + other.n, totals, products, events)

    def only(self, columns: Iterable[str]) -> Moments:
        """The same of these columns alone.

        Raises:
            KeyError: one of them was not summed.
        """
        names = tuple(columns)
        totals = {name: self.totals[name] for name in names}
        return Moments(self.n, totals, {pair: self.products[pair] for pair in pairs_of(names)})

    def sums(self, metric: Metric) -> Sums:
        """The six numbers that `metric` needs.

        Raises:
            KeyError: a column of the metric was not summed.
        """
        y, x = metric.numerator, metric.denominator
        return Sums(self.n, self.total(y), self.total(x), *map(self.product, (y, x, x), (y, y, x)))

    def total(self, name: str) -> float:
        """The sum of a column; `users` is 1 for everyone."""
        return self.n if name == USERS else self.totals[name]

    def product(self, a: str, b: str) -> float:
        """The sum of the product of two columns, in any order."""
        if USERS in (a, b):
            return self.total(b if a == USERS else a)
        return self.products[(a, b) if a <= b else (b, a)]


def pairs_of(columns: Mapping[str, Any] | tuple[str, ...]) -> list[tuple[str, str]]:
    """Every two of the columns, a column with itself included, in alphabetical order."""
    return list(combinations_with_replacement(sorted(columns), 2))


def merged(groups: Iterable[tuple[str, Moments]]) -> dict[str, Moments]:
    """The moments of each name added up, in order of name."""
    found: dict[str, Moments] = {}
    for name, moments in groups:
        found[name] = found[name] + moments if name in found else moments
    return dict(sorted(found.items()))


def _checked(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    shapes = {name: values.shape for name, values in arrays.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"one value per user is wanted in every column, got shapes {shapes}")
    return {name: a.astype(np.int64) if a.dtype == bool else a for name, a in arrays.items()}


def _total(values: NDArray[Any]) -> float:
    return _dot(values, np.ones(len(values), np.int64))


def _dot(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The sum of products, exact for integers of any size."""
    if not all(np.issubdtype(v.dtype, np.integer) for v in (a, b)):
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.sum(a.astype(np.float64) * b.astype(np.float64)))
    if len(a) == 0:
        return 0
    largest = _largest(a) * _largest(b) * len(a)
    if largest <= INT64_LIMIT:
        return int(np.dot(a.astype(np.int64), b.astype(np.int64)))
    return sum(int(i) * int(j) for i, j in zip(a, b, strict=True))


def _largest(values: NDArray[Any]) -> int:
    return max(abs(int(values.min())), abs(int(values.max())))
