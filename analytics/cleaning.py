"""Which rows count: written rules, and a funnel in which every row is counted exactly once.

A row is dropped by the first rule that it breaks, in this order:

    impressions  missing_ids      user, variant or impression id is null or blank
                 bad_time         the time is missing or does not read as a time
                 outside_window   shown before the start, or at the stop or later
                 duplicates       the impression id was counted before: the earliest row stays
                 two_variants     its user was seen in more than one variant
                 bots             its user has more impressions than a person would
    clicks       missing_ids, bad_time, outside_window (the stop plus the attribution window), duplicates
    (purchases)  other_currency   an amount neither in the currency that counts nor in one with a rate
                 orphans          no impression that passed the first four rules has that id
                 early            before its impression by more than the clock skew
                 late             after its impression by more than the attribution window
                 repeated         its impression was clicked before; click-through counts it once
                 impression_dropped   its impression was dropped by the rules for users

Ids are opaque text: '007' is not '7', 'é' is not 'e' with an accent, and only null and nothing but
spaces, tabs and line ends are blank. Times are compared to the millisecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from analytics.currencies import Rate, exact_rates, rates_as_text
from analytics.definition import DAY, Definition
from analytics.errors import InvalidRequest, InvalidRows

IMPRESSION_RULES = ("missing_ids", "bad_time", "outside_window", "duplicates", "two_variants", "bots")
OUTCOME_RULES = (
    "missing_ids",
    "bad_time",
    "outside_window",
    "duplicates",
    "orphans",
    "early",
    "late",
    "repeated",
    "impression_dropped",
    "other_currency",
)
"""By number, from 1; rollups keep the numbers, so a rule that is new comes last wherever it is tried."""

MISSING, BAD_TIME, OUTSIDE, DUPLICATE, MIXED, BOT = range(1, 1 + len(IMPRESSION_RULES))
ORPHAN, EARLY, LATE, REPEATED, DROPPED, OTHER_CURRENCY = range(DUPLICATE + 1, 1 + len(OUTCOME_RULES))
"""A reason is the number of the rule that dropped the rows; 0 is kept."""

MET_REASONS = (EARLY, LATE, REPEATED)
"""Those of outcomes whose impression is known."""

BROKEN = -1
"""The reason of a pair of which no impression counts: the rules for single impressions dropped them all."""

BLANKS = " \t\r\n"

Rule = Literal["drop", "refuse"]
SoftRule = Literal["drop", "keep", "refuse"]
MixedRule = Literal["exclude", "first", "keep", "refuse"]


@dataclass(frozen=True)
class Cleaning:
    """The rules. Each is `drop` (leave the rows out and count them), `keep` (the rule is off) or
    `refuse` (an error when a single row breaks it).

    Attributes:
        two_variants: `exclude` users seen in several variants, take what they did in the one they saw
            `first`, or `keep` them in each. Excluding is safe when few are concerned; above 1 % look
            for the reason first.
        bot_impressions: users with more impressions than this are left out; None for no bound.
        clock_skew: a click may come so much earlier than its impression.
        currency: the one in which amounts count, such as EUR; None where the log has no more than one.
        rates: what one of another currency is worth in it, such as {"USD": "0.92"}; purchases in a currency
            without a rate do not count. `currencies` says how amounts are rounded.
        attribution, started_at, stopped_at: as in `Definition`, which hands them down.
    Raises:
        InvalidRequest: a currency or a rate that cannot be one.
    """

    missing_ids: Rule = "drop"
    bad_time: Rule = "drop"
    outside_window: Rule = "drop"
    duplicates: SoftRule = "drop"
    orphans: Rule = "drop"
    early: SoftRule = "drop"
    late: SoftRule = "drop"
    repeated: SoftRule = "drop"
    two_variants: MixedRule = "exclude"
    bots: SoftRule = "drop"
    bot_impressions: int | None = 1000
    clock_skew: timedelta = timedelta(0)
    attribution: timedelta = DAY
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    currency: str | None = None
    rates: Mapping[str, Rate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", exact_rates(self.currency, self.rates))

    @property
    def bot_bound(self) -> int | None:
        """Impressions that are too many, or None when nobody has too many."""
        return None if self.bots == "keep" else self.bot_impressions

    @property
    def outcomes_stop_at(self) -> datetime | None:
        """From when on no click can count."""
        return None if self.stopped_at is None else self.stopped_at + self.attribution

    def within(self, definition: Definition) -> Cleaning:
        """The same rules within the window of an experiment; its currency and rates where none is named."""
        names = ["attribution", "started_at", "stopped_at"]
        if self.currency is None:
            names += ["currency", "rates"]
        said = {name: getattr(definition, name) for name in names}
        return Cleaning(**{f.name: getattr(self, f.name) for f in fields(self)} | said)

    def to_dict(self) -> dict[str, Any]:
        """Every setting, ready for JSON; the funnel means nothing without them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in values.items():
            if isinstance(value, timedelta):
                values[name] = value.total_seconds()
            elif isinstance(value, datetime):
                values[name] = value.isoformat()
        return values | {"rates": rates_as_text(self.rates)}


