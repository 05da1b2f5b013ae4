"""How well scores order one case, ties sharing their places, and what a difference over cases is worth."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import Floats, Ints

CONFIDENCE = 0.95
FEWEST_CASES = 30
"""Users below which no order of rankers is claimed."""


class CaseScores(NamedTuple):
    """Of one user; in [0, 1]. auc is NaN when everything was relevant."""

    ndcg: float
    recall: float
    hit: float
    auc: float


METRICS = CaseScores._fields


def judge_case(scores: Floats, relevant: NDArray[np.bool_] | Ints, k: int) -> CaseScores:
    """NDCG@k, recall@k, hit rate@k and AUC of one case; binary relevance.

    A relevant entry that shares its score with t - 1 others counts as the mean over the t places they share,
    so a ranker that knows nothing gains nothing from the order in which entries stand. The hit rate takes
    tied entries as drawn independently.

    Args:
        scores: (n,); relevant: (n,) bool, or the indexes of the relevant entries; at least one.

    >>> judge_case(np.array([3.0, 2.0, 1.0]), np.array([False, True, False]), k=1)
    CaseScores(ndcg=0.0, recall=0.0, hit=0.0, auc=0.5)
    """
    mine = scores[relevant]
    ordered = np.sort(scores)
    up_to = np.searchsorted(ordered, mine, side="right")
    below = np.searchsorted(ordered, mine, side="left")
    above, tied = len(scores) - up_to, up_to - below
    discounts = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(min(k, len(scores))) + 2))])
    first, last = np.minimum(above, k), np.minimum(above + tied, k)
    inside = (last - first) / tied
    ndcg = ((discounts[last] - discounts[first]) / tied).sum() / discounts[min(len(mine), k)]
    n_others = len(scores) - len(mine)
    # the sum of ascending mid-ranks of the relevant, less what they would be among themselves
    ranks = (below + 1 + up_to) / 2
    pairs_won = ranks.sum() - len(mine) * (len(mine) + 1) / 2
    auc = pairs_won / (len(mine) * n_others) if n_others else np.nan
    hit = 1.0 - np.prod(1.0 - inside)
    return CaseScores(float(ndcg), float(inside.mean()), float(hit), float(auc))


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over users, with its interval at `CONFIDENCE`; None without any users."""

    value: float | None
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "ci_low": self.low, "ci_high": self.high}


def mean_of(values: Floats, *, n_comparisons: int = 1) -> Mean:
    """Mean over users and its normal interval; for that many comparisons at once (Bonferroni)."""
    from scipy.special import ndtri

    known = values[~np.isnan(values)]
    if not len(known):
        return Mean(None, None, None)
    value = float(known.mean())
    if len(known) < 2:
        return Mean(value, None, None)
    critical = float(ndtri(1 - (1 - CONFIDENCE) / 2 / n_comparisons))
    error = critical * float(known.std(ddof=1)) / np.sqrt(len(known))
    return Mean(value, value - error, value + error)
