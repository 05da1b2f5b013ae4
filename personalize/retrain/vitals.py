"""Is tonight's log fit to learn from? What a broken pipeline or a bot leaves behind, in plain words.

Neither shows in a held-back day that is broken in the same way, so these checks stand beside the gate. They
refuse; they do not repair. Where the data were right after all, a version is promoted by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from personalize.features.history import column_us, microseconds

if TYPE_CHECKING:
    import pandas as pd

DAY_US = 86_400_000_000

FEWEST_LEFT = 0.6
"""Share of what was there before, or of the slowest day of the week before, below which a log has a hole."""

DAYS_COMPARED = 7
FEWEST_DAYS = 3
FEWEST_IMPRESSIONS = 200
FEWEST_CLICKS = 50
"""Per day, below which chance alone may halve a number."""

BOT_CLICKS, BOT_RATE, BOT_LIFT = 30, 0.75, 5.0
"""A user with that many clicks or more, on that share of impressions and that many times the usual rate."""

BOT_SHARE = 0.2
"""Share of all clicks that no single user makes, among `FEWEST_CLICKS` or more who click."""

TOLERATED_SHARE = 0.02
"""Share of all clicks that such users may have made without doing harm."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """A night's log in numbers.

    days: impressions and clicks of each whole day in UTC, by ISO date: what the next night compares.
    latest: impressions and clicks of the 24 hours up to `as_of`, the 24 hours before them, and so on.
    suspects: users who click like machines, with their clicks and click-through, most clicks first.
    suspect_share: share of all clicks that they made.
    """

    days: dict[str, tuple[int, int]]
    latest: tuple[tuple[int, int], ...]
    suspects: tuple[tuple[str, int, float], ...]
    suspect_share: float


def vitals(log: "pd.DataFrame", *, since: datetime, as_of: datetime) -> Vitals:
    """Vitals of a log as `read_log` gives it, for impressions of `since` <= shown_at < `as_of`."""
    clicked = log["clicked_at"].notna()
    shown_us = column_us(log["shown_at"])
    window = np.maximum(-((shown_us - microseconds(as_of)) // DAY_US) - 1, 0)
    shown = np.bincount(window, minlength=1)
    clicks = np.bincount(window, weights=clicked, minlength=1).astype(np.int64)
    day, row_day = np.unique(shown_us // DAY_US, return_inverse=True)
    is_whole = (day * DAY_US >= microseconds(since)) & ((day + 1) * DAY_US <= microseconds(as_of))
    n_shown, n_clicked = np.bincount(row_day), np.bincount(row_day, weights=clicked)
    days = {
        str(np.datetime64(int(day[i]), "D")): (int(n_shown[i]), int(n_clicked[i]))
        for i in np.flatnonzero(is_whole)
    }
    suspects = _suspects(log["user_id"], clicked)
    share = sum(n_clicks for _, n_clicks, _ in suspects) / max(int(clicked.sum()), 1)
    return Vitals(days, tuple(zip(shown.tolist(), clicks.tolist(), strict=True)), suspects, share)


def _suspects(user_id: "pd.Series[str]", clicked: "pd.Series[bool]") -> tuple[tuple[str, int, float], ...]:
    by_user = clicked.groupby(user_id).agg(["size", "sum"])
    rate = by_user["sum"] / by_user["size"]
    usual = float(rate.median()) if len(rate) else 0.0
    is_steady = (rate >= BOT_RATE) & (rate >= BOT_LIFT * usual)
    is_many = (by_user["sum"] >= BOT_SHARE * by_user["sum"].sum()) & ((rate > 0).sum() >= FEWEST_CLICKS)
    is_bot = (by_user["sum"] >= BOT_CLICKS) & (is_steady | is_many)
    found = by_user[is_bot].assign(rate=rate[is_bot]).sort_values("sum", ascending=False)
    return tuple((str(user), int(n_clicks), float(r)) for user, _, n_clicks, r in found.itertuples())


def ailments(tonight: Vitals, before: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """Why nothing should be promoted on this log; empty when it looks sound.

    Args:
        before: `days` as the night before saw them; a day that was whole then cannot have shrunk since, but
            for users who were erased.
    """
    return tuple(
        reason for reason in (_lost(tonight, before), _quiet(tonight), _bots(tonight)) if reason is not None
    )


def _lost(tonight: Vitals, before: Mapping[str, Sequence[int]]) -> str | None:
    shared = sorted(tonight.days.keys() & before.keys())
    for kind, name in enumerate(("impressions", "clicks")):
        had = sum(before[day][kind] for day in shared)
        has = sum(tonight.days[day][kind] for day in shared)
        if had >= FEWEST_CLICKS and has < FEWEST_LEFT * had:
            return (
                f"part of the log is missing: of {had:,} {name} from {shared[0]} to {shared[-1]} that the "
                f"night before saw, {has:,} are left; restore them and retrain"
            )
    return None


def _quiet(tonight: Vitals) -> str | None:
    newest, *earlier = tonight.latest
    compared = [day for day in earlier[:DAYS_COMPARED] if day[0] > 0]
    if len(compared) < FEWEST_DAYS:
        return None
    slowest = min(shown for shown, _ in compared)
    if slowest >= FEWEST_IMPRESSIONS and newest[0] < FEWEST_LEFT * slowest:
        return (
            f"part of the latest day is missing: {newest[0]:,} impressions in 24 hours, never fewer than "
            f"{slowest:,} in the days before; import the rest and retrain"
        )
    rate = min(clicks / shown for shown, clicks in compared)
    expected = rate * newest[0]
    if expected >= FEWEST_CLICKS and newest[1] < FEWEST_LEFT * expected:
        return (
            f"clicks of the latest day are missing: {newest[1]:,} on {newest[0]:,} impressions, at least "
            f"{expected:,.0f} by the rates of the days before; import the rest and retrain"
        )
    return None


def _bots(tonight: Vitals) -> str | None:
    if tonight.suspect_share < TOLERATED_SHARE or not tonight.suspects:
        return None
    user_id, n_clicks, rate = tonight.suspects[0]
    others = f" and {len(tonight.suspects) - 1} more" if len(tonight.suspects) > 1 else ""
    return (
        f"{tonight.suspect_share:.0%} of the clicks look like a bot's: user {user_id!r} clicked {rate:.0%} "
        f"of what it saw, {n_clicks:,} times{others}; if it is one, erase it with "
        f"`personalize erase-user {user_id}` and retrain"
    )


def days_before(report: Mapping[str, Any] | None) -> dict[str, Sequence[int]]:
    """The days that a stored report of an earlier night holds; none if there is no report."""
    days: dict[str, Sequence[int]] = dict((report or {}).get("days", {}))
    return days
