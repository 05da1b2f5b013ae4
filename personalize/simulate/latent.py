"""Worlds of which the truth is known, at the speed of arrays: what policies are measured in."""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import Floats, Ints

SHARED, OWN = 0.63, 0.77
"""Weights of what a shopper's observed traits tell of the taste and what only behaviour tells."""

CALIBRATION_DRAWS = 8000


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """A world in numbers; spreads are standard deviations in log odds.

    n_late: styles launched half way. taste: how much shoppers differ in liking the same style.
    taste_kind: `linear` in the styles' looks; `tree`, steps in both; `clusters`, six kinds of shopper with
        likings that the looks do not tell. trait_noise, look_noise: blur of what is observed; with
        tells_traits=False nothing is observed of a shopper, with looks_tell=False content vectors are noise.
    drift: share of a taste that is replaced over the whole time. shock: spread of the daily swing of the
        base rate, and of a season that moves styles. position_decay: position i is looked at with chance
        (1 + i) ** -position_decay on pages of `page_size`. bots: share of visits by shoppers who click
        `BOT_RATE` of everything.
    click_delay: impressions after which a click is known, exponential with that mean if `is_slow`.
    """

    name: str
    base_rate: float = 0.03
    n_shoppers: int = 2000
    n_styles: int = 32
    n_late: int = 4
    n_categories: int = 8
    width: int = 8
    n_impressions: int = 200_000
    days: int = 28
    taste: float = 0.55
    taste_kind: str = "linear"
    popularity: float = 0.25
    category: float = 0.25
    noise: float = 0.05
    trait_noise: float = 0.6
    look_noise: float = 0.3
    tells_traits: bool = True
    looks_tell: bool = True
    activity: float = 0.8
    drift: float = 0.0
    shock: float = 0.0
    position_decay: float = 0.0
    page_size: int = 1
    bots: float = 0.0
    click_delay: int = 500
    is_slow: bool = False
    purchase_rate: float = 0.15


_PLAIN = WorldSpec("plain")

WORLDS: dict[str, WorldSpec] = {
    spec.name: spec
    for spec in (
        _PLAIN,
        replace(_PLAIN, name="rare", base_rate=0.005),
        replace(_PLAIN, name="behaviour-only", tells_traits=False),
        replace(_PLAIN, name="tree", taste_kind="tree"),
        replace(_PLAIN, name="clusters", taste_kind="clusters"),
        replace(_PLAIN, name="useless-looks", looks_tell=False),
        replace(_PLAIN, name="drift", drift=1.0),
        replace(_PLAIN, name="shocks", shock=0.4),
        replace(_PLAIN, name="position", position_decay=0.5, page_size=8),
        replace(_PLAIN, name="late-clicks", click_delay=5000, is_slow=True),
        replace(_PLAIN, name="bots", bots=0.2),
        replace(_PLAIN, name="alike", taste=0.0, noise=0.0),
        replace(_PLAIN, name="null", taste=0.0, noise=0.0, popularity=0.0, category=0.0),
    )
}
"""By name. `alike` has shoppers who differ in nothing but styles that do; in `null` nothing matters."""

BOT_RATE = 0.4
N_CLUSTERS = 6
N_STEPS = 6
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Visits:
    """n impressions to decide at once, of one moment: (n,) codes and positions, traits (n, Z)."""

    shoppers: Ints
    categories: Ints
    positions: Ints
    traits: Floats
    at_us: Ints

    def __len__(self) -> int:
        return len(self.shoppers)


