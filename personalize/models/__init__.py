"""Models that score candidate styles."""

from personalize.models.artifact import load_scorer
from personalize.models.popularity import POPULARITY, Popularity
from personalize.models.ranker import Ranker
from personalize.models.scorer import Scorer

__all__ = ["POPULARITY", "Popularity", "Ranker", "Scorer", "load_scorer"]
