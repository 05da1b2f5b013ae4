"""The policies that an experiment can name: personal, popular, original and random."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize.data.schema import ORIGINAL
from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats
from personalize.models.popularity import Popularity
from personalize.models.scorer import Scorer
from personalize.policy.exploration import Exploration, propensities, sample

POLICIES = ("personal", "popular", "original", "random")
NO_MODEL = "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a policy would show, and how likely: N requests x K styles.

    scores (N, K) are log odds of a click (zeros where the policy does not look at any); propensities (N, K);
    model_versions (N,) name what scored each request.
    """

    policy: str
    style_ids: tuple[str, ...]
    scores: Floats
    propensities: Floats
    model_versions: tuple[str, ...]

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """One style per request, (N,), as indexes of `style_ids`."""
        return sample(self.propensities, rng)


def plan_styles(policy: str, frame: FeatureFrame, *, ranker: Scorer | None, exploration: Exploration) -> Plan:
    """The plan of a policy for the requests of a frame, which holds all candidates of each.

    Args:
        ranker: the champion; None while there is none, then `personal` shows what is popular.
    Raises:
        ValueError: no policy of that name.
    """
    match policy:
        case "personal":
            return _personal(frame, ranker, exploration)
        case "popular":
            scores = _by_request(Popularity(), frame)
            return _explored(policy, frame, scores, exploration, exploration.popular_temperature)
        case "original":
            certain = np.ones((frame.n_requests, 1))
            return Plan(policy, (ORIGINAL,), certain - 1, certain, (NO_MODEL,) * frame.n_requests)
        case "random":
            even = np.full((frame.n_requests, frame.n_candidates), 1 / frame.n_candidates)
            return Plan(policy, frame.style_ids, np.zeros_like(even), even, (NO_MODEL,) * frame.n_requests)
    raise ValueError(f"no policy {policy!r}; there are {', '.join(POLICIES)}")


def _personal(frame: FeatureFrame, ranker: Scorer | None, exploration: Exploration) -> Plan:
    """The ranker for users with history, popularity for new users."""
    popularity = Popularity()
    if ranker is None:
        scores = _by_request(popularity, frame)
        versions = (popularity.model_version,) * frame.n_requests
    else:
        known = frame.has_history
        scores = np.empty((frame.n_requests, frame.n_candidates))
        scores[known] = _by_request(ranker, frame.take(known))
        scores[~known] = _by_request(popularity, frame.take(~known))
        versions = tuple(np.where(known, ranker.model_version, popularity.model_version).tolist())
    temperature = exploration.personal_temperature(frame.evidence)
    return _explored("personal", frame, scores, exploration, temperature, versions)


def _explored(
    policy: str,
    frame: FeatureFrame,
    scores: Floats,
    exploration: Exploration,
    temperature: Floats | float,
    versions: tuple[str, ...] | None = None,
) -> Plan:
    chances = propensities(scores, floor=exploration.floor, temperature=temperature)
    versions = versions or (Popularity.model_version,) * frame.n_requests
    return Plan(policy, frame.style_ids, scores, chances, versions)


def _by_request(scorer: Scorer, frame: FeatureFrame) -> Floats:
    shape = (frame.n_requests, frame.n_candidates)
    return scorer.score(frame).reshape(shape) if frame.n_requests else np.empty(shape)
