"""Why a style stands where it stands, in words."""

from collections.abc import Callable

import numpy as np

from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats

MIN_CONTRIBUTION = 0.01
"""Log odds below which a feature is not worth a word."""

ReasonRow = tuple[str, float, float, str]


def reasons_of(frame: FeatureFrame, row: int, contributions: Floats, top: int = 3) -> list[ReasonRow]:
    """The features that move a row most: (feature, value, contribution in log odds, words), strongest first.

    Args:
        contributions: (F,) of this row, as `Ranker.explain` gives them.
    """
    strongest = np.argsort(-np.abs(contributions), kind="stable")[:top]
    return [
        (
            frame.names[index],
            float(frame.values[row, index]),
            float(contributions[index]),
            describe(frame, row, frame.names[index]),
        )
        for index in strongest
        if abs(contributions[index]) >= MIN_CONTRIBUTION
    ]


def describe(frame: FeatureFrame, row: int, feature: str) -> str:
    """One feature of a row in words, e.g. "clicked 3 of 9 shown in this style"."""
    values = {name: float(value) for name, value in zip(frame.names, frame.values[row], strict=True)}
    words = _WORDS.get(feature)
    return words(values) if words else f"{feature} is {values[feature]:.3g}"


def _clicks_in_style(values: dict[str, float]) -> str:
    shown, clicks = round(values["user_style_shown"]), round(values["user_style_clicks"])
    return f"clicked {clicks} of {shown} shown in this style" if shown else "not shown this style yet"


def _taste(values: dict[str, float]) -> str:
    shown = round(values["user_style_shown"])
    own = f", {_clicks_in_style(values)}" if shown else ""
    return f"{_times(values['user_style_taste'])} by what this user clicked in this and similar styles{own}"


def _times(log_odds: float) -> str:
    factor = float(np.exp(log_odds))
    if factor >= 1:
        return f"likelier to be clicked ({factor:.1f} times)"
    return f"less likely to be clicked ({factor:.1f} times)"


def _hours(hours: float, what: str, never: str) -> str:
    if np.isnan(hours):
        return never
    return f"last {what} {hours:.0f} hours ago" if hours < 48 else f"last {what} {hours / 24:.0f} days ago"


_WORDS: dict[str, Callable[[dict[str, float]], str]] = {
    "style_rate": lambda v: f"{v['style_rate']:.1%} of all users click this style",
    "category_style_rate": lambda v: f"{v['category_style_rate']:.1%} click this style in this category",
    "user_style_lift": _clicks_in_style,
    "user_style_taste": _taste,
    "user_look_taste": lambda v: f"{_times(v['user_look_taste'])} by the look of what this user clicked",
    "user_category_style_lift": lambda v: (
        f"clicked {v['user_category_style_lift']:.1f} times as often as expected in this style and category"
    ),
    "user_style_shown": lambda v: f"shown this style {v['user_style_shown']:.0f} times",
    "user_style_clicks": _clicks_in_style,
    "user_style_purchases": lambda v: f"bought about {v['user_style_purchases']:.0f} in this style lately",
    "hours_since_shown": lambda v: _hours(v["hours_since_shown"], "shown", "not shown this style yet"),
    "hours_since_click": lambda v: _hours(v["hours_since_click"], "clicked", "never clicked this style"),
}

FEATURE_WORDS = {
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
