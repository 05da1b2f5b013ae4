"""The one function that builds features, for training and for serving."""

from collections.abc import Sequence

import numpy as np

from personalize.data.schema import ORIGINAL
from personalize.features.frame import FeatureFrame, Requests
from personalize.features.history import History
from personalize.features.online import Foresight
from personalize.features.runs import Family, Floats, Ints
from personalize.features.style import StyleSpace, category_rates, lift, style_rates
from personalize.features.taste import TastePrior
from personalize.features.user import user_columns

FEATURE_NAMES = (
    "belief",
    "belief_spread",
    "style_rate",
    "category_style_rate",
    "user_style_lift",
    "user_style_taste",
    "user_look_taste",
    "user_category_style_lift",
    "user_style_shown",
    "user_style_clicks",
    "user_style_purchases",
    "hours_since_shown",
    "hours_since_click",
)

BELIEF_NAMES = FEATURE_NAMES[:2]

USER_CATEGORY_STYLE_PRIOR_CLICKS = 2.0
MAX_REQUESTS = 50_000
"""Requests worked on at once, which bounds memory."""


def build_features(
    history: History,
    requests: Requests,
    space: StyleSpace,
    *,
    beliefs: Foresight | None = None,
    shown: Sequence[str] | None = None,
    prior: TastePrior | None = None,
) -> FeatureFrame:
    """Features of each request x candidate, as known just before the request's moment.

    Serving asks for all candidates, training for the one style that was `shown`; a row is the same
    either way, but for the rounding of sums, because both come from here.

    Args:
        space: the candidate styles, S of them.
        beliefs: what the online layer believes of each row just before its moment, as its arrays of R * K;
            None leaves those columns at 0.
        shown: (R,) the one style wanted of each request; None wants all S.
    Returns:
        R * K rows, K = S or 1.
    Raises:
        ValueError: `shown` names a style that is not a candidate, or is not as long as the requests.
    """
    candidates = _candidates(requests, space, shown)
    parts = [
        _build(history, _slice(requests, start), space, candidates[start : start + MAX_REQUESTS], prior)
        for start in range(0, max(len(requests), 1), MAX_REQUESTS)
    ]
    frame = parts[0] if len(parts) == 1 else _joined(parts)
    if beliefs is not None:
        frame.values[:, FEATURE_NAMES.index("belief")] = beliefs.log_odds.ravel()
        frame.values[:, FEATURE_NAMES.index("belief_spread")] = beliefs.spread.ravel()
    return frame


def believed_frame(beliefs: Foresight, space: StyleSpace) -> FeatureFrame:
    """The frame of what is believed alone, (R, S) each: the same two columns as `build_features` gives."""
    values = np.stack([beliefs.log_odds.ravel(), beliefs.spread.ravel()], axis=1).astype(np.float32)
    every = np.broadcast_to(np.arange(len(space)), beliefs.log_odds.shape)
    return FeatureFrame(values, BELIEF_NAMES, space.style_ids, every)


def _build(
    history: History,
    requests: Requests,
    space: StyleSpace,
    candidates: Ints,
    prior: TastePrior | None,
) -> FeatureFrame:
    page = requests.page_starts()
    first = np.flatnonzero(np.diff(page, prepend=-1))
    styles = history.styles.find((*space.style_ids, ORIGINAL))
    users = history.users.find([requests.user_ids[row] for row in first])
    at_us = requests.at_us[first]
    everybody = style_rates(history, styles, at_us)
    of_user = user_columns(
        history, users, styles, at_us, everybody.rates, space.similarity, prior or TastePrior()
    )
    columns = of_user | {"style_rate": everybody.rates[:, :-1]}
    columns = {name: column[page[:, None], candidates] for name, column in columns.items()}
    columns |= _category_columns(
        history, requests, users[page], styles, everybody.rates[page], columns, candidates
    )
    columns["belief"] = columns["belief_spread"] = np.zeros(candidates.shape)
    values = np.stack([columns[name].ravel() for name in FEATURE_NAMES], axis=1).astype(np.float32)
    return FeatureFrame(
        values,
        FEATURE_NAMES,
        space.style_ids,
        candidates,
    )


def _category_columns(
    history: History,
    requests: Requests,
    users: Ints,
    styles: Ints,
    rates: Floats,
    columns: dict[str, Floats],
    candidates: Ints,
) -> dict[str, Floats]:
    """What depends on the product's category, (R, K) each."""
    categories = history.categories.find([category or "" for category in requests.categories])
    rows = np.arange(len(requests))[:, None]
    of_category = category_rates(history, categories, styles[:-1], requests.at_us, rates[:, :-1])
    rate = of_category[rows, candidates]
    tally = history.tally(
        Family.USER_CATEGORY_STYLE,
        users[:, None],
        categories[:, None],
        styles[candidates],
        requests.at_us[:, None],
    )
    expected = tally.amounts[..., 0] * rate * columns["user_lift"]
    return {
        "category_style_rate": rate,
        "user_category_style_lift": lift(tally.amounts[..., 1], expected, USER_CATEGORY_STYLE_PRIOR_CLICKS),
    }


def _candidates(requests: Requests, space: StyleSpace, shown: Sequence[str] | None) -> Ints:
    if shown is None:
        return np.broadcast_to(np.arange(len(space)), (len(requests), len(space)))
    index = {style_id: position for position, style_id in enumerate(space.style_ids)}
    unknown = sorted(set(shown) - index.keys())
    if unknown or len(shown) != len(requests):
        raise ValueError(
            f"expected one candidate style per request ({len(requests)}), got {len(shown)}; "
            f"not candidates: {unknown}"
        )
    return np.fromiter((index[style_id] for style_id in shown), dtype=np.int64, count=len(shown))[:, None]


def _slice(requests: Requests, start: int) -> Requests:
    stop = start + MAX_REQUESTS
    return Requests(
        requests.user_ids[start:stop],
        requests.categories[start:stop],
        requests.at_us[start:stop],
        requests.contexts[start:stop],
    )


def _joined(parts: list[FeatureFrame]) -> FeatureFrame:
    return FeatureFrame(
        np.concatenate([part.values for part in parts]),
        parts[0].names,
        parts[0].style_ids,
        np.concatenate([part.candidates for part in parts]),
    )
