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
from personalize.features.runs import Floats
from personalize.features.style import StyleSpace

if TYPE_CHECKING:
    import pandas as pd

_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class _Open:
    """A showing that may still be clicked or bought: the row of the views that it was learned with."""

    views: Views
    row: int
    style: int
    position: int
    is_clicked: bool = False
    is_purchased: bool = False

    @property
    def view(self) -> Views:
        return self.views.take(np.array([self.row]))

    @property
    def at_us(self) -> int:
        return int(self.views.at_us[self.row])


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
        self._open: dict[str, _Open] = {}

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
        rows = [
            row
            for row, one in enumerate(shown)
            if one.style_id in self._index and one.impression_id not in self._open
        ]
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
        for row, one in enumerate(new):
            self._open[one.impression_id] = _Open(views, row, self._index[one.style_id], one.position)
        self._close_before(int(at_us.max()) - OPEN_WINDOWS * self._window_us)

    def append_events(self, events: Sequence[Event]) -> None:
        """Learn from clicks and purchases; repeated ones, late ones and unknown ones are passed over."""
        for event in events:
            showing = self._open.get(event.impression_id)
            if showing is not None:
                self._happen(showing, event)

    def forget(self, user_id: str) -> None:
        """Drop what is believed of a user; their part in what holds for everybody goes at the next replay."""
        code = int(self.beliefs.users.find([user_id])[0])
        self._open = {key: one for key, one in self._open.items() if one.views.users[one.row] != code}
        self.beliefs.forget(user_id)

    def _happen(self, showing: _Open, event: Event) -> None:
        at_us = np.array([microseconds(event.occurred_at)], dtype=np.int64)
        if not 0 <= at_us[0] - showing.at_us <= self._window_us:
            return
        style = np.array([showing.style])
        if not isinstance(event, ClickEvent):
            if not showing.is_purchased:
                showing.is_purchased = True
                self.beliefs.purchase(showing.view, style)
        elif not showing.is_clicked:
            showing.is_clicked = True
            self.beliefs.click(showing.view, style, np.array([showing.position]), at_us)

    def _close_before(self, at_us: int) -> None:
        while self._open:
            oldest = next(iter(self._open))
            if self._open[oldest].at_us >= at_us:
                return
            del self._open[oldest]

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
        ids = log["impression_id"].to_numpy()
        since = int(items.shown_us.max(initial=0)) - OPEN_WINDOWS * self._window_us
        recent = np.flatnonzero(items.shown_us >= since)
        views = views.take(recent)
        for row, index in enumerate(recent.tolist()):
            self._open[str(ids[items.rows[index]])] = _Open(
                views,
                row,
                int(items.styles[index]),
                int(items.positions[index]),
                bool(items.is_clicked[index]),
                bool(items.is_purchased[index]),
            )
