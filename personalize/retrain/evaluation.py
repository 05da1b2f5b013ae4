"""How well a scorer orders, and predicts, what users did on held-back days."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from personalize.features.runs import Floats, Ints
from personalize.models.boosting import TrainingRows
from personalize.models.calibration import AS_IS, Calibration
from personalize.models.metrics import calibration_error, log_loss, ndcg, recall, reciprocal_rank
from personalize.models.scorer import Scorer

K = 5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of one scorer on held-back rows.

    Per slate, (slates,), NaN where nothing was clicked: ndcg, reciprocal_rank, recall; slate_user is
    the slate's user. Per row, (rows,): log_loss in nats; row_user is the row's user. Over all rows:
    calibration_error, the gap between predicted and observed click rate.
    """

    model_version: str
    ndcg: Floats
    reciprocal_rank: Floats
    recall: Floats
    slate_user: Ints
    log_loss: Floats
    row_user: Ints
    n_clicks: int
    calibration_error: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Order averaged over slates with a click, log loss over all rows."""
        return {
            "model_version": self.model_version,
            f"ndcg_at_{K}": _mean(self.ndcg),
            "mrr": _mean(self.reciprocal_rank),
            f"recall_at_{K}": _mean(self.recall),
            "log_loss": _mean(self.log_loss),
            "calibration_error": self.calibration_error,
        }


def evaluate(scorer: Scorer, rows: TrainingRows, calibration: Calibration = AS_IS) -> Evaluation:
    """Score rows, grouped by slate, that the scorer has not seen.

    Args:
        calibration: applied to the scores first; for a scorer whose scores are no log odds yet.
    Raises:
        FeatureMismatch: the scorer was made for other features.
    """
    scores = calibration.log_odds(scorer.score(rows.frame))
    first = np.cumsum(rows.group_sizes) - rows.group_sizes
    return Evaluation(
        scorer.model_version,
        ndcg(scores, rows.relevance, rows.group_sizes, k=K),
        reciprocal_rank(scores, rows.relevance, rows.group_sizes),
        recall(scores, rows.relevance, rows.group_sizes, k=K),
        rows.user[first],
        log_loss(scores, rows.relevance > 0),
        rows.user,
        int((rows.relevance > 0).sum()),
        calibration_error(scores, rows.relevance > 0),
    )


def _mean(values: Floats) -> float | None:
    """None, not NaN, when there is nothing to average: NaN is no JSON."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
