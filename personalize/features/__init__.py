"""Features as of a moment: one function builds them for training and for serving."""

from personalize.features.build import FEATURE_NAMES, build_features
from personalize.features.frame import FeatureFrame, Requests
from personalize.features.history import History
from personalize.features.labels import relevance
from personalize.features.memory import Memory
from personalize.features.style import StyleSpace
from personalize.features.taste import TastePrior

__all__ = [
    "FEATURE_NAMES",
    "FeatureFrame",
    "History",
    "Memory",
    "Requests",
    "StyleSpace",
    "TastePrior",
    "build_features",
    "relevance",
]
