"""Smoothed popularity: a policy of its own, and the bar that every ranker must clear."""

import numpy as np

from personalize.errors import FeatureMismatch
from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats

POPULARITY = "popularity"
_COLUMN = "category_style_rate"


class Popularity:
    """Log odds of the smoothed, time-decayed click-through of a style in the product's category.

    Without data of the category this is the style's own rate, without any data the same for all
    styles: see `personalize.features.style`. There is nothing to fit, so it is never out of date.
    """

    model_version = POPULARITY

    def score(self, frame: FeatureFrame) -> Floats:
        if _COLUMN not in frame.names:
            raise FeatureMismatch((_COLUMN,), frame.names, self.model_version)
        return log_odds(frame.column(_COLUMN).astype(np.float64))


def log_odds(rate: Floats) -> Floats:
    """Logit of a rate, kept finite at 0 and 1.

    >>> float(log_odds(np.array(0.5)))
    0.0
    """
    inside = np.clip(rate, 1e-6, 1 - 1e-6)
    odds: Floats = np.log(inside / (1 - inside))
    return odds
