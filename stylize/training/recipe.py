"""TrainingRecipe: every setting of a training run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from stylize.grain import GRAIN_STD
from stylize.losses import STYLE_LAYERS
from stylize.training.augmentation import Augmentation
from stylize.training.conditions import Curriculum
from stylize.training.objective import LossWeights
from stylize.training.schedule import Schedule


@dataclass(frozen=True)
class Stage:
    """From this share of the steps on, crops have this side and come this many to a step."""

    from_share: float
    crop_px: int
    batch_size: int


@dataclass(frozen=True)
class Optimizer:
    """Adam, or AdamW with its decoupled weight decay."""

    kind: Literal["adam", "adamw"] = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0

    def build(self, groups: Sequence[Mapping[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer over these parameter groups; the learning rate is set at every step."""
        adam = torch.optim.AdamW if self.kind == "adamw" else torch.optim.Adam
        return adam([dict(group) for group in groups], betas=self.betas, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class TrainingRecipe:
    """Every setting of a training run; stored in the checkpoint.

    Attributes:
        steps: optimizer steps.
        stages: crop size and batch size over the run. Small crops first, because they are cheap; full size
            long enough in the end, because a small crop has too few places for deep Gram matrices: crops
            of 128 px of a style picture itself are 1.7 from its own target at relu5_1 (192 px: 0.4).
        styles_per_crop: pictures of a batch that share one crop, in different styles.
        photo_px: short side of the photos that crops are taken from.
        augmentation, curriculum, losses: see their classes.
        style_sizes_px: sides of the centred square of the style picture whose statistics are averaged.
        optimizer, learning_rate, schedule: see their classes; the rate is the highest of the run.
        style_learning_rate_factor: gammas and betas learn this much faster than convolutions. They
            start near 1, convolution weights near 0.03, and each style sees only its share of steps.
        layer_weights: weight of each VGG layer in the style loss.
        max_gradient_norm: gradients are scaled down to this norm.
        ema_decay: of the moving average of the weights that the checkpoint holds.
        n_held_back: photos never trained on, see stylize.training.content.hold_back.
        grain_std: noise added to what the network sees, see stylize.grain.
        is_style_only: convolutions and identity rows stay as they are; only the styles' rows learn.
        is_bf16: convolutions in bfloat16; losses and statistics stay in float32.
    """

    steps: int = 6000
    stages: tuple[Stage, ...] = (Stage(0.0, 128, 4), Stage(0.5, 192, 4), Stage(0.65, 256, 2))
    styles_per_crop: int = 2
    photo_px: int = 256
    augmentation: Augmentation = field(default_factory=Augmentation)
    curriculum: Curriculum = field(default_factory=Curriculum)
    losses: LossWeights = field(default_factory=LossWeights)
    layer_weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(STYLE_LAYERS, 1.0))
    style_sizes_px: tuple[int, ...] = (256, 288)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    learning_rate: float = 2e-3
    style_learning_rate_factor: float = 4.0
    max_gradient_norm: float = 5.0
    ema_decay: float = 0.999
    n_held_back: int = 200
    seed: int = 0
    is_bf16: bool = True
    is_style_only: bool = False
    grain_std: float = GRAIN_STD
    widths: tuple[int, int, int] = (32, 64, 128)
    num_residual_blocks: int = 5

    def stage_at(self, step: int) -> Stage:
        """The last stage that has begun at this step."""
        return [stage for stage in self.stages if stage.from_share * self.steps <= step][-1]
