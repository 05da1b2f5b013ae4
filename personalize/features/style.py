"""How everybody likes a style: smoothed, time-decayed rates, overall and per product category."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize.data.records import StyleOnOffer
from personalize.data.schema import ORIGINAL
from personalize.features.history import History
from personalize.features.runs import Family, Floats, Ints, Tally

PRIOR_RATE = 0.03
"""Click-through assumed of a shop with no data."""

PRIOR_CLICKS = 1.0
"""Expected clicks that `PRIOR_RATE` is worth against the shop's own."""

STYLE_PRIOR_CLICKS = 5.0
CATEGORY_PRIOR_CLICKS = 5.0
CATEGORY_STYLE_PRIOR_CLICKS = 30.0
"""Expected clicks at which the data of a style, a category and a pair of them weigh as much as what they
are smoothed towards. 1 / prior is the variance of a lift before any data."""


@dataclass(frozen=True, slots=True)
class StyleSpace:
    """The candidate styles and how alike they look.

    style_ids and titles (S,). vectors (S, d): centred, with a mean squared length of 1; zeros when no style
    has a content vector. similarity (S, S): their inner products, on average 1 for a style and itself,
    about 0 for others. came_later (S,): whether a style was added after the first of them.
    """

    style_ids: tuple[str, ...]
    titles: tuple[str, ...]
    vectors: Floats
    similarity: Floats
    came_later: NDArray[np.bool_]

    @staticmethod
    def of(styles: Sequence[StyleOnOffer]) -> "StyleSpace":
        """The space of the styles on offer; the unstyled original is not a candidate of a ranker.

        Raises:
            ValueError: content vectors of different lengths.
        """
        candidates = [style for style in styles if style.style_id != ORIGINAL]
        lengths = {len(style.content_vector) for style in candidates}
        if len(lengths) > 1:
            raise ValueError(f"expected content vectors of one length, got {sorted(lengths)}")
        raw = np.array([style.content_vector for style in candidates], dtype=np.float64)
        vectors = _standardized(raw.reshape(len(candidates), max(lengths, default=0)))
        return StyleSpace(
            tuple(style.style_id for style in candidates),
            tuple(style.title for style in candidates),
            vectors,
            vectors @ vectors.T,
            _came_later(candidates),
        )

    def __len__(self) -> int:
        return len(self.style_ids)


def _came_later(styles: Sequence[StyleOnOffer]) -> NDArray[np.bool_]:
    known = [style.added_at for style in styles if style.added_at is not None]
    first = min(known, default=None)
    return np.array([first is not None and (style.added_at or first) > first for style in styles], np.bool_)


def _standardized(vectors: Floats) -> Floats:
    """Centred, scaled to a mean squared length of 1; zeros if there is nothing to tell apart."""
    if vectors.size == 0:
        return vectors
    centred = vectors - vectors.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=1).mean())
    return centred / scale if scale > 1e-9 else np.zeros_like(centred)


def lift(clicks: Floats, expected: Floats, prior_clicks: float) -> Floats:
    """Clicks against expected clicks, smoothed towards 1: (clicks + a) / (expected + a).

    The posterior mean of a Poisson rate's multiplier under a gamma prior of mean 1 and variance 1 / a.

    >>> float(lift(np.array(6.0), np.array(3.0), 3.0))
    1.5
    """
    smoothed: Floats = (clicks + prior_clicks) / (expected + prior_clicks)
    return smoothed


@dataclass(frozen=True, slots=True)
class StyleRates:
    """Click-through as of P moments: of each style, `rates` (P, S), and of the shop, `base` (P, 1)."""

    base: Floats
    rates: Floats


def style_rates(history: History, styles: Ints, at_us: Ints) -> StyleRates:
    """Smoothed click-through of each style, (S,) codes, as of each moment, (P,)."""
    tally = history.tally(Family.STYLE, _ANY, _ANY, styles[None, :], at_us[:, None])
    shown, clicked = tally.amounts[..., 0], tally.amounts[..., 1]
    prior_shown = PRIOR_CLICKS / PRIOR_RATE
    base = (clicked.sum(axis=1, keepdims=True) + PRIOR_CLICKS) / (
        shown.sum(axis=1, keepdims=True) + prior_shown
    )
    return StyleRates(base, base * lift(clicked, shown * base, STYLE_PRIOR_CLICKS))


def category_rates(history: History, categories: Ints, styles: Ints, at_us: Ints, rates: Floats) -> Floats:
    """Click-through of each style in each request's category, (R, S), smoothed towards what both say alone.

    A category clicks `overall` times as often as its styles do elsewhere; a pair of category and style
    that has little data is believed to click at rate * overall.

    Args:
        categories: codes (R,), -1 for none; at_us: (R,); styles: codes (S,).
        rates: of each style as of the request, (R, S).
    """
    tally: Tally = history.tally(
        Family.CATEGORY_STYLE, _ANY, categories[:, None], styles[None, :], at_us[:, None]
    )
    shown, clicked = tally.amounts[..., 0], tally.amounts[..., 1]
    overall = lift(
        clicked.sum(axis=1, keepdims=True),
        (shown * rates).sum(axis=1, keepdims=True),
        CATEGORY_PRIOR_CLICKS,
    )
    expected = rates * overall
    return expected * lift(clicked, shown * expected, CATEGORY_STYLE_PRIOR_CLICKS)


_ANY: Ints = np.zeros(1, dtype=np.int64)
