"""What is believed of every click before it happens, moved by every event: the online layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from personalize.features.context import N_MOMENTS, context_groups, moment_kinds
from personalize.features.history import Codes
from personalize.features.levels import Level, Spread
from personalize.features.runs import Floats, Ints

LEVELS = ("everybody", "category", "context", "user")
"""What a style's log odds are the sum of, besides the base."""

BASE_RATE = 0.03
"""Click-through assumed of a shop with no data."""

MAX_CONTEXT_GROUPS = 512
"""Context groups that are told apart; what comes after is not looked at."""

MAX_CONTEXTS = 16
"""Context groups of one request; the first in the order of their names."""

REFRESH_SHARE = 0.02
REFRESH_AT_LEAST = 8
OVERDUE = 2
"""Slow levels are refreshed when so many showings, or that share of all, came since; by an event, or by
a showing when it is that many times overdue."""

TUNE_EVERY = 2
"""Refreshes per step of tuning the priors."""

FIRST_LAG_US = 60e6
FIRST_LAG_CLICKS = 10.0
"""How long a click takes on average before the log tells, and how many clicks that is worth."""

LAUNCH_SHOWINGS = 300
"""How often a style that came later must have been shown to be new no more."""

PURCHASE_CLICKS = 0.25
"""A purchase counts, for its user, as this many clicks more than the click before it."""


@dataclass(frozen=True, slots=True)
class BeliefPrior:
    """First variances of each level, chosen by measurement in `personalize.simulate`; data move them."""

    everybody: Spread = field(default_factory=lambda: Spread(1.0, 0.05, 0.1))
    category: Spread = field(default_factory=lambda: Spread(0.03, 0.05, 0.05))
    context: Spread = field(default_factory=lambda: Spread(0.01, 0.02, 0.01))
    user: Spread = field(default_factory=lambda: Spread(0.02, 0.1, 0.02))
    position: Spread = field(default_factory=lambda: Spread(0.1, 1e-6, 1e-6))


