"""Shoppers who do not exist, with tastes that only the world knows.

Openly simulated: they stand in for real shoppers in the demo and in tests, where the truth must be
known. Everything that decides, stores and learns sees only what a shop would see.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from personalize.data.records import (
    CatalogueProduct,
    ClickEvent,
    Event,
    PageRequest,
    PurchaseEvent,
    ShownStyle,
    StyleOnOffer,
)
from personalize.data.schema import ORIGINAL
from personalize.features.runs import Floats, Ints

SHARED_TASTE = 0.63
OWN_TASTE = 0.77
"""Weights of what a shopper shares with others and what is the shopper's alone; squares sum to 1."""


ORIGINAL_TASTE = 0.5
"""How much shoppers differ about the plain photo, against a style."""


@dataclass(frozen=True, slots=True)
class WorldShape:
    """How large the world is and how much in it varies; spreads are standard deviations in log odds.

    base_rate: click-through of styles drawn at random, at the top of the page.
    taste_spread: how much shoppers differ in liking the same style. 0 is the null world.
    look_share: correlation of what shoppers see in a style with its content vector.
    original_appeal: of the unstyled photo, above the average style.
    position_decay: the chance that position i is looked at is (1 + i) ** -position_decay.
    visits_per_day: of the average shopper; a few visit often, most rarely (`activity_exponent`).
    """

    n_shoppers: int = 750
    base_rate: float = 0.055
    style_spread: float = 0.2
    category_spread: float = 0.3
    category_style_spread: float = 0.2
    product_spread: float = 0.2
    taste_spread: float = 1.0
    n_kinds_of_taste: int = 3
    look_share: float = 0.8
    original_appeal: float = 0.35
    position_decay: float = 0.15
    visits_per_day: float = 2.0
    activity_exponent: float = 0.5
    page_size: int = 8
    purchase_rate: float = 0.12
    currency: str = "EUR"


