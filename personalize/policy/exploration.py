"""From scores to probabilities, exactly, and a draw from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import Floats

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Exploration:
    """How much chance is left to styles that do not lead.

    floor: share of impressions spread evenly over the candidates, whatever the scores.
    temperature: log odds per factor e of probability.
    optimism: standard deviations, of what users share in what is believed of a style, added to its score.
    launch: of an even share of what the floor leaves, what a new style gets whatever its score.
    popular_temperature: of the policy `popularity`.
    epsilon: share of impressions that `epsilon-greedy` spreads evenly.

    Full Thompson sampling explores too much where every user has a taste of their own; a fifth of its
    noise does as well as none. What pays is optimism about styles of which the shop knows little, so that
    a new style is tried at once: with 0.5 a new style gets too little and with 1 more than it is worth in
    worlds of few clicks, where capture is the same for both. Where looks tell nothing, or clicks come late,
    optimism is not enough: with a launch share of a half new styles get at least 0.8 of what the best choice
    would give them in every world; capture moves by -0.02 to +0.02, which is what the draws alone do. All in
    all the probabilities are a closed form, which is what is logged.
    Chosen by measurement in `personalize.simulate`.
    """

    floor: float = 0.03
    temperature: float = 0.01
    optimism: float = 0.8
    launch: float = 0.5
    popular_temperature: float = 0.03
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.floor <= 1 or not 0 < self.epsilon <= 1:
            raise ValueError(
                f"expected floor and epsilon in (0, 1], got {self.floor} and {self.epsilon}; "
                "every style needs some chance"
            )
        if not 0 <= self.launch < 1:
            raise ValueError(f"expected a launch share in [0, 1), got {self.launch}; scores need the rest")
        if min(self.temperature, self.popular_temperature) <= 0 or self.optimism < 0:
            raise ValueError("expected positive temperatures and an optimism of 0 or more")

    def hopeful(self, scores: Floats, spread: Floats) -> Floats:
        """Scores with the benefit of the doubt, (N, K): scores + optimism * spread."""
        hopeful: Floats = scores + self.optimism * spread
        return hopeful

    def promised(self, is_new: Mask, allowed: Mask) -> Floats:
        """What each style that is new, (K,), gets whatever its score, (N, K).

            (1 - floor) * launch / (number allowed), where it is allowed.

        However little their looks tell and however late their clicks come, they are tried until they are
        new no more; it is part of the propensity that is logged.
        """
        share = (1 - self.floor) * self.launch
        promised: Floats = share * (is_new & allowed) / allowed.sum(axis=1, keepdims=True)
        return promised


def propensities(
    scores: Floats,
    *,
    floor: float,
    temperature: Floats | float,
    allowed: Mask | None = None,
    promised: Floats | float = 0.0,
) -> Floats:
    """Probability of each candidate, (N, K): rest * softmax(scores / temperature) + floor / K + promised.

    The rest is what floor and promises leave. Rows sum to 1 and no candidate falls below floor / K, which is
    what later lets another policy be judged from this one's log. K counts the candidates that are allowed;
    the others get 0.

    Args:
        scores: (N, K), in log odds; temperature: one, or (N,); allowed: (N, K), None for all.
        promised: (N, K), shares that candidates get whatever their scores; rows sum to less than 1 - floor.
    Raises:
        ValueError: scores that are not finite, or a row without candidates.
    """
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(f"expected scores of shape (N, K) with K > 0, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("expected finite scores, got NaN or infinity")
    if allowed is None:
        allowed = np.ones(scores.shape, dtype=np.bool_)
    if not allowed.any(axis=1).all():
        raise ValueError("expected a candidate in every row, got a row that allows none")
    scaled = scores / np.broadcast_to(np.asarray(temperature, dtype=np.float64), len(scores))[:, None]
    scaled = np.where(allowed, scaled, -np.inf)
    exponent = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    softmax = exponent / exponent.sum(axis=1, keepdims=True)
    given = floor * allowed / allowed.sum(axis=1, keepdims=True) + promised
    mixed = (1 - given.sum(axis=1, keepdims=True)) * softmax + given
    result: Floats = mixed / mixed.sum(axis=1, keepdims=True)
    return result


def greedy(scores: Floats, *, epsilon: float, allowed: Mask) -> Floats:
    """The best candidate with 1 - epsilon, the rest even, (N, K); ties fall to the first."""
    masked = np.where(allowed, scores, -np.inf)
    best = np.arange(scores.shape[1]) == masked.argmax(axis=1)[:, None]
    chances: Floats = (1 - epsilon) * best + epsilon * even(allowed)
    return chances


def even(allowed: Mask) -> Floats:
    """The same probability for each candidate that is allowed, (N, K)."""
    shares: Floats = allowed / allowed.sum(axis=1, keepdims=True)
    return shares


def sample(probabilities: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
    """One candidate per row, (N,), drawn with the row's probabilities, (N, K)."""
    cumulative = np.cumsum(probabilities, axis=1)
    draws = rng.random(len(probabilities)) * cumulative[:, -1]
    drawn = np.sum(cumulative <= draws[:, None], axis=1, dtype=np.intp)
    return np.asarray(np.minimum(drawn, probabilities.shape[1] - 1), dtype=np.intp)
