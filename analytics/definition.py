"""What an experiment is: who is in it, when, and what it is judged by; from code or from a file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from analytics.currencies import Rate, exact_rates, rates_as_text
from analytics.errors import InvalidDefinition, InvalidRequest, UnreadableSource
from analytics.measures import Measure

DAY = timedelta(days=1)
CTR_TEXT = "ctr=clicks/impressions"


@dataclass(frozen=True)
class Definition:
    """One experiment, complete.

    Attributes:
        variants: planned share of the units by variant; at least one, all above 0, together 1.
        salt: what the hash is salted with; by default the name.
        version: raised by 1 to shuffle everybody anew; nothing else moves a unit that was assigned.
        traffic: share of all units that are in the experiment, in (0, 1].
        layer: experiments of the same layer share no unit; None stands alone.
        layer_start: first bucket of the layer's draw that belongs to this experiment.
        started_at, stopped_at: events outside [started_at, stopped_at) do not count; None is open.
        attribution: how long after its impression a click or purchase counts.
        goals, guardrails: metrics as `name=numerator/denominator` or `name=p95(column)`, with `-` after the
            `=` where an increase is bad; the first goal decides. A guardrail may end in its margin, such as
            `:0.02`.
        pre_period: how far before the start behaviour is used to sharpen the comparison (CUPED).
        currency, rates: as in `Cleaning`, whose own come first.
    Raises:
        InvalidDefinition: a value that cannot be; the sentence says which and what would be right.
    """

    name: str
    variants: Mapping[str, float]
    salt: str = ""
    version: int = 1
    traffic: float = 1.0
    layer: str | None = None
    layer_start: int = 0
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    attribution: timedelta = DAY
    goals: tuple[str, ...] = (CTR_TEXT,)
    guardrails: tuple[str, ...] = ()
    pre_period: timedelta = 14 * DAY
    currency: str | None = None
    rates: Mapping[str, Rate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "salt", self.salt or self.name)
        problem = next((text for holds, text in self._rules() if not holds), None)
        if problem is not None:
            raise InvalidDefinition(self.name, problem)
        try:
            object.__setattr__(self, "rates", exact_rates(self.currency, self.rates))
        except InvalidRequest as error:
            raise InvalidDefinition(self.name, str(error)) from error

    def _rules(self) -> list[tuple[bool, str]]:
        shares = self.variants.values()
        times = (self.started_at, self.stopped_at)
        are_aware = all(at is None or at.tzinfo is not None for at in times)
        return [
            (bool(self.name), "an experiment needs a name"),
            (
                all(share > 0 for share in shares) and abs(sum(shares) - 1) <= 1e-9,
                f"expected positive shares that sum to 1, got {dict(self.variants)}",
            ),
            (self.version >= 1, f"the version counts from 1, got {self.version}"),
            (0 < self.traffic <= 1, f"traffic is a share above 0 and at most 1, got {self.traffic}"),
            (
                self.layer_start >= 0 and self.layer_start + round(self.traffic * 10_000) <= 10_000,
                f"traffic from bucket {self.layer_start} on would pass the last of 10,000 buckets",
            ),
            (are_aware, "started_at and stopped_at need a time zone; write them in UTC, with a Z"),
            (
                not are_aware or None in times or self._ends_after_start(),
                "stopped_at must be later than started_at",
            ),
            (self.attribution > timedelta(0), "the attribution window must be longer than nothing"),
            (self.pre_period >= timedelta(0), "the pre-period cannot be shorter than nothing"),
            (bool(self.goals), "an experiment needs a goal metric, such as ctr=clicks/impressions"),
            (
                self._measures_read(),
                "every metric reads name=numerator/denominator, under a name of its own",
            ),
        ]

    def _ends_after_start(self) -> bool:
        return bool(self.started_at and self.stopped_at and self.stopped_at > self.started_at)

    def _measures_read(self) -> bool:
        try:
            return len(self.measures()) == len({*self.goals, *self.guardrails})
        except ValueError:
            return False

    def measures(self) -> list[Measure]:
        """What it is judged by, the goals first; a guardrail that is a goal as well is a goal."""
        found: dict[str, Measure] = {}
        for measure in (
            *map(Measure.parse, self.goals),
            *(Measure.parse(text, "guardrail") for text in self.guardrails),
        ):
            found.setdefault(measure.metric.name, measure)
        return list(found.values())

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON; what `parse_definition` reads. Currency and rates are in it if named."""
        money = {"currency": self.currency, "rates": rates_as_text(self.rates)}
        return {
            "name": self.name,
            "salt": self.salt,
            "version": self.version,
            "variants": dict(self.variants),
            "traffic": self.traffic,
            "layer": self.layer,
            "layer_start": self.layer_start,
            "started_at": self.started_at and self.started_at.isoformat(),
            "stopped_at": self.stopped_at and self.stopped_at.isoformat(),
            "attribution_seconds": self.attribution.total_seconds(),
            "goals": list(self.goals),
            "guardrails": list(self.guardrails),
            "pre_period_days": self.pre_period / DAY,
        } | (money if self.currency else {})


