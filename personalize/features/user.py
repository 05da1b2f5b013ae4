"""What one user did: rates per style, taste, recency."""

from collections.abc import Sequence

import numpy as np

from personalize.features.history import History
from personalize.features.runs import NEVER, Family, Floats, Ints
from personalize.features.style import lift
from personalize.features.taste import TastePrior, tastes

USER_PRIOR_CLICKS = 3.0
USER_STYLE_PRIOR_CLICKS = 2.0
PURCHASE_CLICKS = 1.0
"""A purchase counts as this many clicks more than the click before it."""

_ANY: Ints = np.zeros(1, dtype=np.int64)
_US_PER_HOUR = 3_600_000_000


def user_columns(
    history: History,
    users: Ints,
    styles: Ints,
    at_us: Ints,
    rates: Floats,
    similarity: Floats,
    prior: TastePrior,
) -> dict[str, Floats]:
    """Columns that depend on the user and the style, by name (P, S) of P pages x S candidates.

    Args:
        users: codes (P,); styles: codes (S + 1,), the last the unstyled original, which is no candidate
            but tells how readily the user clicks at all; at_us: (P,).
        rates: everybody's click-through of each of these styles as of each moment, (P, S + 1).
        similarity: (S, S) of the candidates.
    """
    tally = history.tally(Family.USER_STYLE, users[:, None], _ANY, styles[None, :], at_us[:, None])
    shown = tally.amounts[..., 0]
    clicks = tally.amounts[..., 1] + PURCHASE_CLICKS * tally.amounts[..., 2]
    expected = shown * rates
    user_lift = lift(clicks.sum(axis=1), expected.sum(axis=1), USER_PRIOR_CLICKS)[:, None]
    likes, looks = _tastes(clicks, expected, similarity, (prior, LOOK_ONLY))
    return {
        "user_lift": np.broadcast_to(user_lift, likes.shape),
        "user_style_lift": lift(clicks, expected * user_lift, USER_STYLE_PRIOR_CLICKS)[:, :-1],
        "user_style_taste": likes,
        "user_look_taste": looks,
        "user_style_shown": tally.counts[:, :-1, 0].astype(np.float64),
        "user_style_clicks": tally.counts[:, :-1, 1].astype(np.float64),
        "user_style_purchases": tally.amounts[:, :-1, 2],
        "hours_since_shown": _hours_since(tally.last_us[:, :-1, 0], at_us),
        "hours_since_click": _hours_since(tally.last_us[:, :-1, 1], at_us),
    }


LOOK_ONLY = TastePrior(alike=0.6, own=0.0, user=0.1)
"""The taste explained by the look of styles alone."""


def _tastes(clicks: Floats, expected: Floats, similarity: Floats, priors: Sequence[TastePrior]) -> Floats:
    """Taste for the candidates under K priors, (K, P, S); the original counts too, and looks like none."""
    size = len(similarity)
    if not clicks.any() and not expected.any():  # shoppers without a past: most pages, and nothing to solve
        return np.zeros((len(priors), len(clicks), size))
    alike = np.zeros((size + 1, size + 1))
    alike[:-1, :-1] = similarity
    covariances = np.array([prior.covariance(alike) for prior in priors])
    return tastes(clicks, expected, covariances, [prior.user for prior in priors])[..., :-1]


def _hours_since(last_us: Ints, at_us: Ints) -> Floats:
    hours = (at_us[:, None] - last_us) / _US_PER_HOUR
    return np.where(last_us == NEVER, np.nan, hours)
