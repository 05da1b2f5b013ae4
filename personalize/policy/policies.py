"""The policies that an experiment can name, and what each would show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize.data.schema import ORIGINAL
from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats
from personalize.models.believer import Believer
from personalize.models.popularity import Popularity
from personalize.models.scorer import Scorer
from personalize.policy.exploration import Exploration, Mask, even, greedy, propensities, sample

POLICIES = ("personal", "popularity", "epsilon-greedy", "random", "original", "blend")
FIXED = "fixed:"
"""Prefix of a policy that shows one style to everybody: `fixed:starry_night`."""

SAME_AS = {"popular": "popularity"}
NO_MODEL = "none"
N_BLENDED = 2
BLEND_TEMPERATURE = 0.5


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

    def draw(self, rng: np.random.Generator, requests: Sequence[int] | None = None) -> NDArray[np.intp]:
        """One style per request, as indexes of `style_ids`; or for each of these, of which any may recur."""
        return sample(self.propensities if requests is None else self.propensities[requests], rng)


def is_policy(name: str) -> bool:
    """Whether an experiment may name it.

    >>> is_policy("personal"), is_policy("fixed:udnie"), is_policy("psychic")
    (True, True, False)
    """
    return SAME_AS.get(name, name) in POLICIES or (name.startswith(FIXED) and len(name) > len(FIXED))


def plan_styles(
    policy: str,
    frame: FeatureFrame,
    *,
    ranker: Scorer | None,
    exploration: Exploration,
    allowed: Mask | None = None,
) -> Plan:
    """The plan of a policy for the requests of a frame, which holds all candidates of each.

    Args:
        ranker: the champion; None while there is none, then the online layer scores by itself.
        allowed: (N, K + 1), which candidates a request may be shown, the unstyled original last; None
            allows every style but not the original. A row that allows nothing is shown the original.
    Raises:
        ValueError: no policy of that name, or `fixed:` names no candidate.
    """
    wanted = SAME_AS.get(policy, policy)
    scorer: Scorer = Popularity() if wanted == "popularity" else ranker or Believer()
    style_ids, scores, spread = _scored(scorer, frame)
    allowed = _allowed(frame, allowed)
    versions = (scorer.model_version,) * frame.n_requests
    match wanted:
        case "personal" | "blend":
            chances = propensities(
                exploration.hopeful(scores, spread),
                floor=exploration.floor,
                temperature=exploration.temperature,
                allowed=allowed,
                promised=exploration.promised(frame.is_new, allowed),
            )
        case "popularity":
            temperature = exploration.popular_temperature
            chances = propensities(scores, floor=exploration.floor, temperature=temperature, allowed=allowed)
        case "epsilon-greedy":
            chances = greedy(scores, epsilon=exploration.epsilon, allowed=allowed)
        case "random":
            return Plan(policy, style_ids, 0 * scores, even(allowed), (NO_MODEL,) * frame.n_requests)
        case _:
            return _certain(policy, wanted, style_ids, frame.n_requests)
    return Plan(policy, style_ids, scores, chances, versions)


def blend_weights(plan: Plan, request: int, chosen: int) -> dict[str, float]:
    """Style weights of a blend led by the chosen style: it and the best of the others, by their scores.

    The weights are a softmax of the scores of the two, so a style that is liked as much as the first
    takes half of the picture and one that is liked less takes less. The original is not blended.
    """
    leader = plan.style_ids[chosen]
    if leader == ORIGINAL:
        return {}
    scores, chances = plan.scores[request], plan.propensities[request]
    others = [
        k for k, name in enumerate(plan.style_ids) if k != chosen and name != ORIGINAL and chances[k] > 0
    ]
    members = [chosen, *sorted(others, key=lambda k: (-scores[k], plan.style_ids[k]))[: N_BLENDED - 1]]
    strength = np.exp((scores[members] - scores[members].max()) / BLEND_TEMPERATURE)
    return {plan.style_ids[k]: float(w) for k, w in zip(members, strength / strength.sum(), strict=True)}


def _scored(scorer: Scorer, frame: FeatureFrame) -> tuple[tuple[str, ...], Floats, Floats]:
    """Style ids with the original last; scores and spread of each, (N, K + 1)."""
    shape = (frame.n_requests, frame.n_candidates)
    scores = scorer.score(frame).reshape(shape) if frame.n_requests else np.empty(shape)
    spread = frame.column("belief_spread").astype(np.float64).reshape(shape)
    original = frame.original_belief[:, None]
    return (*frame.style_ids, ORIGINAL), np.hstack([scores, original]), np.hstack([spread, 0 * original])


def _allowed(frame: FeatureFrame, allowed: Mask | None) -> Mask:
    if allowed is None:
        allowed = np.ones((frame.n_requests, frame.n_candidates + 1), dtype=np.bool_)
        allowed[:, -1] = False
    nothing = ~allowed.any(axis=1)
    if nothing.any():
        allowed = allowed.copy()
        allowed[nothing, -1] = True
    return allowed


def _certain(policy: str, wanted: str, style_ids: tuple[str, ...], n_requests: int) -> Plan:
    """One style for everybody."""
    style_id = wanted.removeprefix(FIXED) if wanted.startswith(FIXED) else wanted
    if not is_policy(policy) or style_id not in style_ids:
        known = f"{', '.join(POLICIES)} and {FIXED}STYLE with one of {', '.join(style_ids)}"
        raise ValueError(f"no policy {policy!r}; there are {known}")
    certain = np.ones((n_requests, 1))
    return Plan(policy, (style_id,), certain - 1, certain, (NO_MODEL,) * n_requests)
