"""The one front: decide, record, rank, retrain, forget.

The service, the demo and a notebook all stand on it, so what is measured is what is served.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import NamedTuple, Self, TypeVar

import numpy as np
from sqlalchemy import Engine as Database
from sqlalchemy.orm import Session

from personalize.data.catalogue import (
    read_product,
    read_product_at,
    read_products,
    read_products_by_id,
    read_styles,
)
from personalize.data.database import open_database, reading, require_head
from personalize.data.events import last_shown, record_events, record_slates
from personalize.data.experiments import assign, forget_user, is_running, may_join, read_experiment
from personalize.data.identifiers import checked_id, new_id
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
from personalize.data.users import erase_user, most_active_users
from personalize.data.writer import GroupWriter
from personalize.decisions import Decision, RankedStyle, Ranking, Reason
from personalize.features import FeatureFrame, Requests
from personalize.knowledge import Knowledge
from personalize.models.reasons import reasons_of
from personalize.policy import Exploration, Plan, plan_styles
from personalize.retrain import RetrainReport, retrain
from personalize.settings import Settings

PERSONAL = "personal"
N_LOCK_STRIPES = 256
N_ACTIVE_PER_FEATURED = 8

T = TypeVar("T")
Slate = tuple[PageRequest, str, list[ShownStyle]]


def utc_now() -> datetime:
    """The clock of a running service."""
    return datetime.now(UTC)


class Want(NamedTuple):
    """One style to choose: for which user, which product, when, under which variant."""

    user_id: str
    product: CatalogueProduct
    now: datetime
    variant: str | None
    policy: str


class Choice(NamedTuple):
    style_id: str
    propensity: float
    model_version: str


class Engine:
    """Decides which style each user sees of each product, and learns from what they do.

    Thread-safe. What `decide` and `record` return is on disk. Under a seed and a clock given to
    it, the same calls in the same order give the same decisions.
    """

    def __init__(
        self, settings: Settings, database: Database, *, clock: Callable[[], datetime], seed: int | None
    ) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        with reading(database) as session:
            self._styles = read_styles(session)
            self._experiment = read_experiment(session, settings.experiment) if settings.experiment else None
        self._knowledge = Knowledge(settings, database, self._styles, clock)
        self._exploration = Exploration(floor=settings.exploration_floor)
        self._rng = np.random.default_rng(seed)
        self._user_locks = [threading.Lock() for _ in range(N_LOCK_STRIPES)]
        self._variants: dict[str, str] = {}
        self._writer = GroupWriter(database)

    @classmethod
    def open(
        cls, settings: Settings, *, clock: Callable[[], datetime] = utc_now, seed: int | None = None
    ) -> Self:
        """Open the database, read the log, load the champion.

        Raises:
            DatabaseOutOfDate: the database is at another revision; the message says what to run.
            NoStylesOnOffer: no style is registered.
            UnknownExperiment: `settings.experiment` names none.
        """
        database = open_database(settings.resolved_database_url)
        try:
            require_head(database)
            return cls(settings, database, clock=clock, seed=settings.seed if seed is None else seed)
        except BaseException:
            database.dispose()
            raise

    def close(self) -> None:
        """Write what is queued and let go of the database."""
        self._writer.close()
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
        context: Mapping[str, str] | None = None,
    ) -> list[Decision]:
        """One decision per product, in the order given, durable when it returns.

        Within a visit (`settings.visit`) the same user keeps the same style of the same product,
        and the impression that was logged for it: its propensity is logged once.

        Raises:
            UnknownProduct, InvalidIdentifier: nothing was recorded.
        """
        page = PageRequest(user_id, tuple(product_ids), now or self.clock(), dict(context or {}))
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
                choices = iter(self._choose([want for page_wants in wants for want in page_wants]))
                slates = [
                    self._slate(page, [(want, next(choices)) for want in page_wants])
                    for page, page_wants in zip(pages, wants, strict=True)
                    if page_wants
                ]
            self._record_slates(slates, products)
        new = {(one.user_id, one.product_id): one for _, _, slate in slates for one in slate}
        return [
            [
                Decision(kept.get(product_id) or new[page.user_id, product_id], products[product_id])
                for product_id in page.product_ids
            ]
            for page, kept in zip(pages, shown, strict=True)
        ]

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
        with reading(self.database) as session:
            wanted = {product_id for page in pages for product_id in page.product_ids}
            products = read_products_by_id(session, wanted)
            shown = [
                last_shown(session, page.user_id, page.product_ids, since=page.now - self.settings.visit)
                for page in pages
            ]
        return products, shown

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
            return Want(page.user_id, product, page.now, None, PERSONAL)
        variant = self._variants.get(page.user_id)
        if variant is None:
            return Want(page.user_id, product, page.now, None, PERSONAL)
        return Want(page.user_id, product, page.now, variant, self._experiment.policies[variant])

    def _choose(self, wants: Sequence[Want]) -> list[Choice]:
        if not wants:
            return []
        chosen: dict[int, Choice] = {}
        frame = self._knowledge.frame(_requests(wants))
        for policy in sorted({want.policy for want in wants}):
            rows = np.flatnonzero([want.policy == policy for want in wants])
            plan = plan_styles(
                policy, frame.take(rows), ranker=self._knowledge.ranker, exploration=self._exploration
            )
            for n, (row, k) in enumerate(zip(rows, plan.draw(self._rng), strict=True)):
                propensity = float(plan.propensities[n, k])
                chosen[int(row)] = Choice(plan.style_ids[k], propensity, plan.model_versions[n])
        return [chosen[i] for i in range(len(wants))]

    def _plan(self, policy: str, frame: FeatureFrame) -> Plan:
        return plan_styles(policy, frame, ranker=self._knowledge.ranker, exploration=self._exploration)

    def _slate(self, page: PageRequest, chosen: Sequence[tuple[Want, Choice]]) -> Slate:
        slate_id = new_id(page.now, self._rng)
        return (
            page,
            slate_id,
            [
                ShownStyle(
                    impression_id=new_id(page.now, self._rng),
                    slate_id=slate_id,
                    user_id=page.user_id,
                    product_id=want.product.product_id,
                    style_id=choice.style_id,
                    position=page.product_ids.index(want.product.product_id),
                    shown_at=page.now,
                    propensity=choice.propensity,
                    policy=want.policy,
                    model_version=choice.model_version,
                    experiment=self._experiment.name if self._experiment and want.variant else None,
                    variant=want.variant,
                )
                for want, choice in chosen
            ],
        )

    def _record_slates(self, slates: Sequence[Slate], products: Mapping[str, CatalogueProduct]) -> None:
        if not slates:
            return
        self._write(lambda session: record_slates(session, slates))
        shown = [one for _, _, slate in slates for one in slate]
        categories = [products[one.product_id].category for one in shown]
        self._knowledge.learn(lambda history: history.append_shown(shown, categories))

    # -- learning

    def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        """Take clicks and purchases; what is answered is on disk. Sending an event twice is harmless."""
        outcomes = self._write(lambda session: record_events(session, events, self.clock()))
        accepted = [
            event
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome.status is EventStatus.ACCEPTED
        ]
        self._knowledge.learn(lambda history: history.append_events(accepted))
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
        report = retrain(self.database, self.settings, as_of=as_of or self.clock())
        self.refresh()
        return report

    def refresh(self) -> bool:
        """Follow the registry; True when another champion took over.

        A champion whose files are corrupt is refused, and the one in use stays.
        """
        return self._knowledge.refresh()

    def _write(self, job: Callable[[Session], T]) -> T:
        return self._writer.submit(job).result()

    # -- reading

    def rank(
        self, user_id: str, product_id: str | None = None, k: int | None = None, *, explain: bool = True
    ) -> Ranking:
        """Every candidate style for a user by descending score, with the reasons; the first `k` of them.

        Reasons cost more than the ranking itself; `explain=False` leaves them out.

        Raises:
            UnknownProduct, InvalidIdentifier.
        """
        checked_id("user_id", user_id)
        category = self.product(product_id).category if product_id is not None else None
        with self._knowledge.lock:
            frame = self._knowledge.frame(Requests.of([user_id], [category], self.clock()))
            plan = plan_styles(PERSONAL, frame, ranker=self._knowledge.ranker, exploration=self._exploration)
            explainer = self._knowledge.explainer(plan.model_versions[0])
        titles = {style.style_id: style.title for style in self._styles}
        contributions = explainer.explain(frame) if explain else None
        order = sorted(range(len(plan.style_ids)), key=lambda i: (-plan.scores[0, i], plan.style_ids[i]))
        styles = tuple(
            RankedStyle(
                style_id=plan.style_ids[i],
                title=titles[plan.style_ids[i]],
                score=float(plan.scores[0, i]),
                propensity=float(plan.propensities[0, i]),
                reasons=()
                if contributions is None
                else tuple(Reason(*reason) for reason in reasons_of(frame, i, contributions[i])),
            )
            for i in order[:k]
        )
        return Ranking(user_id, product_id, plan.model_versions[0], styles)

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
        """Erase every row about a user, and what is remembered of them; returns the number of rows."""
        checked_id("user_id", user_id)
        with self._locked([user_id]):
            n_rows = self._write(
                lambda session: forget_user(session.connection(), user_id) + erase_user(session, user_id)
            )
            self._knowledge.learn(lambda history: history.forget(user_id))
            self._variants.pop(user_id, None)
        return n_rows


def _requests(wants: Sequence[Want]) -> Requests:
    return Requests.of(
        [want.user_id for want in wants],
        [want.product.category for want in wants],
        [want.now for want in wants],
    )
