"""Policies side by side: ours as the engine serves it, and those that it has to beat."""

from typing import Protocol

import numpy as np

from personalize.data.records import StyleOnOffer
from personalize.features.beliefs import Beliefs, Scores, Views
from personalize.features.runs import Floats, Ints
from personalize.features.style import StyleSpace
from personalize.policy.exploration import Exploration, Mask, even, greedy, propensities, sample
from personalize.policy.policies import Plan, blend_weights
from personalize.simulate.latent import LatentWorld, Visits


class Contestant(Protocol):
    """What a world asks of a policy. It learns of every impression at once and of clicks when they come.

    weights: (n, S) of the styles mixed in what was chosen last; None for those that show one style alone.
    """

    weights: Floats | None

    def choose(self, visits: Visits, available: Mask, rng: np.random.Generator) -> Ints:
        """A style for each visit, (n,)."""
        ...

    def learn(self, visits: Visits, styles: Ints, clicked: Mask, at_us: int) -> None:
        """The outcome of impressions, when the click would be known."""
        ...

    def bought(self, visits: Visits, styles: Ints) -> None:
        """Purchases, which come after their clicks."""
        ...


class Online:
    """The engine's policy without a nightly ranker: `Beliefs`, optimism, a softmax and a floor.

    The floor is what the log needs; it is paid for in every figure.
    """

    weights: Floats | None = None

    def __init__(
        self,
        world: LatentWorld,
        *,
        exploration: Exploration | None = None,
        half_life_us: float,
        epsilon: float | None = None,
    ) -> None:
        styles = [StyleOnOffer(f"s{n:03d}", "", tuple(look)) for n, look in enumerate(world.looks.tolist())]
        self.beliefs = Beliefs(
            StyleSpace.of(styles).similarity, half_life_us=half_life_us, came_later=~world.available(0)
        )
        for n in range(world.spec.n_shoppers):
            self.beliefs.users.add(str(n))
        self._exploration = exploration or Exploration()
        self._epsilon = epsilon

    def choose(self, visits: Visits, available: Mask, rng: np.random.Generator) -> Ints:
        views = self.views(visits)
        scores = self.beliefs.score(views)
        chances = self.chances(scores, available)
        styles = sample(chances, rng).astype(np.int64)
        self.beliefs.show(views, scores.parts_of(styles), styles, visits.positions)
        self._mix(scores.log_odds, chances, styles)
        return styles

    def _mix(self, log_odds: Floats, chances: Floats, styles: Ints) -> None:
        """Styles are shown alone."""

    def chances(self, scores: Scores, available: Mask) -> Floats:
        """Propensities of every style, (n, S), by the functions that serve."""
        allowed = np.broadcast_to(available, scores.spread.shape)
        if self._epsilon is not None:
            return greedy(scores.log_odds, epsilon=self._epsilon, allowed=allowed)
        explore = self._exploration
        return propensities(
            explore.hopeful(scores.log_odds, scores.spread),
            floor=explore.floor,
            temperature=explore.temperature,
            allowed=allowed,
            promised=explore.promised(scores.is_new, allowed),
        )

    def learn(self, visits: Visits, styles: Ints, clicked: Mask, at_us: int) -> None:
        rows = np.flatnonzero(clicked)
        if len(rows):
            moments = np.full(len(rows), at_us)
            views = self.views(visits).take(rows)
            self.beliefs.click(views, styles[rows], visits.positions[rows], moments)

    def bought(self, visits: Visits, styles: Ints) -> None:
        self.beliefs.purchase(self.views(visits), styles)

    def views(self, visits: Visits) -> Views:
        width = visits.traits.shape[1]
        groups = np.tile(np.arange(width), (len(visits), 1))
        return Views(visits.shoppers, visits.categories, groups, visits.traits, visits.at_us)


class Blend(Online):
    """The policy `blend`: the style drawn, mixed with the best of the others, weighed by their scores.

    It learns as the engine does, of the style that leads.
    """

    def _mix(self, log_odds: Floats, chances: Floats, styles: Ints) -> None:
        index = {f"s{n:03d}": n for n in range(chances.shape[1])}
        plan = Plan("blend", tuple(index), log_odds, chances, ("online",) * len(styles))
        self.weights = np.zeros_like(chances)
        for row, style in enumerate(styles.tolist()):
            for name, weight in blend_weights(plan, row, style).items():
                self.weights[row, index[name]] = weight