class World:
    """Simulated shoppers, the styles they like and the pages they visit.

    The log odds that shopper u clicks style s of product p, once looked at, are
        b + style_s + category_c + pair_cs + product_p
          + taste_spread * (0.63 * shared_u + 0.77 * own_u) . look_s
    where look_s is the style's content vector blurred by what cameras do not see, `shared_u` lies in a
    few directions common to all shoppers and `own_u` in none. The intercept b makes the average over
    shoppers, products and styles `base_rate`.

    The same seed, styles, products and shape give the same shoppers; the events of a day depend on
    that day alone, so that a run can be continued.

    Args:
        styles: the styles on offer; `original` may be among them, and is known in any case.
        products: the catalogue; prices are made up.
    Raises:
        ValueError: no styles or no products.
    """

    def __init__(
        self,
        seed: int,
        styles: Sequence[StyleOnOffer],
        products: Sequence[CatalogueProduct],
        shape: WorldShape | None = None,
    ) -> None:
        candidates = [style for style in styles if style.style_id != ORIGINAL]
        if not candidates or not products:
            raise ValueError(f"a world needs styles and products, got {len(candidates)} and {len(products)}")
        self.seed = seed
        self.shape = shape or WorldShape()
        self.products = tuple(products)
        self.style_ids = (*(style.style_id for style in candidates), ORIGINAL)
        self.shoppers = tuple(f"shopper-{number:04d}" for number in range(1, self.shape.n_shoppers + 1))
        self._style_index = {name: index for index, name in enumerate(self.style_ids)}
        self._product_index = {product.product_id: index for index, product in enumerate(products)}
        self._shopper_index = {name: index for index, name in enumerate(self.shoppers)}
        rng = np.random.default_rng([seed, 1])
        self._likes = self._draw_tastes(rng, _looks(rng, candidates, self.shape.look_share))
        self._appeal, self._products_of = self._draw_shop(rng)
        self._visit_rate, self._interest = self._draw_habits(rng)
        self._price = np.round(np.exp(rng.normal(3.3, 0.5, len(products))), 2)
        self._intercept = self._calibrated_intercept(rng)

    def visits(self, day: datetime) -> list[PageRequest]:
        """The pages asked for in the 24 hours from `day`, by time, each of `page_size` different products."""
        rng = np.random.default_rng([self.seed, 2, int(day.timestamp())])
        n_visits = rng.poisson(self._visit_rate)
        shopper = np.repeat(np.arange(len(self.shoppers)), n_visits)
        seconds = _daytime_seconds(rng, len(shopper))
        order = np.argsort(seconds, kind="stable")
        return [
            PageRequest(
                self.shoppers[shopper[row]],
                self._page(rng, shopper[row]),
                day + timedelta(seconds=float(seconds[row])),
                {},
            )
            for row in order
        ]

    def react(self, shown: Sequence[ShownStyle]) -> list[Event]:
        """Clicks within a minute of being shown and purchases within days, by time."""
        if not shown:
            return []
        first_us = int(shown[0].shown_at.timestamp() * 1e6)
        rng = np.random.default_rng([self.seed, 3, first_us])
        shopper, product, style, position = self._indexes(shown)
        seen = self._seen(position)
        log_odds = self._log_odds(shopper, product, style)
        clicked = np.flatnonzero(rng.random(len(shown)) < seen * _sigmoid(log_odds))
        delay = rng.uniform(2.0, 60.0, len(clicked))
        likes = self._likes[shopper[clicked], style[clicked]]
        bought = rng.random(len(clicked)) < _sigmoid(_logit(self.shape.purchase_rate) + likes)
        decided = rng.exponential(3 * 3600.0, len(clicked))
        events: list[Event] = []
        for row, after, buys, later in zip(clicked.tolist(), delay, bought, decided, strict=True):
            impression = shown[row]
            clicked_at = impression.shown_at + timedelta(seconds=float(after))
            events.append(
                ClickEvent(f"{impression.impression_id}-click", impression.impression_id, clicked_at)
            )
            if buys:
                events.append(self._purchase(impression, clicked_at + timedelta(seconds=float(later))))
        return sorted(events, key=lambda event: (event.occurred_at, event.event_id))

    def click_probability(self, shown: Sequence[ShownStyle]) -> Floats:
        """The true probability of a click on each impression, (n,)."""
        shopper, product, style, position = self._indexes(shown)
        return self._seen(position) * _sigmoid(self._log_odds(shopper, product, style))

    def choices(self, shown: Sequence[ShownStyle]) -> Floats:
        """The true probability of a click had each style been shown, (n, S + 1), the original last."""
        shopper, product, _, position = self._indexes(shown)
        styles = np.arange(len(self.style_ids))
        odds = self._log_odds(shopper[:, None], product[:, None], styles[None, :])
        return self._seen(position)[:, None] * _sigmoid(odds)

    def _draw_tastes(self, rng: np.random.Generator, looks: Floats) -> Floats:
        """(U, S + 1) log odds by which each shopper likes each style more than others do."""
        shape, width = self.shape, looks.shape[1]
        kinds = rng.normal(size=(shape.n_kinds_of_taste, width)) / np.sqrt(shape.n_kinds_of_taste)
        shared = rng.normal(size=(shape.n_shoppers, shape.n_kinds_of_taste)) @ kinds
        own = rng.normal(size=(shape.n_shoppers, width))
        likes = (SHARED_TASTE * shared + OWN_TASTE * own) @ looks.T
        original = ORIGINAL_TASTE * rng.normal(size=(shape.n_shoppers, 1))
        both: Floats = shape.taste_spread * np.hstack([likes - likes.mean(axis=0), original])
        return both

    def _draw_shop(self, rng: np.random.Generator) -> tuple[Floats, Ints]:
        """(P, S + 1) log odds of each product in each style for the average shopper; (P,) category codes."""
        shape = self.shape
        names = sorted({product.category for product in self.products})
        category = np.array([names.index(product.category) for product in self.products])
        style = np.append(_spread(rng, len(self.style_ids) - 1, shape.style_spread), shape.original_appeal)
        pair = rng.normal(size=(len(names), len(self.style_ids))) * shape.category_style_spread
        appeal = style + pair[category] + _spread(rng, len(names), shape.category_spread)[category, None]
        return appeal + rng.normal(size=(len(category), 1)) * shape.product_spread, category

    def _draw_habits(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """(U,) visits a day, and (U, P) how likely each product is on a shopper's page."""
        shape = self.shape
        activity = (np.arange(shape.n_shoppers) + 10.0) ** -shape.activity_exponent
        rng.shuffle(activity)
        interest = rng.gamma(2.0, size=(shape.n_shoppers, int(self._products_of.max()) + 1))
        weights = interest[:, self._products_of]
        return activity / activity.mean() * shape.visits_per_day, weights / weights.sum(axis=1, keepdims=True)

    def _calibrated_intercept(self, rng: np.random.Generator) -> float:
        """b, by bisection: the mean click rate over shoppers, products and styles is the base rate."""
        shopper = rng.integers(len(self.shoppers), size=20_000)
        product = rng.integers(len(self.products), size=20_000)
        style = rng.integers(len(self.style_ids) - 1, size=20_000)
        odds = self._appeal[product, style] + self._likes[shopper, style]
        low, high = -20.0, 20.0
        for _ in range(50):
            middle = (low + high) / 2
            is_low = _sigmoid(odds + middle).mean() < self.shape.base_rate
            low, high = (middle, high) if is_low else (low, middle)
        return middle

    def _page(self, rng: np.random.Generator, shopper: int) -> tuple[str, ...]:
        size = min(self.shape.page_size, len(self.products))
        keys = np.log(rng.random(len(self.products))) / self._interest[shopper]
        return tuple(self.products[index].product_id for index in np.argsort(-keys)[:size])

    def _indexes(self, shown: Sequence[ShownStyle]) -> tuple[Ints, Ints, Ints, Ints]:
        return (
            np.array([self._shopper_index[one.user_id] for one in shown], dtype=np.int64),
            np.array([self._product_index[one.product_id] for one in shown], dtype=np.int64),
            np.array([self._style_index[one.style_id] for one in shown], dtype=np.int64),
            np.array([one.position for one in shown], dtype=np.int64),
        )

    def _log_odds(self, shopper: Ints, product: Ints, style: Ints) -> Floats:
        odds: Floats = self._intercept + self._appeal[product, style] + self._likes[shopper, style]
        return odds

    def _seen(self, position: Ints) -> Floats:
        return ((1.0 + position) ** -self.shape.position_decay).astype(np.float64)

    def _purchase(self, impression: ShownStyle, at: datetime) -> PurchaseEvent:
        price = self._price[self._product_index[impression.product_id]]
        return PurchaseEvent(
            f"{impression.impression_id}-purchase",
            impression.impression_id,
            at,
            Decimal(str(price)),
            self.shape.currency,
        )


def batches(
    visits: Sequence[PageRequest], span: timedelta = timedelta(hours=3)
) -> Iterator[list[PageRequest]]:
    """Visits cut into batches no longer than `span`, never with the same shopper twice.

    A shopper's second visit thus finds the first one's clicks, as it would in a shop.
    """
    batch: list[PageRequest] = []
    shoppers: set[str] = set()
    for visit in visits:
        if batch and (visit.user_id in shoppers or visit.now - batch[0].now > span):
            yield batch
            batch, shoppers = [], set()
        batch.append(visit)
        shoppers.add(visit.user_id)
    if batch:
        yield batch


def _looks(rng: np.random.Generator, styles: Sequence[StyleOnOffer], look_share: float) -> Floats:
    """(S, d) what shoppers see in each style, of length 1: its content vector, blurred by something else."""
    vectors = np.array([style.content_vector for style in styles], dtype=np.float64).reshape(len(styles), -1)
    blur = rng.normal(size=(len(styles), max(vectors.shape[1], 8)))
    seen = np.zeros_like(blur)
    seen[:, : vectors.shape[1]] = vectors - vectors.mean(axis=0)
    return _of_length_1(look_share * _of_length_1(seen) + np.sqrt(1 - look_share**2) * _of_length_1(blur))


def _of_length_1(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = vectors / np.maximum(lengths, 1e-9)
    return scaled


def _spread(rng: np.random.Generator, size: int, spread: float) -> Floats:
    """Normal draws with mean 0 and just this spread, so that worlds differ in order, not in difficulty."""
    draws = rng.normal(size=size)
    scale = draws.std()
    return ((draws - draws.mean()) / scale * spread).astype(np.float64) if scale > 1e-9 else np.zeros(size)


def _daytime_seconds(rng: np.random.Generator, size: int) -> Floats:
    """Seconds after midnight: two humps, at noon and in the evening."""
    evening = rng.random(size) < 0.6
    hours = np.where(evening, rng.normal(20.0, 2.0, size), rng.normal(12.5, 2.5, size))
    return (np.mod(hours, 24.0) * 3600.0).astype(np.float64)


def _sigmoid(log_odds: Floats) -> Floats:
    return (1 / (1 + np.exp(-log_odds))).astype(np.float64)


def _logit(rate: float) -> float:
    return float(np.log(rate / (1 - rate)))