CHOICES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("missing_ids", "bad_time", "outside_window", "orphans"), get_args(Rule)),
    **dict.fromkeys(("duplicates", "early", "late", "repeated", "bots"), get_args(SoftRule)),
    "two_variants": get_args(MixedRule),
}
SECONDS = ("clock_skew", "attribution")
TIMES = ("started_at", "stopped_at")


def parse_rules(texts: Mapping[str, str]) -> Cleaning:
    """Rules from text, as the command takes them: `{"two_variants": "first", "bot_impressions": "500"}`.

    Durations are seconds, times ISO 8601 with a time zone.

    Raises:
        InvalidRequest: an unknown rule, or a value that it cannot take.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            values[name] = _parse_rule(name, text)
        except (ValueError, OverflowError) as error:
            raise InvalidRequest(f"the rule {name!r} cannot be {text!r}: {error}") from None
    return Cleaning(**values)


def _parse_rule(name: str, text: str) -> Any:
    if name in CHOICES:
        if text not in CHOICES[name]:
            raise ValueError(f"it takes {', '.join(CHOICES[name])}")
        return text
    if name == "bot_impressions":
        return None if text == "none" else int(text)
    if name in SECONDS:
        return timedelta(seconds=float(text))
    if name in TIMES:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("it needs a time zone, such as 2030-01-31T00:00:00Z")
        return at
    raise ValueError(f"known are {', '.join([*CHOICES, 'bot_impressions', *SECONDS, *TIMES])}")


def by_name(counts: Mapping[int, int]) -> dict[str, int]:
    """Rows of an outcome log by the name of the rule that dropped them, from counts by its number.

    The rule for currencies is named where it dropped any: most logs hold no more than one.
    """
    named = {rule: counts.get(number, 0) for number, rule in enumerate(OUTCOME_RULES, 1)}
    return {rule: n for rule, n in named.items() if n or rule != "other_currency"}


@dataclass(frozen=True)
class LogFunnel:
    """What became of every row of one log.

    Attributes:
        rows: all that were read; `kept` and the values of `dropped` add up to it.
        dropped: rows by the rule that dropped them, in the order of the rules.
    """

    log: str
    rows: int
    dropped: Mapping[str, int]

    @property
    def kept(self) -> int:
        """The rows that count."""
        return self.rows - sum(self.dropped.values())

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {"log": self.log, "rows": self.rows, "dropped": dict(self.dropped), "kept": self.kept}


@dataclass(frozen=True)
class Funnel:
    """What cleaning left of the logs.

    Attributes:
        logs: one funnel a log, the impressions first.
        users_dropped: users left out by the rules `two_variants` and `bots`, once for each variant that
            they were left out of.
        users: users that count.
    """

    logs: tuple[LogFunnel, ...]
    users: int
    users_dropped: Mapping[str, int]

    def __getitem__(self, log: str) -> LogFunnel:
        return next(funnel for funnel in self.logs if funnel.log == log)

    @property
    def mixed_share(self) -> float:
        """The share of users, counted once a variant, who were left out for having seen more than one."""
        seen = self.users + sum(self.users_dropped.values())
        return self.users_dropped.get("two_variants", 0) / seen if seen else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            "logs": [funnel.to_dict() for funnel in self.logs],
            "users": self.users,
            "users_dropped": dict(self.users_dropped),
        }


def refuse_what_must_not_be(funnel: Funnel, cleaning: Cleaning, source: str) -> None:
    """
    Raises:
        InvalidRows: a rule that is set to `refuse` was broken.
    """
    for log in funnel.logs:
        for rule, n_rows in log.dropped.items():
            if n_rows and getattr(cleaning, rule, None) == "refuse":
                raise InvalidRows(
                    f"{log.log} in {source}",
                    n_rows,
                    f"broke the rule {rule!r}",
                    "correct them, or let the rule drop them",
                )