class Popularity:
    """The style that is clicked most, as of now."""

    weights: Floats | None = None

    def __init__(self, world: LatentWorld) -> None:
        self._shown = np.full(world.spec.n_styles, 1 / world.spec.base_rate)
        self._clicks = np.ones(world.spec.n_styles)

    def choose(self, visits: Visits, available: Mask, rng: np.random.Generator) -> Ints:
        rate = np.where(available, self._clicks / self._shown, -1.0)
        return np.full(len(visits), int(rate.argmax()))

    def learn(self, visits: Visits, styles: Ints, clicked: Mask, at_us: int) -> None:
        np.add.at(self._shown, styles, 1.0)
        np.add.at(self._clicks, styles, clicked)

    def bought(self, visits: Visits, styles: Ints) -> None:
        """It looks at clicks alone."""


class BetaThompson(Popularity):
    """Thompson sampling of each style's click-through, from a beta posterior."""

    def choose(self, visits: Visits, available: Mask, rng: np.random.Generator) -> Ints:
        size = (len(visits), len(self._shown))
        drawn = rng.beta(self._clicks, np.maximum(self._shown - self._clicks, 1.0), size=size)
        best: Ints = np.where(available, drawn, -1.0).argmax(axis=1)
        return best


class LinUcb:
    """Disjoint LinUCB: ridge regression of clicks per style on category and traits, plus a bound.

    Source: Li, Chu, Langford and Schapire, arXiv:1003.0146, algorithm 1; alpha chosen in these worlds.
    """

    weights: Floats | None = None

    def __init__(self, world: LatentWorld, *, alpha: float = 0.1) -> None:
        self._n_categories = world.spec.n_categories
        width = 1 + self._n_categories + world.traits.shape[1]
        self._precision = np.repeat(np.eye(width)[None], world.spec.n_styles, axis=0)
        self._sums = np.zeros((world.spec.n_styles, width))
        self._alpha = alpha
        self._solve()

    def choose(self, visits: Visits, available: Mask, rng: np.random.Generator) -> Ints:
        x = self._features(visits)
        mean = x @ self._weights.T
        bound = np.sqrt(np.einsum("nd,sde,ne->ns", x, self._covariance, x, optimize=True))
        best: Ints = np.where(available, mean + self._alpha * bound, -np.inf).argmax(axis=1)
        return best

    def learn(self, visits: Visits, styles: Ints, clicked: Mask, at_us: int) -> None:
        x = self._features(visits)
        for style in np.unique(styles):
            mine = x[styles == style]
            self._precision[style] += mine.T @ mine
            self._sums[style] += mine.T @ clicked[styles == style]
        self._solve()

    def bought(self, visits: Visits, styles: Ints) -> None:
        """It looks at clicks alone."""

    def _features(self, visits: Visits) -> Floats:
        ones, kinds = np.ones((len(visits), 1)), np.eye(self._n_categories)[visits.categories]
        features: Floats = np.hstack([ones, kinds, visits.traits])
        return features

    def _solve(self) -> None:
        self._covariance = np.linalg.inv(self._precision)
        self._weights = np.einsum("sde,se->sd", self._covariance, self._sums)


class Random:
    """Every style alike."""

    weights: Floats | None = None

    def choose(self, visits: Visits, available: Mask, rng: np.random.Generator) -> Ints:
        allowed = np.broadcast_to(available, (len(visits), len(available)))
        return sample(even(allowed), rng).astype(np.int64)

    def learn(self, visits: Visits, styles: Ints, clicked: Mask, at_us: int) -> None:
        """Nothing to learn."""

    def bought(self, visits: Visits, styles: Ints) -> None:
        """Nothing to learn."""


NAMES = ("personal", "blend", "epsilon-greedy", "linucb", "beta-thompson", "popularity", "random")
HALF_LIFE_US = 30 * 86_400_000_000.0


def contestant(name: str, world: LatentWorld, *, half_life_us: float = HALF_LIFE_US) -> Contestant:
    """The policy of that name, new to this world.

    Raises:
        ValueError: no policy of that name.
    """
    match name:
        case "personal":
            return Online(world, half_life_us=half_life_us)
        case "blend":
            return Blend(world, half_life_us=half_life_us)
        case "epsilon-greedy":
            return Online(world, half_life_us=half_life_us, epsilon=0.1)
        case "linucb":
            return LinUcb(world)
        case "beta-thompson":
            return BetaThompson(world)
        case "popularity":
            return Popularity(world)
        case "random":
            return Random()
    raise ValueError(f"no policy {name!r} to simulate; there are {', '.join(NAMES)}")