class LatentWorld:
    """Shoppers whose tastes show in their clicks alone.

        logit p = b + popularity_s + taste * t_u . look_s / sqrt(d) + category_c . look_s / sqrt(d) + noise_us
        t_u = 0.63 G traits_u + 0.77 own_u

    Traits and looks are observed with noise, `own` never. The same spec and seed give the same shoppers
    and the same visits, whatever is shown to them.

    Source: the simulator of LinUCB-like studies (Li et al., arXiv:1003.0146) with a hidden part of taste.
    """

    def __init__(self, spec: WorldSpec, seed: int) -> None:
        self.spec = spec
        rng = np.random.default_rng([seed, 7])
        shape = (spec.n_shoppers, spec.width)
        looks = rng.normal(size=(spec.n_styles, spec.width))
        traits, own = rng.normal(size=shape), rng.normal(size=shape)
        mix = rng.normal(size=(spec.width, spec.width)) / np.sqrt(spec.width)
        self._taste = SHARED * traits @ mix.T + OWN * own
        self._later_taste = SHARED * traits @ mix.T + OWN * rng.normal(size=shape)
        observed = looks + spec.look_noise * rng.normal(size=looks.shape)
        self.looks = observed if spec.looks_tell else rng.normal(size=looks.shape)
        width = spec.width if spec.tells_traits else 0
        self.traits = (traits + spec.trait_noise * rng.normal(size=shape))[:, :width]
        self._like = _Liking(spec, looks, rng)
        self._popularity = spec.popularity * rng.normal(size=spec.n_styles)
        kinds = rng.normal(size=(spec.n_categories, spec.width))
        self._of_category = spec.category * kinds @ looks.T / np.sqrt(spec.width)
        self._noise = spec.noise * rng.normal(size=(spec.n_shoppers, spec.n_styles))
        self._season = spec.shock * rng.normal(size=spec.n_styles)
        self._swing = spec.shock * rng.normal(size=spec.days + 1)
        self._activity = _activity(spec, rng)
        self.is_bot = np.zeros(spec.n_shoppers, dtype=np.bool_)
        if spec.bots:
            self._plant_bots(rng)
        self._visiting, self._reacting = (np.random.default_rng([seed, stream]) for stream in (8, 10))
        self._base = self._calibrated(rng)

    @property
    def us_per_impression(self) -> float:
        """Time that passes between two impressions, in microseconds."""
        return self.spec.days * (_DAY / timedelta(microseconds=1)) / self.spec.n_impressions

    def visits(self, done: int, size: int) -> Visits:
        """About `size` impressions after `done`, whole pages."""
        spec = self.spec
        pages = max(size // spec.page_size, 1)
        shoppers = np.repeat(self._visiting.choice(spec.n_shoppers, pages, p=self._activity), spec.page_size)
        categories = self._visiting.integers(spec.n_categories, size=len(shoppers))
        positions = np.tile(np.arange(spec.page_size), pages)
        at_us = np.full(len(shoppers), int(done * self.us_per_impression))
        return Visits(shoppers, categories, positions, self.traits[shoppers], at_us)

    def available(self, done: int) -> NDArray[np.bool_]:
        """(S,) styles on offer; the last `n_late` only from half time on."""
        spec = self.spec
        offered = np.ones(spec.n_styles, dtype=np.bool_)
        offered[spec.n_styles - spec.n_late :] = done >= spec.n_impressions / 2
        return offered

    def chances(self, visits: Visits, done: int) -> Floats:
        """The true probability of a click had each style been shown, (n, S)."""
        odds = self._base + self._log_odds(visits.shoppers, visits.categories, done)
        odds += self._swing[int(done / self.spec.n_impressions * self.spec.days)]
        seen = (1.0 + visits.positions) ** -self.spec.position_decay
        chances: Floats = seen[:, None] / (1 + np.exp(-odds))
        chances[self.is_bot[visits.shoppers]] = BOT_RATE
        return chances

    def felt(self, chances: Floats, styles: Ints, weights: Floats | None) -> Floats:
        """The chances, (n, S), as they are when each style is shown mixed with others.

        A mix is clicked at the weighted geometric mean of what is mixed: where clicks are rare, that is a
        shopper who likes a mix of looks as much as their mean. So a mix of a shopper's best style and
        another is worse than the best, and better than a wrong guess.

        Args:
            weights: (n, S), rows summing to 1; None where styles are shown alone.
        """
        if weights is None:
            return chances
        felt = chances.copy()
        felt[np.arange(len(styles)), styles] = np.exp((weights * np.log(chances)).sum(axis=1))
        return felt

    def clicks(self, chances: Floats, styles: Ints) -> tuple[NDArray[np.bool_], Ints]:
        """Which impressions are clicked, and after how many further ones that is known, (n,) each."""
        clicked = self._reacting.random(len(styles)) < chances[np.arange(len(styles)), styles]
        delay = np.full(len(styles), self.spec.click_delay)
        if self.spec.is_slow:
            delay = self._reacting.exponential(self.spec.click_delay, len(styles)).astype(np.int64)
        return clicked, delay

    def purchases(self, n_clicks: int) -> NDArray[np.bool_]:
        """Which of the clicks lead to a purchase."""
        bought: NDArray[np.bool_] = self._reacting.random(n_clicks) < self.spec.purchase_rate
        return bought

    def _log_odds(self, shoppers: Ints, categories: Ints, done: int) -> Floats:
        progress = done / self.spec.n_impressions
        taste = self._taste[shoppers]
        if self.spec.drift:
            share = self.spec.drift * progress
            later = self._later_taste[shoppers]
            taste = np.sqrt(1 - share) * taste + np.sqrt(share) * later
        odds = self._like.of(shoppers, taste) + self._popularity + self._of_category[categories]
        season: Floats = np.sin(4 * np.pi * progress) * self._season
        total: Floats = odds + self._noise[shoppers] + season
        return total

    def _plant_bots(self, rng: np.random.Generator) -> None:
        """A few shoppers of whom each visits as often as fits `bots` in all."""
        bots = rng.choice(self.spec.n_shoppers, self.spec.n_shoppers // 100, replace=False)
        self.is_bot[bots] = True
        self._activity[bots] = 0.0
        self._activity *= (1 - self.spec.bots) / self._activity.sum()
        self._activity[bots] = self.spec.bots / len(bots)

    def _calibrated(self, rng: np.random.Generator) -> float:
        """b, by bisection: styles drawn at random are clicked at the base rate."""
        shoppers = rng.choice(self.spec.n_shoppers, CALIBRATION_DRAWS, p=self._activity)
        categories = rng.integers(self.spec.n_categories, size=CALIBRATION_DRAWS)
        odds = self._log_odds(shoppers, categories, 0)[~self.is_bot[shoppers]]
        low, high = -20.0, 20.0
        for _ in range(50):
            middle = (low + high) / 2
            is_low = (1 / (1 + np.exp(-odds - middle))).mean() < self.spec.base_rate
            low, high = (middle, high) if is_low else (low, middle)
        return middle


class _Liking:
    """How much each shopper likes each style more than others do, by kind of world."""

    def __init__(self, spec: WorldSpec, looks: Floats, rng: np.random.Generator) -> None:
        self._spec, self._looks = spec, looks
        self._cluster = rng.integers(N_CLUSTERS, size=spec.n_shoppers)
        self._of_cluster = rng.normal(size=(N_CLUSTERS, spec.n_styles))
        self._steps = rng.integers(spec.width, size=(N_STEPS, 4))
        self._heights = rng.normal(size=N_STEPS)

    def of(self, shoppers: Ints, taste: Floats) -> Floats:
        """(n, S) log odds with a spread of about `spec.taste`."""
        if self._spec.taste_kind == "clusters":
            clustered: Floats = self._spec.taste * self._of_cluster[self._cluster[shoppers]]
            return clustered
        if self._spec.taste_kind == "tree":
            return self._spec.taste * self._grown(taste)
        linear: Floats = self._spec.taste * taste @ self._looks.T / np.sqrt(self._spec.width)
        return linear

    def _grown(self, taste: Floats) -> Floats:
        """A sum of steps: a shopper on one side of two cuts likes styles on one side of two others."""
        grown = np.zeros((len(taste), len(self._looks)))
        for (a, b, c, f), height in zip(self._steps, self._heights, strict=True):
            first = (taste[:, a] > 0)[:, None] & (self._looks[:, c] > 0)
            second = (taste[:, b] > 0.3)[:, None] | (self._looks[:, f] > 0)
            grown += height * (first & second)
        scale: float = np.sqrt(N_STEPS) * 0.5
        return grown / scale


def _activity(spec: WorldSpec, rng: np.random.Generator) -> Floats:
    """(U,) share of visits of each shopper, a power of the rank."""
    activity = np.arange(1.0, spec.n_shoppers + 1) ** -spec.activity
    rng.shuffle(activity)
    shares: Floats = activity / activity.sum()
    return shares
