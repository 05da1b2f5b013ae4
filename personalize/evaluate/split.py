"""The earlier part to learn from, and cases to judge by: what each user did in the later part."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from personalize.evaluate.log import EventLog
from personalize.features.runs import Ints

SplitKind = Literal["time", "last"]
SPLITS: tuple[SplitKind, ...] = get_args(SplitKind)


@dataclass(frozen=True, slots=True)
class Case:
    """One user, the moment of asking, and what is to be ordered.

    rows: styles shown later, one entry an impression, or None where all known styles are to be ordered.
    relevant: of `rows`, which were clicked or bought, (len(rows),) bool; or the style codes that were.
    """

    user: int
    at_us: int
    rows: Ints | None
    relevant: NDArray[np.bool_] | Ints


@dataclass(frozen=True, slots=True)
class Split:
    """`earlier` is learned from. n_unreachable: liked events of styles that the earlier part never saw."""

    earlier: EventLog
    cases: tuple[Case, ...]
    n_unreachable: int


def split_log(log: EventLog, kind: SplitKind, test_share: float) -> Split:
    """Cut a log.

    Args:
        kind: `time` cuts everybody at the moment before which 1 - test_share of the events lie; `last` holds
            back each user's last click or purchase, of users with an earlier one, and what came after it.
    Returns:
        A case for each user who liked something in the later part; where impressions were logged, only if
        something shown was not liked too, since else there is nothing to order.
    """
    moment = _cut_by_time(log, test_share) if kind == "time" else _cut_by_user(log)
    is_later = log.at_us >= moment[log.user]
    earlier = log.take(~is_later)
    is_known = np.zeros(log.n_styles, dtype=np.bool_)
    is_known[earlier.style] = True
    later = log.take(is_later)
    n_unreachable = int((later.liked & ~is_known[later.style]).sum())
    return Split(earlier, tuple(_cases(later.take(is_known[later.style]), moment)), n_unreachable)


def _cut_by_time(log: EventLog, test_share: float) -> Ints:
    cut = log.at_us[min(round(len(log) * (1 - test_share)), len(log) - 1)]
    return np.full(log.n_users, cut)


def _cut_by_user(log: EventLog) -> Ints:
    """(U,) the moment of each user's last liked event; never, for users with fewer than two."""
    never = np.iinfo(np.int64).max
    moment = np.full(log.n_users, never)
    liked = log.take(log.liked)
    moment[liked.user] = liked.at_us  # in order of time, so the last one stays
    first = np.full(log.n_users, never)
    np.minimum.at(first, liked.user, liked.at_us)
    moment[first >= moment] = never
    return moment


def _cases(later: EventLog, moment: Ints) -> list[Case]:
    if not len(later):
        return []
    order = np.argsort(later.user, kind="stable")
    users, starts = np.unique(later.user[order], return_index=True)
    cases = []
    for user, rows in zip(users.tolist(), np.split(order, starts[1:]), strict=True):
        liked = later.grade[rows] > 0
        if not liked.any() or (later.has_impressions and liked.all()):
            continue
        if later.has_impressions:
            cases.append(Case(user, int(moment[user]), later.style[rows], liked))
        else:
            cases.append(Case(user, int(moment[user]), None, np.unique(later.style[rows[liked]])))
    return cases
