"""Do raters agree with one another, and does the eye agree with the shoppers?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.inference.distributions import normal_quantile
from analytics.inference.ratio import Estimate
from analytics.judgement.opinions import Scores
from analytics.judgement.pairs import NEITHER, Pairs

Level = Literal["nominal", "interval"]


@dataclass(frozen=True)
class Agreement:
    """A coefficient with its 1 - alpha interval; 1 is full agreement, 0 is chance.

    Attributes:
        n_units: how many things it rests on.
        why_none: why there is none, or no interval.
    """

    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n_units: int = 0
    why_none: str | None = None


def krippendorff_alpha(
    unit: NDArray[Any], value: NDArray[Any], *, level: Level, alpha: float = 0.05
) -> Agreement:
    """How alike different raters judge the same thing, with missing judgements allowed.

    With m_u judgements of unit u, n of them where m_u > 1, and d(a, b) the disagreement of two
    values ((a - b)^2 on an interval scale, 0 or 1 of names):
        alpha = 1 - D_o / D_e
        D_o = sum_u 1 / (m_u - 1) sum_(i != j in u) d(v_i, v_j) / n
        D_e = sum_(i != j) d(v_i, v_j) / (n (n - 1))
    The interval leaves out one unit after the other (the jackknife).

    Args:
        unit: (n,), what was judged.
        value: (n,), numbers, or names for `nominal`.
    Source: Krippendorff, Content Analysis, chapter 11; Efron and Stein, Annals of Statistics 1981, 9(3).
    """
    names, unit_of = np.unique(unit, return_inverse=True)
    values, value_of = np.unique(value, return_inverse=True)
    counts = np.zeros((len(names), len(values)))
    np.add.at(counts, (unit_of, value_of), 1.0)
    counts = counts[counts.sum(axis=1) > 1]
    n_units = len(counts)
    if n_units == 0:
        return Agreement(why_none="nothing was judged twice")
    distance = 1.0 - np.eye(len(values))
    if level == "interval":
        distance = np.subtract.outer(values.astype(float), values.astype(float)) ** 2
    size = counts.sum(axis=1)
    observed = np.einsum("ua,ab,ub->u", counts, distance, counts) / (size - 1.0)
    total = counts.sum(axis=0)
    whole = _alpha(float(observed.sum()), total, distance)
    if whole is None:
        return Agreement(n_units=n_units, why_none="all judgements are the same, so chance would agree too")
    without = [
        _alpha(float(observed.sum() - observed[u]), total - counts[u], distance) for u in range(n_units)
    ]
    known = [one for one in without if one is not None]
    if n_units < 3 or len(known) < n_units:
        return Agreement(whole, n_units=n_units, why_none="too few things were judged twice for an interval")
    spread = (n_units - 1) / n_units * float(np.sum((np.array(known) - np.mean(known)) ** 2))
    low, high = Estimate(whole, math.sqrt(spread), n_units - 1.0).interval(alpha)
    return Agreement(whole, max(low, -1.0), min(high, 1.0), n_units)


def _alpha(observed: float, total: NDArray[np.float64], distance: NDArray[np.float64]) -> float | None:
    n = float(total.sum())
    expected = float(total @ distance @ total) / (n - 1.0) if n > 1.0 else 0.0
    return 1.0 - observed / expected if expected > 0.0 else None


def agreement_on_scores(scores: Scores, alpha: float = 0.05) -> Agreement:
    """Krippendorff's alpha over pictures (style and item), on an interval scale; a rater's latest score of
    a picture counts.
    """
    item = np.zeros(len(scores), dtype=int) if scores.item is None else scores.item
    unit = _joined(scores.style, item)
    latest = _latest(unit, scores.rater)
    return krippendorff_alpha(unit[latest], np.asarray(scores.score)[latest], level="interval", alpha=alpha)


def agreement_on_pairs(pairs: Pairs, item: NDArray[Any] | None = None, alpha: float = 0.05) -> Agreement:
    """Krippendorff's alpha over pairs of styles (of an item), on what was preferred, whichever its side."""
    if pairs.rater is None:
        return Agreement(why_none="raters are not known")
    first, second = np.minimum(*pairs.indices), np.maximum(*pairs.indices)
    preferred = np.where(pairs.outcome == NEITHER, -1, np.where(pairs.outcome > NEITHER, *pairs.indices))
    unit = _joined(first, second, np.zeros(len(pairs), dtype=int) if item is None else item)
    latest = _latest(unit, pairs.rater)
    # the value is which of the two, so that it means the same in every unit
    verdict = np.select([preferred == -1, preferred == first], ["neither", "first"], "second")
    return krippendorff_alpha(unit[latest], verdict[latest], level="nominal", alpha=alpha)


def rank_agreement(
    one: Mapping[str, float | None], other: Mapping[str, float | None], alpha: float = 0.05
) -> Agreement:
    """Spearman's rank correlation of two scores of the same styles; styles without either are left out.

    Ties share their mean rank. The interval is taken on the scale of Fisher's z, with
    Var(z) = (1 + r^2 / 2) / (n - 3).

    Source: Bonett and Wright, Psychometrika 2000, 65(1).

    >>> rank_agreement({"a": 1, "b": 2, "c": 3, "d": 4}, {"a": 1, "b": 2, "c": 4, "d": 3}).value
    0.8
    """
    shared = [
        (x, y)
        for name, x in one.items()
        if x is not None and (y := other.get(name)) is not None and math.isfinite(x) and math.isfinite(y)
    ]
    n = len(shared)
    if n < 4:
        return Agreement(n_units=n, why_none=f"{n} styles have both, a correlation takes at least 4")
    ranks = np.apply_along_axis(_ranks, 0, np.array(shared, dtype=np.float64))
    ranks -= ranks.mean(axis=0)
    spread = float(np.prod(ranks.std(axis=0)))
    if spread == 0.0:
        return Agreement(n_units=n, why_none="all styles are equal in one of the two")
    r = round(float(np.mean(np.prod(ranks, axis=1))) / spread, 12)
    if abs(r) >= 1.0:
        return Agreement(r, n_units=n, why_none="the ranks are the same, so there is no error to state")
    half = normal_quantile(1.0 - alpha / 2.0) * math.sqrt((1.0 + r * r / 2.0) / (n - 3))
    return Agreement(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), n)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, size = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(size) - (size - 1) / 2.0)[place])


def _joined(*columns: NDArray[Any]) -> NDArray[np.intp]:
    """One number for each distinct combination of the columns' values."""
    joined = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        names, places = np.unique(column, return_inverse=True)
        joined = np.unique(joined * max(len(names), 1) + places, return_inverse=True)[1]
    return joined


def _latest(unit: NDArray[np.intp], rater: NDArray[Any]) -> NDArray[np.intp]:
    """The last row of each rater and unit."""
    who = _joined(unit, rater)
    return np.asarray(len(who) - 1 - np.unique(who[::-1], return_index=True)[1], dtype=np.intp)
