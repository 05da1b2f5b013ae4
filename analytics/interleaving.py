"""Two rankers in one list: each user judges both, so that far fewer users tell which is better."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.errors import InsufficientData
from analytics.inference.ratio import ratio_from_sums
from analytics.sums import Sums
from analytics.wording import capitalized, count, p_value

Team = Literal["a", "b"]
Item = TypeVar("Item", bound=Hashable)

COINS_PER_HASH = 512


@dataclass(frozen=True, slots=True)
class Draft(Generic[Item]):
    """The list to show, and whose choice each item was.

    Attributes:
        items: in the order to show them.
        teams: "a" or "b", or None for the items that both rankers put first in the same order: a
            click there says nothing about which is better, and is not counted.
    """

    items: tuple[Item, ...]
    teams: tuple[Team | None, ...]


def team_draft(a: Sequence[Item], b: Sequence[Item], *, key: str, length: int | None = None) -> Draft[Item]:
    """One list from two rankings, the rankers choosing in turn as captains choose players.

    In each round a coin says who chooses first; each takes its highest item that is not taken yet.
    A ranker that has nothing left to choose sits out. So every position is as likely to be the one's
    as the other's, and what differs is only what they chose.

    The coins are the bits of BLAKE2b of the key, so that a draft is the same in every process and can
    be made again from the log: use something like `f"{salt}:{user_id}:{request_id}"`, never the user
    alone, or a user would always see the same ranker go first.

    Args:
        a, b: item ids, best first, each at most once.
        length: how many to show; all of them when None.
    Raises:
        ValueError: an item twice in one ranking, or a negative length.
    Source: Radlinski, Kurup and Joachims, CIKM 2008; the shared beginning without credit, Chapelle,
        Joachims, Radlinski and Yue, ACM TOIS 2012, 30(1), section 4.

    >>> team_draft(["x", "y", "z"], ["x", "z", "y"], key="shop:ada:1")
    Draft(items=('x', 'z', 'y'), teams=(None, 'b', 'a'))
    """
    if len(set(a)) < len(a) or len(set(b)) < len(b):
        raise ValueError("a ranking holds an item twice; rank each item once")
    if length is not None and length < 0:
        raise ValueError(f"length must be 0 or more, got {length}")
    wanted = len(a) + len(b) if length is None else length
    n_shared = _shared_beginning(a, b, wanted)
    items: list[Item] = list(a[:n_shared])
    teams: list[Team | None] = [None] * n_shared
    taken = set(items)
    choosers: dict[Team, Iterator[Item]] = {"a": iter(a[n_shared:]), "b": iter(b[n_shared:])}
    coins = _coins(key)
    while len(items) < wanted and choosers:
        order: tuple[Team, Team] = ("a", "b") if next(coins) else ("b", "a")
        for team in order:
            if team not in choosers or len(items) == wanted:
                continue
            for item in choosers[team]:
                if item not in taken:
                    taken.add(item)
                    items.append(item)
                    teams.append(team)
                    break
            else:
                del choosers[team]
    return Draft(tuple(items), tuple(teams))


def _shared_beginning(a: Sequence[Item], b: Sequence[Item], wanted: int) -> int:
    n = 0
    for one, other in zip(a, b, strict=False):
        if one != other or n == wanted:
            break
        n += 1
    return n


def _coins(key: str) -> Iterator[int]:
    """Fair coins without end, always the same for a key."""
    block = 0
    while True:
        digest = blake2b(f"{block}:{key}".encode("utf-8", "surrogatepass"), digest_size=COINS_PER_HASH // 8)
        bits = int.from_bytes(digest.digest(), "big")
        for place in range(COINS_PER_HASH):
            yield bits >> place & 1
        block += 1


@dataclass(frozen=True)
class Credits:
    """One row a user: clicks on what each ranker chose, over all lists the user saw.

    Raises:
        ValueError: arrays of different lengths, or a count below zero.
    """

    user: NDArray[Any]
    clicks_a: NDArray[Any]
    clicks_b: NDArray[Any]

    def __post_init__(self) -> None:
        shapes = {np.shape(array) for array in (self.user, self.clicks_a, self.clicks_b)}
        if len(shapes) > 1 or len(next(iter(shapes))) != 1:
            raise ValueError(f"one value per user is wanted in every column, got shapes {sorted(shapes)}")
        if bool(np.any(np.asarray(self.clicks_a) < 0) or np.any(np.asarray(self.clicks_b) < 0)):
            raise ValueError("clicks cannot be below zero")

    @classmethod
    def of(cls, user: NDArray[Any], team: NDArray[Any]) -> Credits:
        """Credits from one row a click: whose user it was, and the team of the item ("a", "b", or anything
        else for an item without one).
        """
        names, place = np.unique(user, return_inverse=True)
        counts = [np.bincount(place[team == one], minlength=len(names)) for one in ("a", "b")]
        return cls(names, *counts)


@dataclass(frozen=True)
class Interleaved:
    """Which ranker the users preferred.

    Attributes:
        preference: share of the clicks that b earned above the share that a earned, -1 to 1, 0 for
            equal rankers, with its 1 - alpha interval.
        share_b: of the clicks, b's.
        why_none: why a number is missing.
        conclusion: the outcome in plain words.
    """

    n_users: int
    clicks_a: int
    clicks_b: int
    alpha: float
    preference: float | None = None
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    why_none: str | None = None

    @property
    def share_b(self) -> float | None:
        """Of the clicks that counted, the share on what b chose."""
        return None if self.preference is None else (1.0 + self.preference) / 2.0

    @property
    def conclusion(self) -> str:
        """One or two sentences."""
        seen = (
            f"{count(self.n_users)} users clicked, {count(self.clicks_a)} times on a's choices and "
            f"{count(self.clicks_b)} times on b's."
        )
        if self.p is None or self.preference is None:
            return f"{seen} Which is better cannot be told: {self.why_none}."
        if self.p >= self.alpha:
            return f"{seen} No difference between the rankers was found (p {p_value(self.p)})."
        better = "b" if self.preference > 0 else "a"
        return capitalized(f"{better} is the better ranker (p {p_value(self.p)}). {seen}")

    def to_dict(self) -> dict[str, Any]:
        """All of it ready for JSON: no NaN, no infinity."""
        return asdict(self) | {"share_b": self.share_b, "conclusion": self.conclusion}


def compare_interleaved(credits: Credits, *, alpha: float = 0.05) -> Interleaved:  # noqa: A002
    """Which of two interleaved rankers earned more clicks, users being what is random.

    With A and B the clicks of one user on what each ranker chose,
        preference = sum(B - A) / sum(B + A)
    and its error by the delta method over users. Users without a click tell nothing and may be left
    out. Under equal rankers the coins make E(B - A) = 0 for every user.

    Raises:
        ValueError: alpha outside (0, 1).
    Source: Chapelle et al., ACM TOIS 2012, 30(1); the error, `analytics.inference.ratio`.

    >>> result = compare_interleaved(Credits(np.arange(4), np.array([0, 1, 0, 1]), np.array([2, 1, 3, 0])))
    >>> result.preference, round(result.p, 3)
    (0.5, 0.267)
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    a, b = np.asarray(credits.clicks_a), np.asarray(credits.clicks_b)
    has_clicked = (a + b) > 0
    a, b = a[has_clicked], b[has_clicked]
    result = Interleaved(len(a), int(a.sum()), int(b.sum()), alpha)
    if not len(a):
        return replace(result, why_none="nobody clicked on what only one of the rankers chose")
    sums = Sums.of(b - a, b + a)
    result = replace(result, preference=float(sums.y / sums.x))
    try:
        known = ratio_from_sums(sums)
        p = known.p()
    except InsufficientData as reason:
        return replace(result, why_none=_reason(reason, len(a)))
    low, high = known.interval(alpha)
    return replace(
        result,
        standard_error=known.standard_error,
        ci_low=max(low, -1.0),
        ci_high=min(high, 1.0),
        p=p,
    )


def _reason(reason: InsufficientData, n_users: int) -> str:
    if n_users > 1:
        return "all users split their clicks alike, so the error cannot be estimated"
    return str(reason)