@dataclass(frozen=True, slots=True)
class Views:
    """Who looks, at what, when: codes and moments of n requests.

    users, categories (n,), -1 when never seen; contexts (n, J) with -1 for none, and their weights (n, J);
    at_us (n,).
    """

    users: Ints
    categories: Ints
    contexts: Ints
    weights: Floats
    at_us: Ints

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Ints) -> "Views":
        return Views(
            self.users[rows], self.categories[rows], self.contexts[rows], self.weights[rows], self.at_us[rows]
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """Log odds of a click for n requests x S styles.

    parts (L, n, S) by `LEVELS`; base is common to all; spread (n, S) is the standard deviation of what is
    believed of a style by all that users share, everybody, category and context: large for a style that is
    new. What is not known of the user alone is left out, for what is found out there serves one user.
    is_new (S,): styles that came later and were shown less than `LAUNCH_SHOWINGS` times.
    """

    base: float
    parts: Floats
    spread: Floats
    is_new: NDArray[np.bool_]

    @property
    def log_odds(self) -> Floats:
        """(n, S)."""
        total: Floats = self.base + self.parts.sum(axis=0)
        return total

    def parts_of(self, styles: Ints) -> Floats:
        """The parts, (L, n), of one style for each request, (n,)."""
        parts: Floats = self.parts[:, np.arange(len(styles)), styles]
        return parts

    def take(self, rows: "NDArray[np.intp] | NDArray[np.bool_]") -> "Scores":
        """The scores of some of the requests."""
        return Scores(self.base, self.parts[:, rows], self.spread[rows], self.is_new)


class Beliefs:
    """Log odds of a click as a sum of Gaussian beliefs about groups, each moved by every event.

        log odds = logit(base) + everybody_s + category_cs + sum_j x_j context_js + user_us

    All levels are the same thing, a `Level`: deviations over styles with a prior covariance made of the
    likeness of content vectors, learned from the log. So a style that nobody has seen is believed to do
    like those that look like it, a user's click speaks at once for styles that look alike, and where
    users do not differ nothing is believed of them. A showing moves the users' level at once; the slow
    levels, which many share, are solved again after each `REFRESH_SHARE` of showings.

    The state depends on the events and their order alone: replaying the log gives it again.

    Args:
        similarity: (S, S) of the content vectors.
        came_later: (S,) styles that the shop did not start with, None for none.
    """

    def __init__(
        self,
        similarity: Floats,
        *,
        half_life_us: float,
        prior: BeliefPrior | None = None,
        came_later: NDArray[np.bool_] | None = None,
    ) -> None:
        prior = prior or BeliefPrior()
        self._may_be_new = np.zeros(len(similarity), np.bool_) if came_later is None else came_later
        self._showings = np.zeros(len(similarity), dtype=np.int64)
        self.users, self.categories, self.contexts = Codes(), Codes(), Codes()
        self._base = float(np.log(BASE_RATE / (1 - BASE_RATE)))
        self._levels = {
            name: Level(similarity, getattr(prior, name), half_life_us, knows_waiting=name != "user")
            for name in (*LEVELS, "position")
        }
        self._lag = np.array([FIRST_LAG_US * FIRST_LAG_CLICKS, FIRST_LAG_CLICKS])
        self._n = self._refreshed_at = self._n_refreshes = 0
        self._now_us = 0
        self.is_due = False
        self._refresh()

    def views(
        self,
        user_ids: Sequence[str],
        categories: Sequence[str | None],
        contexts: Sequence[Mapping[str, object]],
        at_us: Ints,
        *,
        learn: bool,
    ) -> Views:
        """Codes of requests; `learn` makes room for what is new."""
        users, kinds = (
            np.array([codes.add(name) for name in names], dtype=np.int64) if learn else codes.find(names)
            for codes, names in ((self.users, user_ids), (self.categories, [c or "" for c in categories]))
        )
        first, row = _alike(contexts, at_us)
        groups = [context_groups(contexts[each], int(at_us[each])) for each in first.tolist()]
        width = min(max(map(len, groups), default=0), MAX_CONTEXTS)
        codes, weights = np.full((len(groups), width), -1, dtype=np.int64), np.zeros((len(groups), width))
        for place, found in enumerate(groups):
            for column, (name, weight) in enumerate(found[:width]):
                codes[place, column] = self._context_code(name, learn=learn)
                weights[place, column] = weight
        return Views(users, kinds, codes[row], weights[row], at_us)

    def score(self, views: Views) -> Scores:
        """What is believed of every style for each request."""
        self.settle()
        everybody = np.broadcast_to(self._means["everybody"][0], (len(views), self.n_styles))
        category = self._looked_up("category", views.categories)
        user = self._user_means(views)
        return Scores(
            self._base,
            np.stack([everybody, category, self._of_contexts(views), user]),
            np.sqrt(self._shared_variance(views)),
            self._may_be_new & (self._showings < LAUNCH_SHOWINGS),
        )

    def parts_of(self, views: Views, styles: Ints) -> Floats:
        """What `score` says of one style, (n,), for each request: its parts, (L, n)."""
        self.settle()
        everybody = self._means["everybody"][0, styles]
        category = self._looked_up("category", views.categories, styles)
        user = self._user_means(views)[np.arange(len(views)), styles]
        return np.stack([everybody, category, self._of_contexts(views, styles), user])

    def show(self, views: Views, parts: Floats, styles: Ints, positions: Ints) -> None:
        """Learn that these styles, (n,), were shown; `parts` is what `parts_of` said of them before."""
        self.settle()
        depth = np.log1p(positions)
        place = self._means["position"][0, styles]
        expected = _sigmoid(self._base + parts.sum(axis=0) + depth * place)
        weight = expected * (1 - expected)
        for level, groups, x in self._groups(views, depth):
            match level:
                case "position":
                    current = place
                case "context":  # its part is a sum of several groups
                    current = self._looked_up(level, groups, styles)
                case _:
                    current = parts[LEVELS.index(level)]
            self._levels[level].add(
                groups,
                styles,
                views.at_us,
                precision=x * x * weight,
                information=x * x * weight * current - x * expected,
            )
        np.add.at(self._showings, styles, 1)
        self._count(len(views), views.at_us, is_event=False)

    def click(self, views: Views, styles: Ints, positions: Ints, at_us: Ints) -> None:
        """Learn that these showings, as they were shown, were clicked at `at_us`."""
        self.settle()
        for level, groups, x in self._groups(views, np.log1p(positions)):
            self._levels[level].add(groups, styles, views.at_us, information=x)
        self._lag += np.maximum(at_us - views.at_us, 0).sum(), len(views)
        self._count(0, at_us, is_event=True)

    def purchase(self, views: Views, styles: Ints) -> None:
        """Learn that these showings led to a purchase: more of the user's taste."""
        self.settle()
        bonus = np.full(len(views), PURCHASE_CLICKS)
        self._levels["user"].add(views.users, styles, views.at_us, information=bonus)

    def forget(self, user_id: str) -> None:
        """Drop what is believed of a user."""
        self.settle()
        self._levels["user"].forget(int(self.users.find([user_id])[0]))
        self.users.forget(user_id)

    @property
    def n_styles(self) -> int:
        return self._levels["user"].n_styles

    @property
    def variances(self) -> dict[str, Floats]:
        """Prior variances of each level as they were learned: overall, alike, own."""
        self.settle()
        return {name: level.variances for name, level in self._levels.items()}

    def evidence(self, users: Ints) -> Floats:
        """How much is known of each user, in expected click variance, (n,)."""
        return self._levels["user"].evidence(users)

    def _user_means(self, views: Views) -> Floats:
        """Each user's means once for each moment: a page asks for many products."""
        if len(views) and (views.users == views.users[0]).all() and (views.at_us == views.at_us[0]).all():
            mean = self._levels["user"].mean_of(int(views.users[0]), int(views.at_us[0]))
            return np.broadcast_to(mean, (len(views), self.n_styles))
        pages, page = np.unique(np.stack([views.users, views.at_us]), axis=1, return_inverse=True)
        means: Floats = self._levels["user"].means(pages[0], pages[1])[page]
        return means

    def _groups(self, views: Views, depth: Floats) -> list[tuple[str, Ints, Floats]]:
        """The groups that each view belongs to: level, codes and weights, (n,) each."""
        ones, shop = np.ones(len(views)), np.zeros(len(views), dtype=np.int64)
        contexts = range(views.contexts.shape[1])
        return [
            ("everybody", shop, ones),
            ("category", views.categories, ones),
            ("user", views.users, ones),
            ("position", shop, depth),
            *(("context", views.contexts[:, column], views.weights[:, column]) for column in contexts),
        ]

    def _of_contexts(self, views: Views, styles: Ints | None = None) -> Floats:
        """The sum over the contexts of each view, (n, S), or of one style each, (n,)."""
        total = np.zeros((len(views), self.n_styles) if styles is None else len(views))
        for column in range(views.contexts.shape[1]):
            found = self._looked_up("context", views.contexts[:, column], styles)
            total += (views.weights[:, column] * found.T).T
        return total

    def _context_code(self, name: str, *, learn: bool) -> int:
        if learn and len(self.contexts) < MAX_CONTEXT_GROUPS:
            return self.contexts.add(name)
        return int(self.contexts.find([name])[0])

    def _looked_up(self, level: str, codes: Ints, styles: Ints | None = None) -> Floats:
        """Means as of the last refresh, (n, S), or of one style each, (n,); zeros for a group not there."""
        means = self._means[level]
        rows = _or_last(codes, len(means))
        looked_up: Floats = means[rows] if styles is None else means[rows, styles]
        return looked_up

    def refreshes(self, n_shown: Ints, *, is_event: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether the slow levels would be refreshed at items before which so many more were shown."""
        total = self._n + n_shown
        due = np.maximum(REFRESH_AT_LEAST, (REFRESH_SHARE * total).astype(np.int64))
        refreshed: NDArray[np.bool_] = total - self._refreshed_at >= np.where(is_event, 1, OVERDUE) * due
        return refreshed

    def _count(self, n_shown: int, at_us: Ints, *, is_event: bool) -> None:
        self._n += n_shown
        self._now_us = max(self._now_us, int(at_us.max(initial=0)))
        if self.refreshes(np.zeros(1, dtype=np.int64), is_event=np.array([is_event]))[0]:
            self._refreshed_at = self._n
            self.is_due = True

    def settle(self) -> None:
        """Bring the slow levels up to date if that is due.

        Whatever reads or moves a belief does it first, so doing it earlier, while nobody waits, changes
        nothing but who waits.
        """
        if not self.is_due:
            return
        self.is_due = False
        self._n_refreshes += 1
        if self._n_refreshes % TUNE_EVERY == 0:
            for name in ("category", "context", "user"):
                self._levels[name].tune(self._now_us)
        self._refresh()

    def _refresh(self) -> None:
        """Solve the slow levels; a row of zeros at the end stands for groups that are not there."""
        for level in self._levels.values():
            level.lag_us = max(self._lag[0] / self._lag[1], 1.0)
        self._means = {}
        for name in ("everybody", "category", "context", "position"):
            groups = np.arange(max(len(self._levels[name]), 1))
            means = self._levels[name].means(groups, np.full(len(groups), self._now_us))
            self._means[name] = np.vstack([means, np.zeros_like(means[:1])])
        self._variances = {}
        for name in ("everybody", "category", "context"):
            groups = np.append(np.arange(len(self._levels[name])), -1)
            self._variances[name] = self._levels[name].variances_of(
                groups, np.full(len(groups), self._now_us)
            )

    def _shared_variance(self, views: Views) -> Floats:
        """Of what is believed for everybody, the category and the contexts, (n, S)."""
        variance: Floats = self._variances["everybody"][0] + self._of_group("category", views.categories)
        for column in range(views.contexts.shape[1]):
            squared = views.weights[:, column, None] ** 2
            variance = variance + squared * self._of_group("context", views.contexts[:, column])
        return variance

    def _of_group(self, level: str, codes: Ints) -> Floats:
        variances = self._variances[level]
        of_group: Floats = variances[_or_last(codes, len(variances))]
        return of_group


def _alike(contexts: Sequence[Mapping[str, object]], at_us: Ints) -> tuple[Ints, Ints]:
    """The first of the requests of the same context object and kind of moment, and which each request is of.

    In the order of their first, so that codes are given in the order of arrival.
    """
    if all(each is contexts[0] for each in contexts) and (at_us == at_us[:1]).all():  # one page
        return np.zeros(min(len(at_us), 1), dtype=np.int64), np.zeros(len(at_us), dtype=np.int64)
    kind = np.fromiter(map(id, contexts), dtype=np.int64, count=len(contexts)) * N_MOMENTS + moment_kinds(
        at_us
    )
    _, first, row = np.unique(kind, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[row]


def _or_last(codes: Ints, size: int) -> Ints:
    """Codes as rows of a table of that size, the last row for those that are not in it."""
    return np.where((codes >= 0) & (codes < size - 1), codes, size - 1)


def _sigmoid(log_odds: Floats) -> Floats:
    inside: Floats = 0.5 * (1 + np.tanh(log_odds / 2))
    return inside
