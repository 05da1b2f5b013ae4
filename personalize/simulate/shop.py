"""A shop in memory: simulated shoppers, policies side by side, a retraining every night; no database.

It decides, learns and judges with the very functions that the engine uses, so hyper-parameters chosen
here hold there.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from personalize.data.records import ClickEvent, Event, PageRequest, ShownStyle, StyleOnOffer
from personalize.features import Memory, Requests, StyleSpace
from personalize.features.runs import Floats
from personalize.models.boosting import BoostingSettings
from personalize.policy import Exploration, plan_styles
from personalize.retrain.challenge import Challenge, Champion, challenge
from personalize.retrain.training import read_examples
from personalize.simulate.worlds import World, batches

if TYPE_CHECKING:
    import pandas as pd

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """How the shop is run; each user is served by one of `policies` for good, in equal shares."""

    policies: tuple[str, ...] = ("original", "popular", "personal")
    exploration: Exploration = field(default_factory=Exploration)
    boosting: BoostingSettings = field(default_factory=BoostingSettings)
    half_life: timedelta = timedelta(days=14)
    attribution_window: timedelta = timedelta(days=1)
    holdout_days: int = 1


@dataclass(frozen=True, slots=True)
class Truth:
    """What the world knows of an impression: the chance of a click as shown, at random, and at best."""

    shown: float
    random: float
    best: float


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """One policy's impressions and clicks, and what the world would have given it.

    capture: the share of what the best styles would have gained over random ones; exact but for the
        draws of the policy, because it is made of true probabilities.
    """

    users: int
    impressions: int
    clicks: int
    expected_rate: float
    random_rate: float
    best_rate: float

    @property
    def click_rate(self) -> float:
        return self.clicks / self.impressions

    @property
    def capture(self) -> float:
        return (self.expected_rate - self.random_rate) / (self.best_rate - self.random_rate)


class Shop:
    """Runs a world for some days.

    Args:
        styles: on offer, as the world was made with.
        seed: of the policies' draws, the users' variants and the training.
    Attributes:
        shown, events: everything that was shown and done so far.
        nights: what came of each retraining; champion: the ranker that serves.
    """

    def __init__(
        self, world: World, styles: Sequence[StyleOnOffer], settings: ShopSettings, *, seed: int
    ) -> None:
        self.world = world
        self.settings = settings
        self.nights: list[Challenge] = []
        self.champion: Champion | None = None
        self._seed = seed
        self._space = StyleSpace.of(styles)
        self._rng = np.random.default_rng([seed, 11])
        self._policy_of = self._assigned()
        self._categories = {product.product_id: product.category for product in world.products}
        self._memory = Memory.empty(
            self._space, half_life=settings.half_life, attribution_window=settings.attribution_window
        )
        self.shown: list[ShownStyle] = []
        self._truth: list[Truth] = []
        self.events: list[Event] = []
        self._unseen: list[Event] = []

    def run(self, days: int, *, retrains: bool = True) -> None:
        """Live through the next days, retraining after each but the last."""
        past = len(self.nights)
        for day in range(past, past + days):
            morning = FIRST_DAY + timedelta(days=day)
            for batch in batches(self.world.visits(morning)):
                self._serve(batch)
            if retrains and day + 1 < past + days:
                self._retrain(as_of=morning + timedelta(days=1))

    def results(self, *, since: datetime = FIRST_DAY) -> dict[str, PolicyResult]:
        """What each policy got from `since` on."""
        clicked = {event.impression_id for event in self.events if isinstance(event, ClickEvent)}
        return {
            policy: self._result(policy, clicked, since) for policy in dict.fromkeys(self.settings.policies)
        }

    def clicks_by_user(self, policy: str) -> tuple[Floats, Floats]:
        """Clicks and impressions of each of a policy's users, (n,) each, for a test of the difference."""
        clicked = {event.impression_id for event in self.events if isinstance(event, ClickEvent)}
        shown = [one for one in self.shown if one.policy == policy]
        impressions = Counter(one.user_id for one in shown)
        clicks = Counter(one.user_id for one in shown if one.impression_id in clicked)
        return (
            np.array([clicks[user] for user in impressions], dtype=np.float64),
            np.array(list(impressions.values()), dtype=np.float64),
        )

    def log(self, *, as_of: datetime) -> "pd.DataFrame":
        """The log as `read_log` gives it, with what happened before `as_of`."""
        import pandas as pd

        first: dict[type[Event], dict[str, datetime]] = {}
        for event in self.events:
            if event.occurred_at < as_of:
                first.setdefault(type(event), {}).setdefault(event.impression_id, event.occurred_at)
        shown = [one for one in self.shown if one.shown_at < as_of]
        names = ShownStyle.__dataclass_fields__
        log = pd.DataFrame({name: [getattr(one, name) for one in shown] for name in names})
        log["category"] = log["product_id"].map(self._categories)
        log["shown_at"] = log["shown_at"].astype("datetime64[us, UTC]")
        for kind, column in zip(Event.__args__, ("clicked_at", "purchased_at"), strict=True):
            moments = log["impression_id"].map(first.get(kind, {}))
            log[column] = pd.to_datetime(moments, utc=True).astype("datetime64[us, UTC]")
        return log.sort_values(["shown_at", "impression_id"], ignore_index=True)

    def _assigned(self) -> dict[str, str]:
        shuffled = np.random.default_rng([self._seed, 12]).permutation(len(self.world.shoppers))
        policies = self.settings.policies
        return {self.world.shoppers[index]: policies[n % len(policies)] for n, index in enumerate(shuffled)}

    def _serve(self, pages: Sequence[PageRequest]) -> None:
        self._take_in(before=pages[0].now)
        shown = list(self._choose(pages))
        categories = [self._categories[one.product_id] for one in shown]
        self._memory.append_shown(shown, categories, [{}] * len(shown))
        events = self.world.react(shown)
        self._unseen += events
        self.events += events
        self.shown += shown
        chances, choices = self.world.click_probability(shown), self.world.choices(shown)[:, :-1]
        means, best = choices.mean(axis=1), choices.max(axis=1)
        self._truth += [Truth(*row) for row in zip(chances, means, best, strict=True)]

    def _take_in(self, *, before: datetime) -> None:
        """Let the shop know of what has happened by now."""
        self._memory.append_events([event for event in self._unseen if event.occurred_at < before])
        self._unseen = [event for event in self._unseen if event.occurred_at >= before]

    def _choose(self, pages: Sequence[PageRequest]) -> Iterator[ShownStyle]:
        wanted = [(page, position) for page in pages for position in range(len(page.product_ids))]
        users = [page.user_id for page, _ in wanted]
        categories = [self._categories[page.product_ids[position]] for page, position in wanted]
        requests = Requests.of(users, categories, [page.now for page, _ in wanted])
        frame = self._memory.frame(requests)
        ranker = self.champion.ranker if self.champion else None
        policies = np.array([self._policy_of[user] for user in users])
        for policy in self.settings.policies:
            rows = np.flatnonzero(policies == policy)
            plan = plan_styles(policy, frame.take(rows), ranker=ranker, exploration=self.settings.exploration)
            for n, (row, choice) in enumerate(zip(rows, plan.draw(self._rng), strict=True)):
                page, position = wanted[row]
                slate = f"{page.user_id}-{page.now.timestamp():.6f}"
                yield ShownStyle(
                    impression_id=f"{slate}-{position}",
                    slate_id=slate,
                    user_id=page.user_id,
                    product_id=page.product_ids[position],
                    style_id=plan.style_ids[choice],
                    position=position,
                    shown_at=page.now,
                    propensity=float(plan.propensities[n, choice]),
                    policy=policy,
                    model_version=plan.model_versions[n],
                    variant=policy,
                )

    def _retrain(self, *, as_of: datetime) -> None:
        settings = self.settings
        examples = read_examples(
            self.log(as_of=as_of),
            self._space,
            half_life=settings.half_life,
            attribution_window=settings.attribution_window,
        )
        night = challenge(
            examples,
            self.champion,
            as_of=as_of,
            holdout_days=settings.holdout_days,
            seed=self._seed,
            settings=settings.boosting,
        )
        self.nights.append(night)
        if night.decision.promote and night.ranker is not None:
            self.champion = Champion(night.ranker, as_of)

    def _result(self, policy: str, clicked: set[str], since: datetime) -> PolicyResult:
        rows = [
            (one, truth)
            for one, truth in zip(self.shown, self._truth, strict=True)
            if one.policy == policy and one.shown_at >= since
        ]
        return PolicyResult(
            users=len({one.user_id for one, _ in rows}),
            impressions=len(rows),
            clicks=sum(one.impression_id in clicked for one, _ in rows),
            expected_rate=float(np.mean([truth.shown for _, truth in rows])),
            random_rate=float(np.mean([truth.random for _, truth in rows])),
            best_rate=float(np.mean([truth.best for _, truth in rows])),
        )
