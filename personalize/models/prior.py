"""What is believed of a click before any tree is grown."""

import numpy as np

from personalize.errors import FeatureMismatch
from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats

BELIEF = "belief"


def prior_log_odds(frame: FeatureFrame) -> Floats:
    """Log odds of a click as the online layer believed them just before the moment, (rows,).

    See `personalize.features.beliefs`. The ranker's trees start from here and correct it.

    Raises:
        FeatureMismatch: a frame without the column `belief`.
    """
    if BELIEF not in frame.names:
        raise FeatureMismatch((BELIEF,), frame.names, "the ranker's prior")
    return frame.column(BELIEF).astype(np.float64)
