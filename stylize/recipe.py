"""TrainingRecipe: every setting of a training run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from stylize.augmentation import Augmentation
from stylize.conditions import Curriculum
from stylize.grain import GRAIN_STD
from stylize.losses import STYLE_LAYERS


@dataclass(frozen=True)
class Stage:
    """From this share of the steps on, crops have this side and come this many to a step."""

    from_share: float
    crop_px: int
    batch_size: int


@dataclass(frozen=True)
class LossWeights:
    """What each term of the objective counts.

    With s the mean strength asked of a picture and p that of its subject, the objective is
        s (style L_style + moments L_moments) + (1 + partial_content (1 - s)) content L_content
        + variation L_TV + (1 - p) readability L_readability + flatness L_flatness
    so that less strength means less style and a stricter hold on the photo.
    """

    content: float = 1.0
    style: float = 1.0
    moments: float = 0.2
    variation: float = 0.2
    partial_content: float = 2.0
    readability: float = 1.0
    flatness: float = 0.2


@dataclass(frozen=True)
class TrainingRecipe:
    """Every setting of a training run; stored in the checkpoint.

    Attributes:
        steps: optimizer steps.
        stages: crop size and batch size over the run; small crops first, because most is learnt there.
        styles_per_crop: pictures of a batch that share one crop, in different styles.
        photo_px: short side of the photos that crops are taken from.
        augmentation, curriculum, losses: see their classes.
        style_sizes_px: sides of the centred square of the style picture whose statistics are averaged.
        learning_rate, warmup_steps: Adam's rate after a linear warm-up; a cosine takes it to zero.
        style_learning_rate_factor: gammas and betas learn this much faster than convolutions. They
            start near 1, convolution weights near 0.03, and each style sees only its share of steps.
        layer_weights: weight of each VGG layer in the style loss.
        max_gradient_norm: gradients are scaled down to this norm.
        ema_decay: of the moving average of the weights that the checkpoint holds.
        n_held_back: photos never trained on, see stylize.content.hold_back.
        grain_std: noise added to what the network sees, see stylize.grain.
        is_bf16: convolutions in bfloat16; losses and statistics stay in float32.
    """

    steps: int = 6000
    stages: tuple[Stage, ...] = (Stage(0.0, 128, 4), Stage(0.75, 192, 4), Stage(0.95, 256, 2))
    styles_per_crop: int = 2
    photo_px: int = 256
    augmentation: Augmentation = field(default_factory=Augmentation)
    curriculum: Curriculum = field(default_factory=Curriculum)
    losses: LossWeights = field(default_factory=LossWeights)
    layer_weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(STYLE_LAYERS, 1.0))
    style_sizes_px: tuple[int, ...] = (256, 288)
    learning_rate: float = 2e-3
    style_learning_rate_factor: float = 4.0
    warmup_steps: int = 100
    max_gradient_norm: float = 5.0
    ema_decay: float = 0.999
    n_held_back: int = 200
    seed: int = 0
    is_bf16: bool = True
    grain_std: float = GRAIN_STD
    widths: tuple[int, int, int] = (32, 64, 128)
    num_residual_blocks: int = 5

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to zero at the last step."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def stage_at(self, step: int) -> Stage:
        """The last stage that has begun at this step."""
        return [stage for stage in self.stages if stage.from_share * self.steps <= step][-1]
