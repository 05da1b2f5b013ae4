"""From what is known and what may be shown to one style per product, and why."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from personalize.data.records import CatalogueProduct, PageRequest
from personalize.data.schema import ORIGINAL
from personalize.decisions import Explanation, RankedStyle, Ranking, Reason
from personalize.features import FeatureFrame, Requests
from personalize.features.beliefs import Scores
from personalize.features.runs import Floats
from personalize.knowledge import Knowledge
from personalize.models import Scorer
from personalize.models.reasons import reasons_of
from personalize.policy import Exploration, Plan, Rules, blend_weights, plan_styles

BLEND = "blend"
BY_FEATURES = frozenset({"popularity", "popular"})
"""Policies that look at more than what the online layer believes, also where no ranker serves."""


@dataclass(frozen=True, slots=True)
class Want:
    """One style to choose: of which product on which page, under which variant and policy."""

    page: PageRequest
    product: CatalogueProduct
    variant: str | None
    policy: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What was drawn, and the row of the plan that it was drawn from."""

    style_id: str
    propensity: float
    model_version: str
    style_weights: Mapping[str, float] | None
    plan: Plan
    row: int
    want: Want
    beliefs: Scores
    request: int
    knowledge: Knowledge

    def propensities(self) -> dict[str, float]:
        """Of every style that could have been shown; they sum to 1."""
        chances = self.plan.propensities[self.row]
        return {
            style_id: float(chance)
            for style_id, chance in zip(self.plan.style_ids, chances, strict=True)
            if chance > 0
        }

    def explain(self) -> Explanation:
        """The score of the style drawn, and the parts that sum to it."""
        score = float(self.plan.scores[self.row, self.plan.style_ids.index(self.style_id)])
        candidate = self.knowledge.candidates.index(self.style_id)
        page = self.want.page
        [own] = self.knowledge.own_counts(page.user_id, [self.style_id], page.now)
        rows = reasons_of(self.beliefs, self.request, candidate, score, own)
        return Explanation(score, tuple(Reason(*row) for row in rows))


@dataclass(frozen=True, slots=True)
class Scored:
    """What a ranker has said of these requests already: the products of a page share it."""

    model_version: str
    scores: Floats

    def score(self, frame: FeatureFrame) -> Floats:
        return self.scores


