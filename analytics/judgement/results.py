"""What comes out of comparing styles: strengths, duels, the side effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from analytics.errors import UnknownStyle
from analytics.judgement.verdicts import preference_sentences

ErrorSource = Literal["raters", "comparisons", "scores"]
"""What standard errors come from: the spread between raters, or between single judgements."""


@dataclass(frozen=True)
class Strength:
    """One style among those compared.

    Attributes:
        wins, ties, losses: its comparisons.
        strength: log odds of being preferred to a style of average strength; 0 is the average.
        ci_low, ci_high: its 1 - alpha interval.
        preferred: the same as a probability, with `preferred_low` and `preferred_high`.
    """

    name: str
    wins: int
    ties: int
    losses: int
    strength: float
    standard_error: float
    ci_low: float
    ci_high: float
    preferred: float
    preferred_low: float
    preferred_high: float

    @property
    def comparisons(self) -> int:
        """How often it was compared."""
        return self.wins + self.ties + self.losses


@dataclass(frozen=True)
class Duel:
    """Two styles: how likely the first is preferred to the second, whichever side they stand on.

    Attributes:
        difference: strength of the first minus that of the second, in log odds, with its interval.
        probability: that the first is preferred, with its interval.
        p: of the two being equally strong; `p_holm` is adjusted for all pairs of styles.
        why_none: why nothing can be said.
    """

    first: str
    second: str
    difference: float | None = None
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    probability: float | None = None
    probability_low: float | None = None
    probability_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    why_none: str | None = None

    def turned(self) -> Duel:
        """The same, seen from the second."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            difference=_negative(self.difference),
            ci_low=_negative(self.ci_high),
            ci_high=_negative(self.ci_low),
            probability=_rest(self.probability),
            probability_low=_rest(self.probability_high),
            probability_high=_rest(self.probability_low),
        )


@dataclass(frozen=True)
class SideEffect:
    """What standing on the left is worth between two equal styles.

    Attributes:
        log_odds: of the left one being preferred, with its interval.
        left_rate: the same as a probability.
        p: of the side not mattering.
    """

    log_odds: float
    standard_error: float
    ci_low: float
    ci_high: float
    left_rate: float
    left_rate_low: float
    left_rate_high: float
    p: float


@dataclass(frozen=True)
class Preference:
    """Styles by descending strength; `preference["a"]` is a Strength, `preference["a", "b"]` a Duel.

    Attributes:
        duels: every two styles once.
        side: the side effect; None when it was not asked for.
        errors_from: what the standard errors come from, the spread between raters or between comparisons.
        is_shrunk: whether the weak prior was needed.
        notes: what a reader must know, in sentences.
        why_none: why there are no strengths at all.
    """

    styles: Mapping[str, Strength]
    duels: tuple[Duel, ...]
    side: SideEffect | None
    alpha: float
    n_comparisons: int
    n_ties: int
    n_raters: int | None
    errors_from: ErrorSource
    is_shrunk: bool
    notes: tuple[str, ...]
    why_none: str | None = None

    def __getitem__(self, key: str | tuple[str, str]) -> Any:
        for name in (key,) if isinstance(key, str) else key:
            if name not in self.styles:
                raise UnknownStyle(name, self.styles)
        if isinstance(key, str):
            return self.styles[key]
        for duel in self.duels:
            if key == (duel.first, duel.second):
                return duel
            if key == (duel.second, duel.first):
                return duel.turned()
        raise UnknownStyle(f"{key[0]} beside {key[1]}", (f"{d.first} beside {d.second}" for d in self.duels))

    @property
    def conclusion(self) -> str:
        """The outcome in plain sentences."""
        return " ".join([*preference_sentences(self), *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """All of it ready for JSON: no NaN, no infinity."""
        return asdict(self) | {"conclusion": self.conclusion}


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _rest(probability: float | None) -> float | None:
    return None if probability is None else 1.0 - probability
