"""From scores to probabilities, exactly, and a draw from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import Floats


@dataclass(frozen=True, slots=True)
class Exploration:
    """How much chance is left to styles that do not lead.

    floor: share of impressions spread evenly over the candidates, whatever the scores.
    temperature: log odds per factor e of probability, for users about whom all is known.
    new_user_temperature: the same for users without evidence; in between it falls as
        temperature + (new_user_temperature - temperature) / (1 + evidence / half_evidence).
    popular_temperature: of the policy `popular`, which knows no users.
    half_evidence: decayed impressions of a user at which half of the extra temperature is gone.

    Chosen by measurement in `personalize.simulate`.
    """

    floor: float = 0.05
    temperature: float = 0.03
    new_user_temperature: float = 0.1
    popular_temperature: float = 0.03
    half_evidence: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.floor <= 1:
            raise ValueError(f"expected a floor in (0, 1], got {self.floor}; every style needs some chance")
        if min(self.temperature, self.new_user_temperature, self.popular_temperature) <= 0:
            raise ValueError("expected positive temperatures")
        if self.half_evidence <= 0:
            raise ValueError(f"expected a positive half_evidence, got {self.half_evidence}")

    def personal_temperature(self, evidence: Floats) -> Floats:
        """Temperature for users with that much evidence, (N,)."""
        extra = self.new_user_temperature - self.temperature
        temperature: Floats = self.temperature + extra / (1 + evidence / self.half_evidence)
        return temperature


def propensities(scores: Floats, *, floor: float, temperature: Floats | float) -> Floats:
    """Probability of each candidate, (N, K): (1 - floor) * softmax(scores / temperature) + floor / K.

    Rows sum to 1 and no candidate falls below floor / K, which is what later lets another policy be
    judged from this one's log.

    Args:
        scores: (N, K), in log odds; temperature: one, or (N,).
    Raises:
        ValueError: scores that are not finite, or no candidates.
    """
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(f"expected scores of shape (N, K) with K > 0, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("expected finite scores, got NaN or infinity")
    scaled = scores / np.broadcast_to(np.asarray(temperature, dtype=np.float64), len(scores))[:, None]
    exponent = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    softmax = exponent / exponent.sum(axis=1, keepdims=True)
    mixed = (1 - floor) * softmax + floor / scores.shape[1]
    result: Floats = mixed / mixed.sum(axis=1, keepdims=True)
    return result


def sample(probabilities: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
    """One candidate per row, (N,), drawn with the row's probabilities, (N, K)."""
    cumulative = np.cumsum(probabilities, axis=1)
    draws = rng.random(len(probabilities)) * cumulative[:, -1]
    drawn = np.sum(cumulative <= draws[:, None], axis=1, dtype=np.intp)
    return np.asarray(np.minimum(drawn, probabilities.shape[1] - 1), dtype=np.intp)
