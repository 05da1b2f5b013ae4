"""All that is remembered of the shop: events, for features as of any moment, and the beliefs they led to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from personalize.data.records import Event, ShownStyle
from personalize.features.build import build_features
from personalize.features.frame import FeatureFrame, Requests
from personalize.features.history import History
from personalize.features.online import Foresight, Online
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

    def frame(self, requests: Requests) -> FeatureFrame:
        """Features of every candidate style for these requests, as of their moments."""
        scores = self.online.score(requests)
        beliefs = Foresight(scores.log_odds[:, :-1], scores.spread[:, :-1])
        frame = build_features(self.history, requests, self._space, beliefs=beliefs)
        return replace(frame, beliefs=scores)

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

    def forget(self, user_id: str) -> None:
        """Drop what is remembered of a user."""
        self.history.forget(user_id)
        self.online.forget(user_id)
