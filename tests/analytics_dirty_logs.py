"""Dirty logs, and what is left of them: the cleaning rules once more, slowly and plainly."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.cleaning import Cleaning

START = datetime(2030, 1, 1, tzinfo=UTC)
STOP = START + timedelta(days=3)
BLANKS = (None, "", " ", "\t ", "\n")

Shown = tuple[str | None, str | None, str | None, datetime | None]
"""impression id, user, variant, time"""

Clicked = tuple[str | None, str | None, datetime | None]
"""event id, impression id, time"""


@dataclass
class Log:
    """What a shop wrote down."""

    impressions: list[Shown] = field(default_factory=list)
    clicks: list[Clicked] = field(default_factory=list)


def corrupt_log(seed: int) -> Log:
    """Twenty visitors and what can go wrong with what is written about them."""
    rng = random.Random(seed)
    users = [*(f"u{n}" for n in range(14)), "7", "007", "Zo\u00eb", "Zoe\u0308", "U1", " u1"]
    log = Log()
    for user in users:
        variant = rng.choice(["a", "b"])
        for _ in range(rng.randint(0, 6)):
            at = START + timedelta(minutes=rng.randint(-600, 3 * 1440 + 600))
            shown: Shown = (f"i{len(log.impressions)}", user, variant, at)
            log.impressions.append(shown)
            if rng.random() < 0.4:
                after = timedelta(minutes=rng.randint(0, 600))
                log.clicks.append((f"c{len(log.clicks)}", shown[0], at + after))
    for _ in range(rng.randint(0, 25)):
        rng.choice(CORRUPTIONS)(rng, log)
    rng.shuffle(log.impressions)
    rng.shuffle(log.clicks)
    return log


def _edit(rng: random.Random, rows: list[Any], place: int, values: Any) -> None:
    if rows:
        n = rng.randrange(len(rows))
        row = list(rows[n])
        row[place] = values(row[place]) if callable(values) else values
        rows[n] = tuple(row)


def _busy(rng: random.Random, log: Log) -> None:
    user = f"bot{rng.randint(0, 2)}"
    log.impressions += [
        (f"b{len(log.impressions) + n}", user, "a", START + timedelta(minutes=n)) for n in range(9)
    ]


def _again(rng: random.Random, rows: list[Any]) -> None:
    if rows:
        rows.append(rng.choice(rows))


def _shift(rng: random.Random) -> Any:
    minutes = rng.choice([-3000, -1441, -1440, -1, 1, 1439, 1440, 1441, 5000])
    return lambda at: at and at + timedelta(minutes=minutes)


CORRUPTIONS = (
    lambda rng, log: _edit(rng, log.impressions, rng.randint(0, 2), rng.choice(BLANKS)),
    lambda rng, log: _edit(rng, log.clicks, rng.randint(0, 1), rng.choice(BLANKS)),
    lambda rng, log: _edit(rng, log.impressions, 3, None),
    lambda rng, log: _edit(rng, log.clicks, 2, None),
    lambda rng, log: _again(rng, log.impressions),
    lambda rng, log: _again(rng, log.clicks),
    lambda rng, log: _edit(rng, log.impressions, 2, "b"),
    lambda rng, log: _edit(rng, log.impressions, 0, f"i{rng.randint(0, 9)}"),
    lambda rng, log: _edit(rng, log.clicks, 0, f"c{rng.randint(0, 9)}"),
    lambda rng, log: _edit(rng, log.clicks, 1, f"i{rng.randint(0, 99)}"),
    lambda rng, log: _edit(rng, log.impressions, 3, _shift(rng)),
    lambda rng, log: _edit(rng, log.clicks, 2, _shift(rng)),
    lambda rng, log: log.impressions.clear() if rng.random() < 0.03 else None,
    lambda rng, log: log.clicks.clear() if rng.random() < 0.03 else None,
    _busy,
)


@dataclass
class Expected:
    """Clicks and impressions per (user, variant), and the rows that each rule dropped."""

    pairs: dict[tuple[str, str], tuple[int, int]]
    impressions: Counter[str]
    clicks: Counter[str]


def _is_blank(value: str | None) -> bool:
    return value is None or all(ch in " \t\r\n" for ch in value)


def reference(log: Log, rules: Cleaning) -> Expected:
    """One row after the other, as a person would with a pencil."""
    fate: list[str] = []
    best: dict[str, int] = {}
    order = sorted(range(len(log.impressions)), key=lambda n: _when(log.impressions[n]))
    fate = [_own_fate(log.impressions[n], rules, rules.stopped_at) for n in range(len(log.impressions))]
    for n in order:
        shown = log.impressions[n]
        if fate[n] == "kept" and not _is_blank(shown[0]):
            if shown[0] in best and rules.duplicates != "keep":
                fate[n] = "duplicates"
            best.setdefault(str(shown[0]), n)
    seen: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for n, (_, user, variant, at) in enumerate(log.impressions):
        if fate[n] == "kept":
            seen[str(user)].append((at or START, str(variant)))
    for n, (_, user, variant, _at) in enumerate(log.impressions):
        if fate[n] == "kept" and len({v for _, v in seen[str(user)]}) > 1:
            is_first = rules.two_variants == "first" and variant == min(seen[str(user)])[1]
            if rules.two_variants != "keep" and not is_first:
                fate[n] = "two_variants"
    sizes = Counter(log.impressions[n][1:3] for n in range(len(fate)) if fate[n] == "kept")
    for n in range(len(fate)):
        is_busy = rules.bot_bound is not None and sizes[log.impressions[n][1:3]] > rules.bot_bound
        if fate[n] == "kept" and is_busy:
            fate[n] = "bots"
    clicked, click_fate = _judge_clicks(log, rules, fate, best)
    pairs = {
        (str(user), str(variant)): (clicked[user, variant], n)
        for (user, variant), n in Counter(
            log.impressions[n][1:3] for n in range(len(fate)) if fate[n] == "kept"
        ).items()
    }
    return Expected(pairs, Counter(fate), click_fate)


def _when(row: Shown) -> tuple[bool, datetime, str, str]:
    return row[3] is None, row[3] or START, str(row[1]), str(row[2])


def _own_fate(row: Shown | Clicked, rules: Cleaning, stopped_at: datetime | None) -> str:
    *ids, at = row
    if any(map(_is_blank, ids)):
        return "missing_ids"
    if at is None:
        return "bad_time"
    is_early = rules.started_at is not None and at < rules.started_at
    return "outside_window" if is_early or (stopped_at is not None and at >= stopped_at) else "kept"


def _judge_clicks(
    log: Log, rules: Cleaning, fate: list[str], best: dict[str, int]
) -> tuple[Counter[tuple[Any, Any]], Counter[str]]:
    clicked: Counter[tuple[Any, Any]] = Counter()
    fates: Counter[str] = Counter()
    events: set[str] = set()
    done: set[int] = set()
    stop = rules.outcomes_stop_at
    for event_id, impression_id, at in sorted(
        log.clicks, key=lambda c: (c[2] is None, c[2] or START, str(c[0]), str(c[1]))
    ):
        why = _own_fate((event_id, impression_id, at), rules, stop)
        if why == "kept" and event_id in events and rules.duplicates != "keep":
            why = "duplicates"
        if why == "kept":
            events.add(str(event_id))
            n = best.get(str(impression_id))
            why = "orphans" if n is None else _meet(log, rules, fate, n, at or START, done)
        if why == "kept":
            clicked[log.impressions[best[str(impression_id)]][1:3]] += 1
        fates[why] += 1
    return clicked, fates


def _meet(log: Log, rules: Cleaning, fate: list[str], n: int, at: datetime, done: set[int]) -> str:
    shown_at = log.impressions[n][3] or START
    if at < shown_at - rules.clock_skew and rules.early != "keep":
        return "early"
    if at > shown_at + rules.attribution and rules.late != "keep":
        return "late"
    if n in done and rules.repeated != "keep":
        return "repeated"
    done.add(n)
    return "kept" if fate[n] == "kept" else "impression_dropped"
