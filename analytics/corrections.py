"""p-values that stay honest when several comparisons are made at once."""

from collections.abc import Sequence


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
