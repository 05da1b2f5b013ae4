"""What may be believed of a click before any tree is grown."""

import numpy as np

from personalize.errors import FeatureMismatch
from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats
from personalize.models.popularity import log_odds

PRIOR_FEATURES = ("category_style_rate", "user_style_taste")


def prior_log_odds(frame: FeatureFrame) -> Floats:
    """Log odds of the style's click-through in its category, plus the user's taste for it, (rows,).

    The posterior of a Bayesian who believes in smoothed rates and Gaussian taste, see
    `personalize.features.taste`. The ranker's trees start from here and correct it.
    """
    return sum(prior_parts(frame).values(), np.zeros(len(frame.values)))


def prior_parts(frame: FeatureFrame) -> dict[str, Floats]:
    """What each feature of `PRIOR_FEATURES` adds to the prior log odds, (rows,) each."""
    missing = [name for name in PRIOR_FEATURES if name not in frame.names]
    if missing:
        raise FeatureMismatch(PRIOR_FEATURES, frame.names, "the ranker's prior")
    rate, taste = PRIOR_FEATURES
    return {
        rate: log_odds(frame.column(rate).astype(np.float64)),
        taste: frame.column(taste).astype(np.float64),
    }
