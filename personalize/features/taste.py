"""What a user's clicks say about every style, also about styles that only look like those they clicked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from personalize.features.runs import Floats, Ints

NEWTON_STEPS = 4


@dataclass(frozen=True, slots=True)
class TastePrior:
    """Variances, in squared log odds, of what users like before anything is known of them.

    `alike` is shared by styles whose content vectors are alike, `own` belongs to one style alone,
    `user` lifts all styles of a user together. Measured in the simulator; the ranker stacked on top
    corrects what a shop's users do not share.
    """

    alike: float = 0.4
    own: float = 0.15
    user: float = 0.1

    def covariance(self, similarity: Floats) -> Floats:
        """(S, S) prior covariance of a user's log-odds deviations."""
        return self.alike * similarity + self.own * np.eye(len(similarity))


def tastes(clicks: Floats, expected: Floats, covariances: Floats, user_variances: Sequence[float]) -> Floats:
    """How much more than others each user likes each style, in log odds, under K priors, (K, U, S).

    Clicks are Poisson with mean expected * exp(d), and d is Gaussian: a covariance over styles plus a
    lift of the user as a whole, which is left out of the answer. The posterior mode by Newton's
    method from 0, with D = diag(m), m = expected * exp(d) and K the full covariance:
        d <- K (I + D K)^-1 (clicks - m + m * d)
    One step is the Gaussian (linear) posterior mean, which is far too high after many clicks. Few
    clicks leave d near 0; clicks on a style carry over to the styles that look like it.

    Args:
        clicks: (U, S) time-decayed clicks; expected: (U, S) clicks that an average user would have made.
        covariances: (K, S, S); user_variances: (K,), of the lift.
    """
    n_priors, n_styles = covariances.shape[:2]
    likes = np.zeros((n_priors, len(clicks), n_styles))
    lifts = np.asarray(user_variances)[:, None, None, None]
    at_once = max(1, MAX_CELLS // (n_priors * n_styles**2))
    for start in range(0, len(clicks), at_once):
        users = slice(start, start + at_once)
        likes[:, users] = _solved(clicks[users], expected[users], covariances, lifts)
    return likes


MAX_CELLS = 1 << 22
"""Numbers in the matrices solved at once: a night asks for tens of thousands of users."""


def _solved(clicks: Floats, expected: Floats, covariances: Floats, lifts: Floats) -> Floats:
    styles = _told(clicks, expected)
    weights = np.zeros((len(covariances), *clicks.shape))
    if not styles.shape[1]:  # nobody here has seen anything
        return weights
    # one index into all cells is ten times as quick as two
    cells = clicks.shape[1] * styles[:, :, None] + styles[:, None, :]
    full = covariances.reshape(len(covariances), -1).take(cells, axis=1) + lifts
    clicks, expected = (np.take_along_axis(each, styles, axis=1) for each in (clicks, expected))
    identity = np.eye(styles.shape[1])
    deviation = np.zeros(full.shape[:-1])
    for _ in range(NEWTON_STEPS):
        start = np.minimum(deviation, MAX_DEVIATION)
        mean = expected * np.exp(start)
        target = clicks - mean + mean * start
        told = np.linalg.solve(identity + mean[..., None] * full, target[..., None])
        deviation = (full @ told)[..., 0]
    np.put_along_axis(weights, np.broadcast_to(styles, deviation.shape), told[..., 0], axis=-1)
    likes: Floats = weights @ covariances
    return likes


def _told(clicks: Floats, expected: Floats) -> Ints:
    """Indexes of the styles that each user was shown or clicked, (U, M), filled up with others.

    The other styles have no weight, so they need not be solved for.
    """
    tells = (clicks > 0) | (expected > 0)
    width = int(tells.sum(axis=1).max(initial=0))
    if not width:
        return np.zeros((len(clicks), 0), dtype=np.int64)
    told: Ints = np.argsort(~tells, axis=1, kind="stable")[:, :width]
    return told


MAX_DEVIATION = 3.0
"""Where a Newton step starts at most: the one from 0 overshoots, and from above they descend to the mode."""
