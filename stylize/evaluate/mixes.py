"""Are mixtures clean? A half-and-half mixture should come no less close to its target than its parents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

SPREAD = 8
"""Pairs take turns on so many photos; one photo for all would measure that photo."""


@dataclass(frozen=True)
class MixTrial:
    """J of one half-and-half mixture against the mean of its parents' Gram matrices, and the parents' J.

    All three are of the same photo at full strength.
    """

    first: str
    second: str
    J: float
    parents: tuple[float, float]

    @property
    def is_clean(self) -> bool:
        """Whether the mixture's J is no worse than the worse parent's."""
        return max(self.parents) >= self.J

    @property
    def excess(self) -> float:
        """J relative to the worse parent's; 0 is as good, negative better."""
        return self.J / max(self.parents) - 1


@dataclass(frozen=True)
class MixPair:
    """Two rows of the style table, and which of the sample's photos they are tried on."""

    first: int
    second: int
    photo: int

    def mixture(self, n_styles: int) -> Tensor:
        """Half of each: (1, S)."""
        weights = torch.zeros(1, n_styles)
        weights[0, [self.first, self.second]] = 0.5
        return weights


def all_pairs(n_styles: int, n_photos: int) -> list[MixPair]:
    """Every pair of styles once, taking turns on the first few photos."""
    turns = min(SPREAD, n_photos)
    pairs = combinations(range(n_styles), 2)
    return [MixPair(first, second, place % turns) for place, (first, second) in enumerate(pairs)]


def worst_mix(trials: Iterable[MixTrial]) -> MixTrial | None:
    """The mixture that loses most against its parents; None where there are none."""
    return max(trials, key=lambda trial: trial.excess, default=None)


def clean_rate(trials: Sequence[MixTrial]) -> float | None:
    """Share of clean mixtures; None where there are none (a network of one style)."""
    return sum(trial.is_clean for trial in trials) / len(trials) if trials else None
