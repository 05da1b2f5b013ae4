"""A log cut into blocks that can be learned from at once, as if event by event."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from personalize.features.beliefs import Beliefs
from personalize.features.history import column_us
from personalize.features.runs import Ints

if TYPE_CHECKING:
    import pandas as pd

SHOWN, CLICKED, PURCHASED = 0, 1, 2
LOOK_AHEAD = 1024
"""Items looked at to find the end of a block; a block is no longer."""


@dataclass(frozen=True, slots=True)
class Items:
    """Showings of a log and, in the order of what happened, the items of its life.

    Per showing (n,): rows of the log, users' codes and what `Beliefs.views` and `show` want. Per item
    (m,): its kind, its showing, its moment, and `hangs_on`, the latest earlier item of the same user that
    is not of the same page, or -1.
    """

    rows: Ints
    user_ids: Sequence[str]
    categories: Sequence[str]
    contexts: Sequence[Mapping[str, object]]
    shown_us: Ints
    styles: Ints
    positions: Ints
    is_clicked: NDArray[np.bool_]
    is_purchased: NDArray[np.bool_]
    kind: Ints
    showing: Ints
    at_us: Ints
    hangs_on: Ints

    @classmethod
    def of(cls, log: "pd.DataFrame", index: Mapping[str, int], window_us: int) -> "Items":
        """The items of a log; showings of styles that `index` does not know are left out."""
        styles: Ints = np.array(log["style_id"].map(index).fillna(-1), dtype=np.int64)
        rows = np.flatnonzero(styles >= 0)
        log = log.iloc[rows]
        shown_us = column_us(log["shown_at"])
        users = log["user_id"].factorize()[0].astype(np.int64)
        kind, showing, at_us, happened = (
            [np.zeros(len(rows), dtype=np.int64)],
            [np.arange(len(rows))],
            [shown_us],
            [],
        )
        for which, name in ((CLICKED, "clicked_at"), (PURCHASED, "purchased_at")):
            moment = column_us(log[name])
            counts = (moment >= shown_us) & (moment - shown_us <= window_us)
            found = np.flatnonzero(counts)
            happened.append(counts)
            kind.append(np.full(len(found), which))
            showing.append(found)
            at_us.append(moment[found])
        kinds, showings, moments = map(np.concatenate, (kind, showing, at_us))
        order = np.lexsort((showings, kinds, moments))
        kinds, showings, moments = kinds[order], showings[order], moments[order]
        return cls(
            rows,
            log["user_id"].tolist(),
            log["category"].tolist(),
            _contexts(log),
            shown_us,
            styles[rows],
            log["position"].to_numpy(dtype=np.int64),
            happened[0],
            happened[1],
            kinds,
            showings,
            moments,
            _hangs_on(users[showings], kinds, moments),
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Showings, then purchases and clicks, as indexes of showings."""

    shown: Ints
    purchased: Ints
    clicked: Ints
    clicked_us: Ints


def blocks(items: Items, beliefs: Beliefs) -> Iterator[Block]:
    """Blocks in which no page hangs on an earlier item, and slow levels are not refreshed midway.

    Items of different users move different sums, and those of the slow levels are read again only after a
    refresh, so inside a block their order does not matter.
    """
    start = 0
    while start < len(items.kind):
        stop = _end(items, start, beliefs)
        kind, showing = items.kind[start:stop], items.showing[start:stop]
        is_click = kind == CLICKED
        yield Block(
            showing[kind == SHOWN],
            showing[kind == PURCHASED],
            showing[is_click],
            items.at_us[start:stop][is_click],
        )
        start = stop


def _end(items: Items, start: int, beliefs: Beliefs) -> int:
    stop = min(start + LOOK_AHEAD, len(items.kind))
    kind = items.kind[start:stop]
    hanging = np.flatnonzero((kind == SHOWN) & (items.hangs_on[start:stop] >= start))
    free = int(hanging[0]) if len(hanging) else len(kind)
    n_shown = np.cumsum(kind[:free] == SHOWN)
    refreshing = np.flatnonzero(beliefs.refreshes(n_shown, is_event=kind[:free] == CLICKED))
    return start + (int(refreshing[0]) + 1 if len(refreshing) else free)


def _hangs_on(users: Ints, kinds: Ints, at_us: Ints) -> Ints:
    """(m,) the latest earlier item of the same user that is not a showing of the same moment, or -1."""
    order = np.lexsort((np.arange(len(users)), users))
    user, moment, shown = users[order], at_us[order], kinds[order] == SHOWN
    same_user = np.append(False, user[1:] == user[:-1])
    same_page = same_user & shown & np.append(False, shown[:-1] & (moment[1:] == moment[:-1]))
    before = np.append(-1, order[:-1])
    before[~same_user] = -1
    first = np.where(same_page, -1, np.arange(len(order)))
    page_start = np.maximum.accumulate(first)
    hangs_on = np.empty(len(order), dtype=np.int64)
    hangs_on[order] = before[page_start]
    return hangs_on


def _contexts(log: "pd.DataFrame") -> list[Mapping[str, object]]:
    if "context" not in log:
        return [{}] * len(log)
    found: list[Any] = log["context"].tolist()
    return [context if isinstance(context, Mapping) else {} for context in found]
