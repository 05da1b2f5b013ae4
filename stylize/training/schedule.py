"""Learning rate over a run: linear warm-up, then cosine, steps, plateau or constant."""

import math
from dataclasses import dataclass, replace
from typing import Literal

ScheduleKind = Literal["cosine", "step", "plateau", "constant"]
SMOOTHING = 0.99
"""The plateau is looked for in a moving average of the loss: one batch says little."""


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes; every value is a factor on the recipe's rate.

    Attributes:
        kind: after the warm-up, "cosine" falls to zero at the last step, "step" is multiplied by `decay`
            after every `every_share` of the run, "plateau" by `decay` whenever the loss has not improved
            for `patience_steps`, "constant" stays.
        warmup_steps: the rate rises linearly from the first step to this one.
        min_improvement: of the smoothed loss, relative; less is none.
    """

    kind: ScheduleKind = "cosine"
    warmup_steps: int = 100
    decay: float = 0.3
    every_share: float = 0.3
    patience_steps: int = 500
    min_improvement: float = 0.005

    def __post_init__(self) -> None:
        if self.warmup_steps < 0 or not 0 < self.decay < 1 or not 0 < self.every_share <= 1:
            raise ValueError(f"warmup_steps >= 0, 0 < decay < 1 and 0 < every_share <= 1 wanted, got {self}")

    def factor_at(self, step: int, steps: int, plateau: "Plateau") -> float:
        """The factor for a step (0 is the first) of a run of this many steps."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        progress = min(1.0, (step - self.warmup_steps) / max(1, steps - self.warmup_steps))
        if self.kind == "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        if self.kind == "step":
            return self.decay ** math.floor(progress / self.every_share)
        return plateau.factor if self.kind == "plateau" else 1.0


@dataclass(frozen=True)
class Plateau:
    """What the plateau schedule remembers: the smoothed loss, its best value and when that was."""

    factor: float = 1.0
    smoothed: float | None = None
    best: float = math.inf
    best_step: int = 0

    def after(self, step: int, loss: float, schedule: Schedule) -> "Plateau":
        """The memory after one more step."""
        smoothed = loss if self.smoothed is None else SMOOTHING * self.smoothed + (1 - SMOOTHING) * loss
        if smoothed < self.best * (1 - schedule.min_improvement):
            return replace(self, smoothed=smoothed, best=smoothed, best_step=step)
        if step - self.best_step < schedule.patience_steps:
            return replace(self, smoothed=smoothed)
        return Plateau(self.factor * schedule.decay, smoothed, smoothed, step)
