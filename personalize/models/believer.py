"""The online layer as a scorer: it serves until a ranker is promoted."""

from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats
from personalize.models.prior import prior_log_odds

ONLINE = "online"


class Believer:
    """Log odds of a click as the online layer believes them, moved by every event.

    There is nothing to fit, so it is never out of date; see `personalize.features.beliefs`.
    """

    model_version = ONLINE

    def score(self, frame: FeatureFrame) -> Floats:
        return prior_log_odds(frame)
