"""The one front: decide, record, rank, retrain, forget.

The service, the demo and a notebook all stand on it, so what is measured is what is served.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Self, TypeVar

import numpy as np
from sqlalchemy import Engine as Database
from sqlalchemy.orm import Session

from personalize.choosing import Choice, Chooser, Want
from personalize.data.catalogue import (
    ensure_products,
    read_product,
    read_product_at,
    read_products,
    read_styles,
)
from personalize.data.database import looking, open_database, reading, require_head
from personalize.data.events import last_shown, record_events, record_slates
from personalize.data.experiments import assign, forget_user, is_running, may_join, read_experiment
from personalize.data.identifiers import checked_id, new_ids
from personalize.data.ratings import record_rating
from personalize.data.records import (
    CatalogueProduct,
    Event,
    EventOutcome,
    EventStatus,
    PageRequest,
    RatingGiven,
    ShownStyle,
    StyleOnOffer,
)
from personalize.data.schema import ORIGINAL
from personalize.data.users import erase_user, most_active_users
from personalize.data.writer import GroupWriter
from personalize.decisions import Decision, Ranking
from personalize.knowledge import Knowledge
from personalize.offer import prepare_offer
from personalize.policy import Exploration, Rules
from personalize.retrain import RetrainReport, retrain
from personalize.settings import Settings
from personalize.shelf import Shelf

PERSONAL = "personal"
N_LOCK_STRIPES = 256
N_ACTIVE_PER_FEATURED = 8

MAX_TOLD = 10_000
"""Decisions of which the reasons are kept in mind, for a visit that comes back."""

T = TypeVar("T")
Slate = tuple[PageRequest, str, list[ShownStyle]]


def utc_now() -> datetime:
    """The clock of a running service."""
    return datetime.now(UTC)


class Engine:
    """Decides which style each user sees of each product, and learns from what they do.

    Thread-safe. What `decide` and `record` return is on disk. Under a seed and a clock given to
    it, the same calls in the same order give the same decisions.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        clock: Callable[[], datetime],
        seed: int | None,
        rules: Rules | None = None,
        takes_any_product: bool = False,
    ) -> None:
        self.settings = settings
        self.rules = rules or (Rules.load(settings.rules) if settings.rules else Rules())
        self._takes_any_product = takes_any_product
        self.database = database
        self.clock = clock
        with reading(database) as session:
            self._styles = read_styles(session)
            self._experiment = read_experiment(session, settings.experiment) if settings.experiment else None
        self._titles = {style.style_id: style.title for style in self._styles}
        self._knowledge = Knowledge(settings, database, self._styles, clock)
        self._chooser = Chooser(self._knowledge, self.rules, Exploration(floor=settings.exploration_floor))
        self._rng = np.random.default_rng(seed)
        self._told: OrderedDict[str, Choice] = OrderedDict()
        self._user_locks = [threading.Lock() for _ in range(N_LOCK_STRIPES)]
        self._variants: dict[str, str] = {}
        self._taken: set[str] = set()
        self._shelf = Shelf()
        self._writer = GroupWriter(database)

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        styles: Iterable[StyleOnOffer | tuple[str, Sequence[float]]] | None = None,
        products: Mapping[str, str] | None = None,
        rules: Rules | None = None,
        clock: Callable[[], datetime] = utc_now,
        seed: int | None = None,
    ) -> Self:
        """Open the database, read the log, load the champion.

        With `styles` nothing else is needed: the database of an empty data folder is made, these styles
        are put on offer, and no photo is asked for.

            styles = [("snow", [0.1, 0.9]), ("ink", [0.8, 0.2])]
            engine = Engine.open(Settings(data_dir=folder), styles=styles, products={"mug-01": "mug"})

        Args:
            styles: just what is on offer from now on, as (style_id, content vector); None leaves what the
                database holds.
            products: the category of each product_id to add without a photo. None: products that the
                catalogue does not hold are unknown, or, when `styles` are given, are taken as they come,
                with the category that the context names or none.
            rules: merchandising rules; None reads `settings.rules`.
            clock: the time of decisions that name none, and of what is received.
            seed: of the policy's draws; None takes `settings.seed`, and fresh entropy if that is empty.
        Raises:
            DatabaseOutOfDate: the database is at another revision; the message says what to run.
            NoStylesOnOffer: no style is registered.
            UnknownExperiment: `settings.experiment` names none.
            RulesError: the rules cannot be read.
            ValueError: a style twice, the reserved id `original`, or vectors of different lengths.
        """
        if styles is not None:
            prepare_offer(settings, styles, products or {}, clock())
        takes_any_product = styles is not None and products is None
        database = open_database(settings.resolved_database_url)
        try:
            require_head(database)
            return cls(
                settings,
                database,
                clock=clock,
                seed=settings.seed if seed is None else seed,
                rules=rules,
                takes_any_product=takes_any_product,
            )
        except BaseException:
            database.dispose()
            raise

    def close(self) -> None:
        """Write what is queued and let go of the database."""
        self._writer.close()
        self._knowledge.close()
        self.database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def model_version(self) -> str:
        """The champion that scores, or the name of the fallback."""
        return self._knowledge.model_version

    # -- deciding

    def decide(
        self,
        user_id: str,
        product_ids: Sequence[str],
        *,
        now: datetime | None = None,
        context: Mapping[str, str | float] | None = None,
        excluded_styles: Iterable[str] = (),
    ) -> list[Decision]:
        """One decision per product, in the order given, durable when it returns.

        Within a visit (`settings.visit`) the same user keeps the same style of the same product,
        and the impression that was logged for it: its propensity is logged once.

        Args:
            now: the moment of the page, of the clock if it is None.
            context: what the shop knows of the visit, texts and numbers; see `features.context`.
            excluded_styles: those that this user does not want to see; they are not kept either.
        Raises:
            UnknownProduct, InvalidIdentifier: nothing was recorded.
        """
        page = PageRequest(
            user_id, tuple(product_ids), now or self.clock(), dict(context or {}), frozenset(excluded_styles)
        )
        return self.decide_pages([page])[0]

    def decide_pages(self, pages: Sequence[PageRequest]) -> list[list[Decision]]:
        """`decide` for many shoppers at once; each user stands in one page only."""
        for page in pages:
            checked_id("user_id", page.user_id)
        with self._locked([page.user_id for page in pages]):
            products, shown = self._look_up(pages)
            self._assign_variants(pages)
            wants = [
                [
                    self._want(page, products[product_id])
                    for product_id in dict.fromkeys(page.product_ids)
                    if product_id not in kept
                ]
                for page, kept in zip(pages, shown, strict=True)
            ]
            with self._knowledge.lock:
                choices = iter(self._chooser.choose(wants, self._rng))
                slates = [
                    self._slate(page, [(want, next(choices)) for want in page_wants])
                    for page, page_wants in zip(pages, wants, strict=True)
                    if page_wants
                ]
            self._record_slates(slates, products)
        new = {(one.user_id, one.product_id): one for _, _, slate in slates for one in slate}
        return [
            [
                self._decision(kept.get(product_id) or new[page.user_id, product_id], products[product_id])
                for product_id in page.product_ids
            ]
            for page, kept in zip(pages, shown, strict=True)
        ]

    def _decision(self, shown: ShownStyle, product: CatalogueProduct) -> Decision:
        return Decision(shown, product, shown.style_weights, self._told.get(shown.impression_id))

    @contextmanager
    def _locked(self, user_ids: Sequence[str]) -> Iterator[None]:
        """Two requests of one user wait for one another, so that a visit keeps its styles."""
        stripes = sorted({hash(user_id) % N_LOCK_STRIPES for user_id in user_ids})
        with ExitStack() as stack:
            for stripe in stripes:
                stack.enter_context(self._user_locks[stripe])
            yield

    def _look_up(
        self, pages: Sequence[PageRequest]
    ) -> tuple[dict[str, CatalogueProduct], list[dict[str, ShownStyle]]]:
        """The products asked for, and per page what this visit has shown already."""
        wanted = {product_id for page in pages for product_id in page.product_ids}
        if self._takes_any_product:
            self._take_products(pages)
        with looking(self.database) as connection:
            products = self._shelf.find(connection, wanted)
            shown = [
                last_shown(connection, page.user_id, page.product_ids, since=page.now - self.settings.visit)
                for page in pages
            ]
        kept = [
            {key: one for key, one in of_page.items() if one.style_id not in page.excluded_styles}
            for page, of_page in zip(pages, shown, strict=True)
        ]
        return products, kept

    def _take_products(self, pages: Sequence[PageRequest]) -> None:
        """Add products never seen, with the category that their page's context names."""
        categories = {
            product_id: str(page.context.get("category", ""))
            for page in pages
            for product_id in page.product_ids
            if product_id not in self._taken
        }
        if categories:
            for product_id in categories:
                checked_id("product_id", product_id)
            now = self.clock()
            self._write(lambda session: ensure_products(session, categories, now))
            self._taken |= categories.keys()

    def _assign_variants(self, pages: Sequence[PageRequest]) -> None:
        if self._experiment is None:
            return
        experiment = self._experiment
        newcomers = {
            page.user_id: page.now
            for page in pages
            if page.user_id not in self._variants and may_join(experiment, page.user_id, page.now)
        }
        if newcomers:
            now = min(newcomers.values())
            self._variants |= self._write(lambda session: assign(session, experiment, list(newcomers), now))

    def _want(self, page: PageRequest, product: CatalogueProduct) -> Want:
        if self._experiment is None or not is_running(self._experiment, page.now):
            return Want(page, product, None, PERSONAL)
        variant = self._variants.get(page.user_id)
        if variant is None:
            return Want(page, product, None, PERSONAL)
        return Want(page, product, variant, self._experiment.policies[variant])

    def _slate(self, page: PageRequest, chosen: Sequence[tuple[Want, Choice]]) -> Slate:
        slate_id, *impression_ids = new_ids(page.now, 1 + len(chosen), self._rng)
        position = {name: place for place, name in reversed(list(enumerate(page.product_ids)))}
        self._told.update(zip(impression_ids, (choice for _, choice in chosen), strict=True))
        while len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        return (
            page,
            slate_id,
            [
                ShownStyle(
                    impression_id=impression_id,
                    slate_id=slate_id,
                    user_id=page.user_id,
                    product_id=want.product.product_id,
                    style_id=choice.style_id,
                    position=position[want.product.product_id],
                    shown_at=page.now,
                    propensity=choice.propensity,
                    policy=want.policy,
                    model_version=choice.model_version,
                    experiment=self._experiment.name if self._experiment and want.variant else None,
                    variant=want.variant,
                    style_weights=choice.style_weights,
                )
                for impression_id, (want, choice) in zip(impression_ids, chosen, strict=True)
            ],
        )

    def _record_slates(self, slates: Sequence[Slate], products: Mapping[str, CatalogueProduct]) -> None:
        if not slates:
            return
        self._write(lambda session: record_slates(session, slates))
        shown = [one for _, _, slate in slates for one in slate]
        categories = [products[one.product_id].category for one in shown]
        contexts = [page.context for page, _, slate in slates for _ in slate]
        self._knowledge.learn(lambda memory: memory.append_shown(shown, categories, contexts))

    # -- learning

    def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        """Take clicks and purchases; what is answered is on disk. Sending an event twice is harmless."""
        outcomes = self._write(lambda session: record_events(session, events, self.clock()))
        accepted = [
            event
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome.status is EventStatus.ACCEPTED
        ]
        self._knowledge.learn(lambda memory: memory.append_events(accepted))
        return outcomes

    def rate(self, rating: RatingGiven, *, network_version: str) -> EventStatus:
        """Take a human judgement; what is answered is on disk. Sending one twice is harmless.

        Raises:
            UnknownProduct, UnknownStyle, InvalidIdentifier: nothing was recorded.
        """
        return self._write(
            lambda session: record_rating(session, rating, network_version=network_version, now=self.clock())
        )

    def retrain(self, as_of: datetime | None = None) -> RetrainReport:
        """Train on the log up to `as_of`, promote or refuse, and serve the champion."""
        report = retrain(self.database, self.settings, as_of=as_of or self.clock(), rules=self.rules)
        self.refresh()
        return report

    def refresh(self) -> bool:
        """Follow the registry, and finish what `forget` began; True when another champion took over.

        A champion whose files are corrupt is refused, and the one in use stays. Many users forgotten one
        after the other cost one reading of the log in `REPLAY_EVERY`.
        """
        return self._knowledge.refresh()

    def _write(self, job: Callable[[Session], T]) -> T:
        return self._writer.write(job)

    # -- reading

    def rank(
        self, user_id: str, product_id: str | None = None, k: int | None = None, *, explain: bool = True
    ) -> Ranking:
        """Every candidate style for a user by descending score, with the reasons; the first `k` of them.

        `explain=False` leaves the reasons out.

        Raises:
            UnknownProduct, InvalidIdentifier.
        """
        checked_id("user_id", user_id)
        category = self.product(product_id).category if product_id is not None else None
        return self._chooser.rank(
            user_id, product_id, category, self.clock(), self._titles, k, explain=explain
        )

    def product(self, product_id: str) -> CatalogueProduct:
        """One product. Raises UnknownProduct."""
        with reading(self.database) as session:
            return read_product(session, product_id)

    def products(
        self, after: str | None = None, limit: int = 100, category: str | None = None
    ) -> list[CatalogueProduct]:
        """Products by product_id, the page after `after`."""
        with reading(self.database) as session:
            return read_products(session, after=after, limit=limit, category=category)

    def product_at(self, place: float) -> CatalogueProduct | None:
        """The product at a place in [0, 1) of the catalogue; None in an empty one."""
        with reading(self.database) as session:
            return read_product_at(session, place)

    def styles(self) -> list[StyleOnOffer]:
        """The styles on offer, the original photo among them."""
        return list(self._styles)

    def has_clicked(self, user_id: str) -> bool:
        """Whether the user has clicked any style on offer, so that there is a taste to speak of."""
        styles = [style.style_id for style in self._styles if style.style_id != ORIGINAL]
        return any(clicked for _, clicked in self._knowledge.own_counts(user_id, styles, self.clock()))

    def featured_users(self, limit: int = 6) -> list[str]:
        """Users who clicked much under the personal policy, of tastes as different as there are."""
        with reading(self.database) as session:
            active = most_active_users(session, policy=PERSONAL, limit=limit * N_ACTIVE_PER_FEATURED)
        by_taste: dict[str, str] = {}
        for user_id in active:
            by_taste.setdefault(self.rank(user_id, k=1, explain=False).styles[0].style_id, user_id)
        different = list(by_taste.values())
        return (different + [user_id for user_id in active if user_id not in different])[:limit]

    def forget(self, user_id: str) -> int:
        """Erase every row about a user, and what is remembered of them; returns the number of rows.

        What is believed of this user is gone when it returns. Their part in what is believed of everybody is
        gone after the next `refresh`, which replays the log without them, but does so once in `REPLAY_EVERY`
        at most; a service refreshes every few seconds, other processes replay when another champion takes
        over. The next model is the one that the log without the user gives.
        """
        checked_id("user_id", user_id)
        with self._locked([user_id]):
            n_rows = self._write(
                lambda session: forget_user(session.connection(), user_id) + erase_user(session, user_id)
            )
            self._knowledge.forget(user_id)
            self._variants.pop(user_id, None)
        return n_rows