def read_definition(path: str | Path) -> Definition:
    """The definition in a TOML or JSON file (by its ending); `parse_definition` names the keys.

    Raises:
        UnreadableSource: no such file, or its text is no TOML or JSON.
        InvalidDefinition: a key that nobody knows, or a value that cannot be.
    """
    return parse_definition(read_settings(path))


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings in a TOML or JSON file (by its ending), as they stand there: a fraction is a `Decimal`.

    Raises:
        UnreadableSource: no such file, or its text is no TOML or JSON.
    """
    path = Path(path)
    read: Callable[..., Any] = json.loads if path.suffix.lower() == ".json" else tomllib.loads
    try:
        content = read(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise UnreadableSource(str(path), f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UnreadableSource(str(path), f"is no TOML or JSON ({error})") from error
    if not isinstance(content, dict):
        raise UnreadableSource(str(path), "wants one table of settings, such as name, variants, goals")
    return content


_CONVERTED = {
    "attribution_seconds": "attribution",
    "pre_period_days": "pre_period",
}
_KEYS = tuple(f.name for f in fields(Definition) if f.name not in _CONVERTED.values())


def parse_definition(content: Mapping[str, Any]) -> Definition:
    """A definition from the keys of `Definition`, durations as `attribution_seconds` and `pre_period_days`.

    Raises:
        InvalidDefinition: a key is unknown or missing, or a value cannot be.
    """
    name = str(content.get("name", ""))
    unknown = sorted(set(content) - {*_KEYS, *_CONVERTED})
    if unknown:
        raise InvalidDefinition(
            name, f"there is no setting {unknown[0]!r}; known are {', '.join((*_KEYS, *_CONVERTED))}"
        )
    try:
        values: dict[str, Any] = {key: _convert(key, value) for key, value in content.items()}
        return Definition(**{_CONVERTED.get(key, key): value for key, value in values.items()})
    except InvalidDefinition:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InvalidDefinition(name, f"a value has the wrong type ({error})") from error


def _convert(key: str, value: Any) -> Any:
    convert = _CONVERTERS.get(key)
    return value if convert is None or value is None else convert(value)


def _time(value: Any) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at.astimezone(UTC) if at.tzinfo is not None else at


def _rates(value: Any) -> dict[str, Rate]:
    if not isinstance(value, Mapping):
        raise TypeError("rates wants one table, such as USD = 0.92")
    return dict(value)


def _shares(value: Any) -> dict[str, float]:
    return {str(name): float(share) for name, share in value.items()}


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "name": str,
    "salt": str,
    "layer": str,
    "variants": _shares,
    "version": int,
    "traffic": float,
    "layer_start": int,
    "started_at": _time,
    "stopped_at": _time,
    "attribution_seconds": lambda seconds: timedelta(seconds=float(seconds)),
    "pre_period_days": lambda days: timedelta(days=float(days)),
    "goals": tuple,
    "guardrails": tuple,
    "rates": _rates,
}
