"""TrainingRecipe: every setting of a training run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from stylize.grain import GRAIN_STD
from stylize.losses import STYLE_LAYERS


@dataclass(frozen=True)
class TrainingRecipe:
    """Every setting of a training run; stored in the checkpoint.

    Attributes:
        steps, batch_size: optimizer steps, and crops in each.
        crop_px, photo_px, zoom: see stylize.content.CropSampler.
        style_sizes_px: short sides of the style picture whose Gram matrices are averaged.
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
    batch_size: int = 4
    crop_px: int = 128
    photo_px: int = 256
    zoom: float = 1.6
    style_sizes_px: tuple[int, ...] = (256, 384)
    learning_rate: float = 2e-3
    style_learning_rate_factor: float = 4.0
    warmup_steps: int = 100
    content_loss_weight: float = 1.0
    style_loss_weight: float = 1.0
    total_variation_weight: float = 0.2
    layer_weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(STYLE_LAYERS, 1.0))
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
