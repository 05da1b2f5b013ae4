"""Human judgement: which of two styles is preferred, what score a style gets, and do raters agree.

preference = prefer(Pairs(left, right, outcome, rater))
print(preference.conclusion, preference["waves", "woodcut"].probability)
print(opinions(Scores(style, rater, score)).conclusion)
"""

from analytics.judgement.agreement import (
    Agreement,
    agreement_on_pairs,
    agreement_on_scores,
    krippendorff_alpha,
    rank_agreement,
)
from analytics.judgement.opinions import Opinion, OpinionDifference, Opinions, Scores, opinions
from analytics.judgement.pairs import LEFT, NEITHER, RIGHT, Pairs
from analytics.judgement.preferences import prefer
from analytics.judgement.results import Duel, Preference, SideEffect, Strength
from analytics.judgement.simulate import simulate_pairs, simulate_scores

__all__ = [
    "LEFT",
    "NEITHER",
    "RIGHT",
    "Agreement",
    "Duel",
    "Opinion",
    "OpinionDifference",
    "Opinions",
    "Pairs",
    "Preference",
    "Scores",
    "SideEffect",
    "Strength",
    "agreement_on_pairs",
    "agreement_on_scores",
    "krippendorff_alpha",
    "opinions",
    "prefer",
    "rank_agreement",
    "simulate_pairs",
    "simulate_scores",
]
