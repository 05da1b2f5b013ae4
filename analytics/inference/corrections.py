"""p-values that stay honest when several comparisons are made at once."""

from collections.abc import Callable, Sequence
from typing import Literal

Correction = Literal["none", "holm", "bh"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given.

    Below alpha they keep the chance of even one false finding among all comparisons below alpha,
    whatever their dependence. With m values sorted upwards the i-th (from 0) is multiplied by m - i,
    and none may fall below the one before it.

    Source: Holm, Scandinavian Journal of Statistics 1979, 6(2).

    >>> holm([0.04, 0.01])
    [0.04, 0.02]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p-values, in the order given.

    Below alpha they keep the expected share of false findings among the findings below alpha, when the
    comparisons are independent or positively dependent. With m values sorted upwards the i-th (from 1) is
    multiplied by m / i, and none may exceed the one after it.

    Source: Benjamini and Hochberg, J. R. Stat. Soc. B 1995, 57(1).

    >>> benjamini_hochberg([0.04, 0.01])
    [0.04, 0.02]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    smallest = 1.0
    for rank in range(len(p_values), 0, -1):
        index = order[rank - 1]
        smallest = min(smallest, len(p_values) / rank * p_values[index])
        adjusted[index] = smallest
    return adjusted


METHODS: dict[Correction, Callable[[Sequence[float]], list[float]]] = {
    "none": list,
    "holm": holm,
    "bh": benjamini_hochberg,
}


def adjust(p_values: Sequence[float | None], method: Correction = "holm") -> list[float | None]:
    """The adjusted p-values of all comparisons that have one; None stays None and counts for nothing.

    Raises:
        ValueError: an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"the correction is one of {', '.join(METHODS)}, not {method!r}")
    adjusted = iter(METHODS[method]([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]
