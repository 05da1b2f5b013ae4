"""How well scores order what was clicked: NDCG@k, MRR, recall@k per group; log loss, calibration per row.

Groups are given by their sizes, rows of a group standing together. A group without any relevant row
says nothing about order and has the value NaN; averages are over the others. Rows with equal scores
share their places: the value is the expectation over all orders of the tied rows, so that a scorer
that knows nothing is not rewarded for the order in which rows happen to stand.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import Floats, Ints

Groups = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows in order of score inside their groups: `group`, `rank` from 0, tie-averaged `gain`, (rows,)."""

    group: Groups
    rank: Groups
    gain: Floats
    n_groups: int


def ndcg(scores: Floats, relevance: Ints, group_sizes: Ints, *, k: int) -> Floats:
    """Normalized discounted cumulative gain of the first k, (groups,), in [0, 1].

    DCG@k = sum over ranks i < k of (2^relevance - 1) / log2(i + 2), divided by the best possible.
    Source: Järvelin and Kekäläinen, TOIS 2002; gains as in Burges et al., ICML 2005.

    >>> float(ndcg(np.array([3.0, 2.0, 1.0]), np.array([0, 1, 0]), np.array([3]), k=3)[0].round(4))
    0.6309
    """
    gains = np.exp2(relevance) - 1.0
    reached = _discounted(_ranked(scores, gains, group_sizes), k)
    best = _discounted(_ranked(gains, gains, group_sizes), k)
    values: Floats = np.divide(reached, best, out=np.full(len(group_sizes), np.nan), where=best > 0)
    return values


def reciprocal_rank(scores: Floats, relevance: Ints, group_sizes: Ints) -> Floats:
    """1 / (place of the first relevant row), (groups,); its mean is the MRR. Ties count at their mean place.

    >>> float(reciprocal_rank(np.array([3.0, 2.0, 1.0]), np.array([0, 1, 0]), np.array([3]))[0])
    0.5
    """
    group = np.repeat(np.arange(len(group_sizes)), group_sizes)
    relevant = np.flatnonzero(relevance > 0)
    best = np.full(len(group_sizes), -np.inf)
    np.maximum.at(best, group[relevant], scores[relevant])
    above = np.bincount(group, weights=scores > best[group], minlength=len(group_sizes))
    tied = np.bincount(group, weights=scores == best[group], minlength=len(group_sizes))
    hits = np.bincount(
        group[relevant], weights=scores[relevant] == best[group[relevant]], minlength=len(group_sizes)
    )
    place = above + (tied + 1) / (hits + 1)
    return np.where(np.isfinite(best), 1 / np.where(place > 0, place, 1), np.nan)


def recall(scores: Floats, relevance: Ints, group_sizes: Ints, *, k: int) -> Floats:
    """Share of a group's relevant rows that stand among its first k, (groups,), in [0, 1].

    >>> float(recall(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1]), np.array([3]), k=1)[0])
    0.5
    """
    relevant = (relevance > 0).astype(np.float64)
    ranked = _ranked(scores, relevant, group_sizes)
    found = _totals(ranked, np.where(ranked.rank < k, ranked.gain, 0.0))
    total = _totals(ranked, ranked.gain)
    values: Floats = np.divide(found, total, out=np.full(len(group_sizes), np.nan), where=total > 0)
    return values


def log_loss(log_odds: Floats, is_clicked: NDArray[np.bool_]) -> Floats:
    """Negative log likelihood of a click, (rows,), in nats: log(1 + e^s) - s * clicked."""
    loss: Floats = np.logaddexp(0.0, log_odds) - np.where(is_clicked, log_odds, 0.0)
    return loss


def calibration_error(log_odds: Floats, is_clicked: NDArray[np.bool_], *, n_bins: int = 10) -> float:
    """How far predicted click rates are from those that came, in [0, 1]; 0 for no rows.

    Rows are cut into `n_bins` of equal size by prediction: mean over bins of |mean predicted - clicked|,
    weighted by rows. Noise alone keeps it above 0, about sqrt(rate * n_bins / rows).
    Source: Naeini, Cooper and Hauskrecht, AAAI 2015; with bins of equal size, not width.

    >>> calibration_error(np.zeros(4), np.array([True, False, True, False]), n_bins=1)
    0.0
    """
    if not len(log_odds):
        return 0.0
    order = np.argsort(log_odds, kind="stable")
    gap = (1 / (1 + np.exp(-log_odds)) - is_clicked)[order]
    return float(sum(abs(part.sum()) for part in np.array_split(gap, n_bins)) / len(gap))


def _ranked(scores: Floats, gains: Floats, group_sizes: Ints) -> Ranked:
    if not len(scores) == len(gains) == int(np.sum(group_sizes)):
        raise ValueError(
            f"expected scores and relevance of {int(np.sum(group_sizes))} rows (the groups' sum), "
            f"got {len(scores)} and {len(gains)}"
        )
    group = np.repeat(np.arange(len(group_sizes)), group_sizes)
    order = np.lexsort((-scores, group))
    group, ordered = group[order], scores[order]
    starts = np.cumsum(group_sizes) - group_sizes
    rank = np.arange(len(scores)) - starts[group]
    new_tie = np.ones(len(scores), dtype=np.bool_)
    new_tie[1:] = (ordered[1:] != ordered[:-1]) | (group[1:] != group[:-1])
    tie = np.cumsum(new_tie) - 1
    mean_gain = np.bincount(tie, weights=gains[order]) / np.bincount(tie) if len(tie) else np.zeros(0)
    return Ranked(group, rank, mean_gain[tie], len(group_sizes))


def _discounted(ranked: Ranked, k: int) -> Floats:
    discounted = np.where(ranked.rank < k, ranked.gain / np.log2(ranked.rank + 2.0), 0.0)
    return _totals(ranked, discounted)


def _totals(ranked: Ranked, values: Floats) -> Floats:
    """Sums over groups, (groups,)."""
    return np.bincount(ranked.group, weights=values, minlength=ranked.n_groups).astype(np.float64)
