"""From a log to training rows: features as of each showing, graded relevance, groups to compare within."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from personalize.features import FeatureFrame, History, Requests, StyleSpace, build_features, relevance
from personalize.features.history import column_us, microseconds
from personalize.features.online import Online, Replay
from personalize.features.runs import Ints
from personalize.models.boosting import TrainingRows

if TYPE_CHECKING:
    import pandas as pd

MAX_POSITION = 63
SINGLES = 8
MAX_GROUP = 10_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Examples:
    """Impressions of candidate styles with what was known before each, (n,), in order of showing."""

    frame: FeatureFrame
    relevance: Ints
    position: Ints
    user: Ints
    slate: Ints
    shown_us: Ints

    def __len__(self) -> int:
        return len(self.relevance)

    @property
    def n_clicks(self) -> int:
        return int((self.relevance > 0).sum())

    def take(self, rows: NDArray[np.bool_]) -> "Examples":
        return Examples(
            self.frame.take(rows),
            self.relevance[rows],
            self.position[rows],
            self.user[rows],
            self.slate[rows],
            self.shown_us[rows],
        )


@dataclass(frozen=True, slots=True)
class Played:
    """A log played through once: its events, and what was believed before each showing."""

    history: History
    replay: Replay


def play(
    log: "pd.DataFrame",
    space: StyleSpace,
    *,
    half_life: timedelta,
    attribution_window: timedelta,
    keep: NDArray[np.bool_] | None = None,
) -> Played:
    """Play a log through; the beliefs of all styles stay for the showings of `keep`, (n,)."""
    windows = {"half_life": half_life, "attribution_window": attribution_window}
    return Played(History.from_log(log, **windows), Online.from_log(log, space, **windows, keep=keep))


def read_examples(
    log: "pd.DataFrame",
    space: StyleSpace,
    *,
    half_life: timedelta,
    attribution_window: timedelta,
    played: Played | None = None,
) -> Examples:
    """Replay a log: each impression of a candidate style, with its features just before it was shown.

    Impressions of the unstyled original, and of styles no longer on offer, are not examples; they still
    say something about their user.

    Args:
        played: the log, if it was played through already.
    """
    played = played or play(log, space, half_life=half_life, attribution_window=attribution_window)
    history, replay = played.history, played.replay
    is_candidate = log["style_id"].isin(space.style_ids).to_numpy(dtype=np.bool_)
    rows = log[is_candidate]
    shown_us = column_us(rows["shown_at"])
    requests = Requests(tuple(rows["user_id"]), tuple(rows["category"]), shown_us)
    beliefs = replay.shown.take(is_candidate)
    frame = build_features(history, requests, space, beliefs=beliefs, shown=tuple(rows["style_id"]))
    return Examples(
        frame,
        relevance(rows, attribution_window=attribution_window),
        rows["position"].to_numpy(dtype=np.int64),
        history.users.find(tuple(rows["user_id"])),
        rows["slate_id"].factorize()[0].astype(np.int64),
        shown_us,
    )


def by_slate(examples: Examples) -> TrainingRows:
    """Rows for LambdaRank, a group being what was shown together.

    Rows of a group share their moment, and must: a click raises what is known of its style from then
    on but not at the row that was clicked, so a group that holds a user's whole day sees the clicked
    row with the lower taste, and learns the signal the wrong way round (in the simulator all order by
    taste is lost so). Slates of a single product, which compare nothing, are put together in the order
    of showing, mostly those of different users, `SINGLES` at a time.
    """
    slate, size = examples.slate, np.bincount(examples.slate)[examples.slate]
    single = size == 1
    key = slate.copy()
    key[single] = len(size) + np.arange(single.sum()) // SINGLES + slate.max(initial=0)
    order = np.argsort(key, kind="stable")
    _, sizes = np.unique(key[order], return_counts=True)
    return TrainingRows(
        examples.frame.take(order),
        examples.relevance[order],
        np.minimum(examples.position[order], MAX_POSITION),
        examples.user[order],
        _cut(sizes),
    )


def _cut(sizes: NDArray[np.intp]) -> Ints:
    """Group sizes with those above `MAX_GROUP`, LightGBM's limit, cut into pieces."""
    if sizes.max(initial=0) <= MAX_GROUP:
        return sizes.astype(np.int64)
    pieces = [min(MAX_GROUP, size - start) for size in sizes for start in range(0, size, MAX_GROUP)]
    return np.array(pieces, dtype=np.int64)


def holdout_start(examples: Examples, *, as_of: datetime, holdout_days: int) -> int:
    """Moment from which impressions are held back: the latest days, or the last third of a young log."""
    return latest_from(examples.shown_us, as_of=as_of, holdout_days=holdout_days)


def latest_from(shown_us: Ints, *, as_of: datetime, holdout_days: int) -> int:
    """The same, of impressions shown at these moments."""
    start = microseconds(as_of - holdout_days * _DAY)
    if (shown_us < start).sum() * 3 >= len(shown_us):
        return start
    return int(np.quantile(shown_us, 2 / 3))
