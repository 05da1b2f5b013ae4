"""All that is remembered of the shop: events, for features as of any moment, and the beliefs they led to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from personalize.data.records import Event, ShownStyle
from personalize.features.build import believed_frame, build_features
from personalize.features.frame import FeatureFrame, Requests
from personalize.features.history import History
from personalize.features.ledger import Merger
from personalize.features.online import Foresight, Online
from personalize.features.runs import Family, Ints
from personalize.features.style import StyleSpace

if TYPE_CHECKING:
    import pandas as pd


class Memory:
    """`History` and `Online`, told the same things in the same order."""

    def __init__(self, history: History, online: Online, space: StyleSpace) -> None:
        self.history = history
        self.online = online
        self._space = space

    @classmethod
    def empty(cls, space: StyleSpace, *, half_life: timedelta, attribution_window: timedelta) -> "Memory":
        """The memory of a shop where nothing has happened yet."""
        history = History(half_life=half_life, attribution_window=attribution_window)
        return cls(history, Online(space, half_life=half_life, attribution_window=attribution_window), space)

    @classmethod
    def from_log(
        cls, log: "pd.DataFrame", space: StyleSpace, *, half_life: timedelta, attribution_window: timedelta
    ) -> "Memory":
        """The memory of a log as `personalize.data.extracts.read_log` gives it."""
        history = History.from_log(log, half_life=half_life, attribution_window=attribution_window)
        replay = Online.from_log(log, space, half_life=half_life, attribution_window=attribution_window)
        return cls(history, replay.online, space)

    def frame(self, requests: Requests, *, beliefs_only: bool = False) -> FeatureFrame:
        """Features of every candidate style for these requests, as of their moments.

        Args:
            beliefs_only: just the columns `belief` and `belief_spread`, which are all that the online
                layer scores by, several times faster.
        """
        scores = self.online.score(requests)
        beliefs = Foresight(scores.log_odds[:, :-1], scores.spread[:, :-1])
        if beliefs_only:
            return replace(believed_frame(beliefs, self._space), beliefs=scores)
        frame = build_features(self.history, requests, self._space, beliefs=beliefs)
        return replace(frame, beliefs=scores)

    def expect_features(self) -> None:
        """Make ready for frames of all columns, so that the first of them is not slow; in any thread."""
        self.history.ledger.expect(Family)

    def own_counts(self, user_id: str, style_ids: Sequence[str], at_us: int) -> Ints:
        """How often the user saw and clicked each style before that moment, (n, 2)."""
        user = self.history.users.find([user_id])
        styles = self.history.styles.find(style_ids)
        tally = self.history.tally(Family.USER_STYLE, user, np.zeros_like(user), styles, np.array([at_us]))
        return tally.counts[:, :2]

    def append_shown(
        self,
        shown: Sequence[ShownStyle],
        categories: Sequence[str],
        contexts: Sequence[Mapping[str, object]],
    ) -> None:
        """Add impressions just shown, with each one's category and context; known ones are passed over."""
        self.history.append_shown(shown, categories)
        self.online.append_shown(shown, categories, contexts)

    def append_events(self, events: Sequence[Event]) -> None:
        """Add clicks and purchases; repeated ones, late ones and unknown ones are passed over."""
        self.history.append_events(events)
        self.online.append_events(events)

    @property
    def is_due(self) -> bool:
        """Whether there is something to `settle`, or a `merger` to make a run of."""
        return self.online.beliefs.is_due or self.history.ledger.is_due

    def settle(self) -> None:
        """Do now what the next question would have to wait for; the answers stay the same."""
        self.online.beliefs.settle()

    def merger(self) -> Merger | None:
        """Events to be kept in a better order, None while that does not pay; see `Ledger.adopt`."""
        return self.history.ledger.merger()

    def knows(self, user_id: str) -> bool:
        """Whether the user moved anything that is remembered."""
        return bool((self.online.beliefs.users.find([user_id]) >= 0).any())

    def forget(self, user_id: str) -> None:
        """Drop what is remembered of a user."""
        self.history.forget(user_id)
        self.online.forget(user_id)