class Chooser:
    """Plans and draws. Products that are alike to all that is known share one row of features."""

    def __init__(self, knowledge: Knowledge, rules: Rules, exploration: Exploration) -> None:
        self._knowledge = knowledge
        self._rules = rules
        self._exploration = exploration

    def choose(self, pages: Sequence[Sequence[Want]], rng: np.random.Generator) -> Iterator[Choice]:
        """One choice per want, page by page, in the order given."""
        wants = [want for page in pages for want in page]
        if not wants:
            return iter(())
        frame, request = self._frame(wants)
        scored = self._scored(frame)
        if self._rules.max_per_page is None:
            rows = list(range(len(wants)))
            allowed = self._allowed(wants, frame)
            return iter(self._draw(wants, rows, frame, request, scored, allowed, rng))
        return iter(self._choose_capped(pages, wants, frame, request, scored, rng))

    def rank(
        self,
        user_id: str,
        product_id: str | None,
        category: str | None,
        now: datetime,
        titles: Mapping[str, str],
        k: int | None,
        *,
        explain: bool,
    ) -> Ranking:
        """Styles by descending score under the policy `personal`; ties fall to style_id."""
        with self._knowledge.lock:
            ranker = self._knowledge.ranker
            requests = Requests.of([user_id], [category], now)
            frame = self._knowledge.frame(requests, beliefs_only=ranker is None)
        plan = self._plan("personal", frame, ranker, None)
        offered = [i for i, name in enumerate(plan.style_ids) if name != ORIGINAL]
        order = sorted(offered, key=lambda i: (-plan.scores[0, i], plan.style_ids[i]))[:k]
        reasons: list[tuple[Reason, ...]] = [()] * len(order)
        if explain and frame.beliefs is not None:
            own = self._knowledge.own_counts(user_id, [plan.style_ids[i] for i in order], now)
            reasons = [
                tuple(
                    Reason(*row) for row in reasons_of(frame.beliefs, 0, i, float(plan.scores[0, i]), counts)
                )
                for i, counts in zip(order, own, strict=True)
            ]
        styles = tuple(
            RankedStyle(
                plan.style_ids[i],
                titles[plan.style_ids[i]],
                float(plan.scores[0, i]),
                float(plan.propensities[0, i]),
                why,
            )
            for i, why in zip(order, reasons, strict=True)
        )
        return Ranking(user_id, product_id, plan.model_versions[0], styles)

    def _frame(self, wants: Sequence[Want]) -> tuple[FeatureFrame, list[int]]:
        """Features of the distinct requests, and which of them each want is."""
        first, request = _alike([(id(want.page), want.product.category) for want in wants])
        distinct = [wants[n] for n in first]
        requests = Requests.of(
            [want.page.user_id for want in distinct],
            [want.product.category for want in distinct],
            [want.page.now for want in distinct],
            [want.page.context for want in distinct],
        )
        needs_all = self._knowledge.ranker is not None or any(want.policy in BY_FEATURES for want in wants)
        return self._knowledge.frame(requests, beliefs_only=not needs_all), request

    def _allowed(self, wants: Sequence[Want], frame: FeatureFrame) -> NDArray[np.bool_]:
        """What each want may be shown, (N, K + 1); products differ only where there are rules."""
        masks: dict[tuple[int, str], NDArray[np.bool_]] = {}
        keys = [(id(want.page), want.product.product_id if self._rules.rules else "") for want in wants]
        for key, want in zip(keys, wants, strict=True):
            if key not in masks:
                page, product = want.page, want.product
                masks[key] = self._rules.allowed(
                    frame.style_ids, product.product_id, product.category, page.now, page.excluded_styles
                )
        return np.array([masks[key] for key in keys])

    def _draw(
        self,
        wants: Sequence[Want],
        rows: Sequence[int],
        frame: FeatureFrame,
        request: Sequence[int],
        scored: Scored | None,
        allowed: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> list[Choice]:
        """Choices for some of the wants, given what each may be shown."""
        beliefs = frame.beliefs
        assert beliefs is not None
        chosen: dict[int, Choice] = {}
        for policy in sorted({wants[row].policy for row in rows}):
            mine = [row for row in rows if wants[row].policy == policy]
            first, place = _alike([(request[row], allowed[row].tobytes()) for row in mine])
            of_plan = [mine[n] for n in first]
            requests = [request[row] for row in of_plan]
            ranker = scored and Scored(scored.model_version, scored.scores[requests].ravel())
            plan = self._plan(policy, frame.take(requests), ranker, allowed[of_plan])
            for row, n, k in zip(mine, place, plan.draw(rng, place).tolist(), strict=True):
                chosen[row] = Choice(
                    plan.style_ids[k],
                    float(plan.propensities[n, k]),
                    plan.model_versions[n],
                    blend_weights(plan, n, k) if policy == BLEND else None,
                    plan,
                    n,
                    wants[row],
                    beliefs,
                    requests[n],
                    self._knowledge,
                )
        return [chosen[row] for row in rows]

    def _choose_capped(
        self,
        pages: Sequence[Sequence[Want]],
        wants: Sequence[Want],
        frame: FeatureFrame,
        request: Sequence[int],
        scored: Scored | None,
        rng: np.random.Generator,
    ) -> Iterator[Choice]:
        """Product by product: a style that stands on the page often enough is no candidate of the next.

        A propensity is then the probability given what stands above, which is what was drawn from.
        """
        allowed = self._allowed(wants, frame)
        row = 0
        for page in pages:
            n_shown = np.zeros(len(frame.style_ids) + 1, dtype=np.int64)
            for _ in page:
                allowed[row, :-1] &= n_shown[:-1] < (self._rules.max_per_page or 0)
                [choice] = self._draw(wants, [row], frame, request, scored, allowed, rng)
                if choice.style_id in frame.style_ids:
                    n_shown[frame.style_ids.index(choice.style_id)] += 1
                yield choice
                row += 1

    def _scored(self, frame: FeatureFrame) -> Scored | None:
        """The champion's scores of a frame, (requests, styles); None while the online layer serves alone."""
        ranker = self._knowledge.ranker
        if ranker is None:
            return None
        return Scored(ranker.model_version, ranker.score(frame).reshape(frame.candidates.shape))

    def _plan(
        self, policy: str, frame: FeatureFrame, ranker: Scorer | None, allowed: NDArray[np.bool_] | None
    ) -> Plan:
        return plan_styles(policy, frame, ranker=ranker, exploration=self._exploration, allowed=allowed)


def _alike(keys: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Where each distinct key first stands, and which of those each key is."""
    place: dict[Hashable, int] = {}
    first: list[int] = []
    for n, key in enumerate(keys):
        if place.setdefault(key, len(first)) == len(first):
            first.append(n)
    return first, [place[key] for key in keys]
