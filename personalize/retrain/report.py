"""What one night's retraining did."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from personalize.retrain.evaluation import Evaluation
from personalize.retrain.gate import GateDecision

Verdict = Literal["promoted", "refused"]


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """One retraining: the data, how the scorers compare on held-back impressions, and the gate's verdict.

    model_version: the challenger's; None when there was too little to train one.
    holdout_from: impressions shown from here on were held back from training and judged on.
    evaluations: challenger, popularity and, if there was one that could be compared, champion.
    days: impressions and clicks of each whole day, for the next night to compare with.
    learned: what the ranker has learned, as sentences, the most important first.
    """

    as_of: datetime
    trained_from: datetime
    holdout_from: datetime
    n_impressions: int
    n_clicks: int
    model_version: str | None
    champion_version: str | None
    evaluations: tuple[Evaluation, ...]
    decision: GateDecision
    learned: tuple[str, ...]
    days: dict[str, tuple[int, int]]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        return "promoted" if self.decision.promote else "refused"

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.decision.reasons

    def to_dict(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of.isoformat(),
            "trained_from": self.trained_from.isoformat(),
            "holdout_from": self.holdout_from.isoformat(),
            "n_impressions": self.n_impressions,
            "n_clicks": self.n_clicks,
            "model_version": self.model_version,
            "champion_version": self.champion_version,
            "evaluations": [evaluation.to_dict() for evaluation in self.evaluations],
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "gains": [gain.to_dict() for gain in self.decision.gains],
            "off_policy": self.decision.to_dict()["off_policy"],
            "learned": list(self.learned),
            "days": {day: list(counts) for day, counts in self.days.items()},
            "seconds": self.seconds,
        }
