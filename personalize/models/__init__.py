"""Models that score candidate styles."""

from personalize.models.artifact import load_scorer
from personalize.models.believer import ONLINE, Believer
from personalize.models.popularity import POPULARITY, Popularity
from personalize.models.ranker import Ranker
from personalize.models.scorer import Scorer

__all__ = ["ONLINE", "POPULARITY", "Believer", "Popularity", "Ranker", "Scorer", "load_scorer"]
