"""LightGBM LambdaRank over a FeatureFrame, calibrated to click probability."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats
from personalize.models.calibration import Calibration
from personalize.models.prior import prior_log_odds
from personalize.models.scorer import require_features

if TYPE_CHECKING:
    import lightgbm


class Ranker:
    """LambdaRank trees on top of the online layer, and a calibration; `score` gives log odds of a click.

        score = intercept + slope * (prior_log_odds + trees)

    The trees start from what the online layer believes (LightGBM's `init_score`), so they need only learn
    where it orders wrongly. What LambdaRank sums up to means nothing but order; a logistic curve, fitted
    on rows that the trees did not see, turns it into log odds, which is what a policy's temperature is
    measured in.
    """

    def __init__(self, model_version: str, model_text: str, calibration: Calibration) -> None:
        """Make a ranker of text that LightGBM wrote.

        Corrupt text aborts the process inside LightGBM: go through `load_scorer`, which checks first.
        """
        self.model_version = model_version
        self.model_text = model_text
        self.calibration = calibration

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(self._booster.feature_name())

    @cached_property
    def _booster(self) -> "lightgbm.Booster":
        import lightgbm

        return lightgbm.Booster(model_str=self.model_text)

    def score(self, frame: FeatureFrame) -> Floats:
        return self.calibration.log_odds(self.raw_scores(frame))

    def raw_scores(self, frame: FeatureFrame) -> Floats:
        """Prior and trees before calibration, (rows,); only their order means anything."""
        return prior_log_odds(frame) + self.tree_scores(frame)

    def tree_scores(self, frame: FeatureFrame) -> Floats:
        """What the trees add to the prior, (rows,)."""
        require_features(frame, self.feature_names, f"ranker {self.model_version}")
        if not len(frame.values):
            return np.zeros(0)
        return np.asarray(self._booster.predict(frame.values, num_threads=1), dtype=np.float64)

    @property
    def n_trees(self) -> int:
        return int(self._booster.num_trees())

    def importances(self) -> dict[str, float]:
        """Share of the trees' gain that each feature brought, summing to 1 (all 0 if no tree splits)."""
        gains = self._booster.feature_importance(importance_type="gain")
        total = float(gains.sum()) or 1.0
        return {name: float(gain) / total for name, gain in zip(self.feature_names, gains, strict=True)}
