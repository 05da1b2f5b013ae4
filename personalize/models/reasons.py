"""Why a style has its score: parts that sum to it, in numbers and in words."""

import numpy as np

from personalize.features.beliefs import LEVELS
from personalize.features.frame import FeatureFrame

BASE, RANKER = "base", "ranker"

ReasonRow = tuple[str, float, float, str]


def reasons_of(frame: FeatureFrame, request: int, candidate: int, score: float) -> list[ReasonRow]:
    """The parts of a candidate's score: (part, value, contribution in log odds, words); they sum to it.

    The base first, then the levels of the online layer and what the ranker corrects, strongest first.
    Each contribution is what the level itself believes, so nothing is left over and nothing is estimated.

    Args:
        candidate: in the order of the frame's styles, the original last.
        score: of this candidate, from whichever scorer; what it differs by from the online layer is the
            ranker's part.
    Raises:
        ValueError: a frame that was built without beliefs.
    """
    if frame.beliefs is None:
        raise ValueError("expected a frame with beliefs; training frames hold no parts to explain")
    base = frame.beliefs.base
    parts = dict(zip(LEVELS, map(float, frame.beliefs.parts[:, request, candidate]), strict=True))
    correction = score - base - sum(parts.values())
    if abs(correction) > ROUNDING:
        parts[RANKER] = correction
    elif parts:
        parts["everybody"] += correction
    values = _values(frame, request, candidate)
    rows = [
        (name, values.get(name, part), part, _words(name, part, values))
        for name, part in sorted(parts.items(), key=lambda item: -abs(item[1]))
    ]
    rate = float(1 / (1 + np.exp(-base)))
    return [(BASE, rate, base, f"a shop's usual click-through of {rate:.1%}"), *rows]


ROUNDING = 1e-5
"""Differences in log odds that come from the features' single precision."""


def _values(frame: FeatureFrame, request: int, candidate: int) -> dict[str, float]:
    if candidate >= frame.n_candidates:
        return {}
    row = frame.values[request * frame.n_candidates + candidate]
    column = dict(zip(frame.names, map(float, row), strict=True))
    return {
        "everybody": column["style_rate"],
        "category": column["category_style_rate"],
        "user": column["user_style_clicks"],
        "shown": column["user_style_shown"],
    }


def _words(name: str, part: float, values: dict[str, float]) -> str:
    if name == "user" and "shown" in values:
        shown, clicks = round(values["shown"]), round(values["user"])
        own = f"clicked {clicks} of {shown} shown in this style" if shown else "not shown this style yet"
        return f"{_times(part)} by what this user clicked in this and similar styles; {own}"
    return f"{_times(part)} {_BY[name]}"


def _times(log_odds: float) -> str:
    factor = float(np.exp(log_odds))
    return f"{factor:.2f} times as likely to be clicked"


_BY = {
    "everybody": "by what everybody makes of this style and of those that look like it",
    "category": "by what is clicked in this category",
    "context": "by the moment and what the shop says of the visit",
    "user": "by what this user clicked",
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
