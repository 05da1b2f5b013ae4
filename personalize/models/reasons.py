"""Why a style has its score: parts that sum to it, in numbers and in words."""

import math

from personalize.features.beliefs import LEVELS, Scores

BASE, RANKER = "base", "ranker"

ReasonRow = tuple[str, float, float, str]


def reasons_of(
    beliefs: Scores, request: int, candidate: int, score: float, own: tuple[int, int]
) -> list[ReasonRow]:
    """The parts of a candidate's score: (part, value, contribution in log odds, words); they sum to it.

    The base first, then the levels of the online layer and what the ranker corrects, strongest first.
    Each contribution is what the level itself believes, so nothing is left over and nothing is estimated.
    The value is the click-through that the base and this part alone would make.

    Args:
        candidate: in the order of the styles, the original last.
        score: of this candidate, from whichever scorer; what it differs by from the online layer is the
            ranker's part.
        own: how often the user saw and clicked it.
    """
    base = beliefs.base
    parts = dict(zip(LEVELS, beliefs.parts[:, request, candidate].tolist(), strict=True))
    correction = score - base - sum(parts.values())
    if abs(correction) > ROUNDING:
        parts[RANKER] = correction
    else:
        parts["everybody"] += correction
    rate = _rate(base)
    return [
        (BASE, rate, base, f"a shop's usual click-through of {rate:.1%}"),
        *(
            (name, _rate(base + part), part, _words(name, part, own))
            for name, part in sorted(parts.items(), key=lambda item: -abs(item[1]))
        ),
    ]


ROUNDING = 1e-5
"""Differences in log odds that come from the features' single precision."""


def _rate(log_odds: float) -> float:
    return 0.5 * (1 + math.tanh(log_odds / 2))


def _words(name: str, part: float, own: tuple[int, int]) -> str:
    if name == "user":
        shown, clicks = own
        mine = f"clicked {clicks} of {shown} shown in this style" if shown else "not shown this style yet"
        return f"{_times(part)} by what this user clicked in this and similar styles; {mine}"
    return f"{_times(part)} {_BY[name]}"


def _times(log_odds: float) -> str:
    return f"{math.exp(log_odds):.2f} times as likely to be clicked"


_BY = {
    "everybody": "by what everybody makes of this style and of those that look like it",
    "category": "by what is clicked in this category",
    "context": "by the moment and what the shop says of the visit",
    RANKER: "by the nightly ranker's correction",
}

FEATURE_WORDS = {
    "belief": "what the online layer believes",
    "belief_spread": "how much is known of the style",
    "style_rate": "how well a style is liked by everybody",
    "category_style_rate": "how well a style is liked in the product's category",
    "user_style_lift": "the user's own clicks on the style",
    "user_style_taste": "the user's taste, from clicks on this and similar styles",
    "user_look_taste": "the look of what the user clicked",
    "user_category_style_lift": "the user's clicks on the style in this category",
    "user_style_shown": "how often the user saw the style",
    "user_style_clicks": "how often the user clicked the style",
    "user_style_purchases": "what the user bought in the style",
    "hours_since_shown": "when the user last saw the style",
    "hours_since_click": "when the user last clicked the style",
}
"""What each feature is about, for sentences on what a ranker has learned."""
