"""Beliefs kept up with the shop: every showing, click and purchase, live or replayed from the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from personalize.data.records import ClickEvent, Event, ShownStyle
from personalize.data.schema import ORIGINAL
from personalize.features.beliefs import BeliefPrior, Beliefs, Scores, Views
from personalize.features.frame import Requests
from personalize.features.history import OPEN_WINDOWS, microseconds
from personalize.features.replay import Items, blocks
from personalize.features.runs import Floats, Ints
from personalize.features.showings import OpenShowings
from personalize.features.style import StyleSpace

if TYPE_CHECKING:
    import pandas as pd

Mask = NDArray[np.bool_]
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Foresight:
    """What was believed just before: log odds and their spread, one for each row of a frame."""

    log_odds: Floats
    spread: Floats

    @staticmethod
    def blank(*shape: int) -> "Foresight":
        return Foresight(np.zeros(shape), np.zeros(shape))

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Foresight":
        return Foresight(self.log_odds[rows], self.spread[rows])


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of replaying a log of n showings: the beliefs it leaves, and what they were on the way.

    shown (n,) is of the style shown each time; everything (k, S + 1) is of all styles, the original last,
    of the k showings that were asked for.
    """

    online: "Online"
    shown: Foresight
    everything: Foresight


class Online:
    """`Beliefs` over the styles of a space and the original photo, fed with the shop's records.

    What counts is what `History` counts: the first click and the first purchase of an impression,
    within `attribution_window` of it. Styles that are on offer no longer are passed over.
    """

    def __init__(
        self,
        space: StyleSpace,
        *,
        half_life: timedelta,
        attribution_window: timedelta,
        prior: BeliefPrior | None = None,
    ) -> None:
        self.style_ids = (*space.style_ids, ORIGINAL)
        self._index = {style_id: index for index, style_id in enumerate(self.style_ids)}
        self._window_us = attribution_window // _MICROSECOND
        similarity = np.pad(space.similarity, (0, 1))
        self.beliefs = Beliefs(
            similarity,
            half_life_us=float(half_life // _MICROSECOND),
            prior=prior,
            came_later=np.append(space.came_later, False),
        )
        self._open = OpenShowings(
            at_us=0,
            user=0,
            category=0,
            contexts=np.array([-1]),
            weights=np.array([0.0]),
            style=0,
            position=0,
            is_clicked=False,
            is_purchased=False,
        )

    @classmethod
    def from_log(
        cls,
        log: "pd.DataFrame",
        space: StyleSpace,
        *,
        half_life: timedelta,
        attribution_window: timedelta,
        keep: NDArray[np.bool_] | None = None,
    ) -> Replay:
        """Replay a log as `personalize.data.extracts.read_log` gives it.

        Showings are taken in blocks in which no user's later page hangs on an earlier event, which gives
        what taking them one by one gives, but for the rounding of sums.

        Args:
            keep: (n,) showings of which the beliefs of all styles are kept, none by default.
        """
        online = cls(space, half_life=half_life, attribution_window=attribution_window)
        keep = np.zeros(len(log), dtype=np.bool_) if keep is None else keep
        replay = Replay(
            online, Foresight.blank(len(log)), Foresight.blank(int(keep.sum()), len(online.style_ids))
        )
        if len(log):
            online._replay(Items.of(log, online._index, online._window_us), replay, keep)
            online._reopen(log)
        return replay

    def score(self, requests: Requests) -> Scores:
        """What is believed of every style, the original last, for each request."""
        views = self.beliefs.views(
            requests.user_ids, requests.categories, requests.contexts, requests.at_us, learn=False
        )
        return self.beliefs.score(views)

    def append_shown(
        self,
        shown: Sequence[ShownStyle],
        categories: Sequence[str],
        contexts: Sequence[Mapping[str, object]],
    ) -> None:
        """Learn what was just shown, with the category of each product and the context of each page."""
        fresh = self._open.fresh([one.impression_id for one in shown])
        rows = [row for row in fresh if shown[row].style_id in self._index]
        if not rows:
            return
        new = [shown[row] for row in rows]
        at_us = np.array([microseconds(one.shown_at) for one in new], dtype=np.int64)
        views = self.beliefs.views(
            [one.user_id for one in new],
            [categories[row] for row in rows],
            [contexts[row] for row in rows],
            at_us,
            learn=True,
        )
        styles = np.array([self._index[one.style_id] for one in new], dtype=np.int64)
        positions = np.array([one.position for one in new], dtype=np.int64)
        self.beliefs.show(views, self.beliefs.parts_of(views, styles), styles, positions)
        self._keep_open([one.impression_id for one in new], views, styles, positions)
        self._open.let_go_before(int(at_us.max()) - OPEN_WINDOWS * self._window_us)

    def append_events(self, events: Sequence[Event]) -> None:
        """Learn from clicks and purchases; repeated ones, late ones and unknown ones are passed over."""
        for event in events:
            row = self._open.find(event.impression_id)
            if row is not None:
                self._happen(row, event)

    def forget(self, user_id: str) -> None:
        """Drop what is believed of a user; their part in what holds for everybody goes at the next replay."""
        self._open.drop(self._open["user"] == int(self.beliefs.users.find([user_id])[0]))
        self.beliefs.forget(user_id)

    def _keep_open(
        self, impression_ids: Sequence[str], views: Views, styles: Ints, positions: Ints, **happened: Mask
    ) -> None:
        """Keep in mind showings that may yet be clicked or bought, with the views they were learned with."""
        self._open.add(
            impression_ids,
            at_us=views.at_us,
            user=views.users,
            category=views.categories,
            contexts=views.contexts,
            weights=views.weights,
            style=styles,
            position=positions,
            **happened,
        )

    def _happen(self, row: int, event: Event) -> None:
        at_us = np.array([microseconds(event.occurred_at)], dtype=np.int64)
        columns, this = self._open, slice(row, row + 1)
        if not 0 <= at_us[0] - columns["at_us"][row] <= self._window_us:
            return
        is_click = isinstance(event, ClickEvent)
        has_happened = columns["is_clicked" if is_click else "is_purchased"]
        if has_happened[row]:
            return
        has_happened[row] = True
        names = ("user", "category", "contexts", "weights", "at_us")
        view, style = Views(*(columns[name][this].copy() for name in names)), columns["style"][this]
        if is_click:
            self.beliefs.click(view, style, columns["position"][this], at_us)
        else:
            self.beliefs.purchase(view, style)

    def _replay(self, items: Items, replay: Replay, keep: NDArray[np.bool_]) -> None:
        place = np.cumsum(keep) - 1
        views = self.beliefs.views(
            items.user_ids, items.categories, items.contexts, items.shown_us, learn=True
        )
        for block in blocks(items, self.beliefs):
            shown, clicked, bought = block.shown, block.clicked, block.purchased
            if len(shown):
                seen = views.take(shown)
                scores = self.beliefs.score(seen)
                row, style, log_rows = np.arange(len(shown)), items.styles[shown], items.rows[shown]
                replay.shown.log_odds[log_rows] = scores.log_odds[row, style]
                replay.shown.spread[log_rows] = scores.spread[row, style]
                kept = np.flatnonzero(keep[log_rows])
                replay.everything.log_odds[place[log_rows[kept]]] = scores.log_odds[kept]
                replay.everything.spread[place[log_rows[kept]]] = scores.spread[kept]
                self.beliefs.show(seen, scores.parts_of(style), style, items.positions[shown])
            if len(bought):
                self.beliefs.purchase(views.take(bought), items.styles[bought])
            if len(clicked):
                self.beliefs.click(
                    views.take(clicked), items.styles[clicked], items.positions[clicked], block.clicked_us
                )
        self._views, self._items = views, items

    def _reopen(self, log: "pd.DataFrame") -> None:
        """Keep in mind the latest showings, which may still be clicked."""
        views, items = self._views, self._items
        del self._views, self._items
        since = int(items.shown_us.max(initial=0)) - OPEN_WINDOWS * self._window_us
        recent = np.flatnonzero(items.shown_us >= since)
        ids = log["impression_id"].to_numpy()[items.rows[recent]]
        self._keep_open(
            [str(one) for one in ids.tolist()],
            views.take(recent),
            items.styles[recent],
            items.positions[recent],
            is_clicked=items.is_clicked[recent],
            is_purchased=items.is_purchased[recent],
        )
