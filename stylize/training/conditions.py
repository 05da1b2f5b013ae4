"""What each picture of a training batch is asked to become: which styles, how strongly, where."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylize.style_map import StyleMap, two_regions
from stylize.training.content import CONDITION, STYLE, shuffled_item


class StepKind(StrEnum):
    """What all pictures of a step have in common."""

    FULL = "full"  # one style at full strength everywhere
    REGIONS = "regions"  # one style, the product at a lower strength than its background
    STRENGTH = "strength"  # one style at a random strength
    MIXTURE = "mixture"  # two styles at full strength


@dataclass(frozen=True)
class Curriculum:
    """How often each kind of step comes, and the strengths it draws from.

    Attributes:
        regions_share, strength_share, mixture_share: of all steps; the rest is FULL.
        subject_strengths, background_strengths: ranges drawn from in REGIONS steps.
    """

    regions_share: float = 0.3
    strength_share: float = 0.1
    mixture_share: float = 0.1
    subject_strengths: tuple[float, float] = (0.2, 0.7)
    background_strengths: tuple[float, float] = (0.7, 1.0)

    def kind_at(self, seed: int, step: int) -> StepKind:
        """The kind of a step; follows from the seed and the step alone."""
        u = np.random.default_rng([seed, CONDITION, step]).uniform()
        kinds = (StepKind.REGIONS, StepKind.STRENGTH, StepKind.MIXTURE)
        shares = np.cumsum([self.regions_share, self.strength_share, self.mixture_share])
        return kinds[place] if (place := int(np.searchsorted(shares, u, side="right"))) < 3 else StepKind.FULL


@dataclass(frozen=True)
class Conditions:
    """One batch's conditions.

    Attributes:
        kind: of the step.
        mixtures: (N, S), rows sum to 1: the styles wanted.
        subject_strength, background_strength: (N,), in [0, 1].
    """

    kind: StepKind
    mixtures: Tensor
    subject_strength: Tensor
    background_strength: Tensor

    def to(self, device: torch.device) -> "Conditions":
        """The same on another device."""
        moved = (x.to(device) for x in (self.mixtures, self.subject_strength, self.background_strength))
        return Conditions(self.kind, *moved)

    def part(self, places: range) -> "Conditions":
        """Those of the pictures at these places of the batch."""
        rows = slice(places.start, places.stop)
        return Conditions(
            self.kind, self.mixtures[rows], self.subject_strength[rows], self.background_strength[rows]
        )

    def style_map(self, subject: Tensor) -> StyleMap:
        """The map for the network; subject is (N, 1, H, W)."""
        if self.kind is not StepKind.REGIONS:
            return StyleMap(self.mixtures * self.subject_strength[:, None])
        strengths = torch.stack([self.subject_strength, self.background_strength], dim=1)
        return StyleMap(self.mixtures[:, None] * strengths[:, :, None], two_regions(subject))


def draw_conditions(
    curriculum: Curriculum, seed: int, step: int, positions: range, num_styles: int
) -> Conditions:
    """The conditions of the pictures at these positions; every style comes equally often."""
    kind = curriculum.kind_at(seed, step)
    rng = np.random.default_rng([seed, CONDITION, step, 1])
    rows = [shuffled_item(seed, STYLE, position, num_styles) for position in positions]
    mixtures = np.eye(num_styles, dtype=np.float32)[rows]
    if kind is StepKind.MIXTURE and num_styles > 1:
        mixtures = _mix(mixtures, rng)
    subject, background = _draw_strengths(curriculum, kind, len(rows), rng)
    return Conditions(
        kind, torch.from_numpy(mixtures), torch.from_numpy(subject), torch.from_numpy(background)
    )


def _draw_strengths(
    curriculum: Curriculum, kind: StepKind, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Strengths of the subject and of the background, (n,) each."""
    if kind is StepKind.REGIONS:
        ranges = (curriculum.subject_strengths, curriculum.background_strengths)
        subject, background = (rng.uniform(*limits, n).astype(np.float32) for limits in ranges)
        return subject, background
    same = rng.uniform(0, 1, n) if kind is StepKind.STRENGTH else np.ones(n)
    return same.astype(np.float32), same.astype(np.float32)


def _mix(one_hot: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Each row's style with another, in every proportion alike."""
    n, s = one_hot.shape
    second = (one_hot.argmax(1) + rng.integers(1, s, n)) % s
    share = rng.uniform(0, 1, (n, 1)).astype(np.float32)
    mixed: NDArray[np.float32] = one_hot * share + np.eye(s, dtype=np.float32)[second] * (1 - share)
    return mixed
