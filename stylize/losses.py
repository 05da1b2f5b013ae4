"""What training minimizes: content loss, style loss on Gram matrices, total variation.

Both VGG losses are relative to their target, so every style and every layer starts near 1 and
no style needs weights tuned by hand. All of it is computed in float32, also under autocast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@dataclass(frozen=True)
class StyleTargets:
    """Gram matrices of S style pictures: layer -> (S, C, C)."""

    grams: Mapping[str, Tensor]

    def rows(self, indices: Tensor) -> "StyleTargets":
        """The targets of the styles in indices (N,), one per picture of a batch."""
        return StyleTargets({layer: gram[indices] for layer, gram in self.grams.items()})


def gram_matrix(features: Tensor) -> Tensor:
    """Which channels fire together, wherever they do: F F' / (C * H * W), in float32.

    Shape:
        features (N, C, H, W) -> (N, C, C).
    Source: Gatys, Ecker and Bethge, CVPR 2016; divided by C * H * W as in Johnson et al., 2016.
    """
    n, c, h, w = features.shape
    with torch.autocast(features.device.type, enabled=False):
        flat = features.float().reshape(n, c, h * w)
        return flat @ flat.transpose(1, 2) / (c * h * w)


def style_targets(features: Sequence[Mapping[str, Tensor]]) -> StyleTargets:
    """One style's targets from its features at one or more sizes: the mean of their Gram matrices.

    Shape:
        each features {layer: (1, C, H, W)} -> grams {layer: (1, C, C)}.
    """
    layers = features[0].keys()
    return StyleTargets(
        {layer: torch.stack([gram_matrix(f[layer]) for f in features]).mean(0) for layer in layers}
    )


def style_loss(
    features: Mapping[str, Tensor], targets: StyleTargets, layer_weights: Mapping[str, float]
) -> Tensor:
    """Distance of Gram matrices, relative to the target's size and summed over layers.

        sum over layers of layer_weight * |G(out) - G(style)|^2 / |G(style)|^2

    Shape:
        features {layer: (N, C, H, W)}, targets with N rows -> (N,).
    """
    terms = [
        weight * _relative_distance(gram_matrix(features[layer]), targets.grams[layer])
        for layer, weight in layer_weights.items()
    ]
    return torch.stack(terms).sum(0)


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """|F(out) - F(content)|^2 / |F(content)|^2 per picture: (N, C, H, W) twice -> (N,)."""
    return _relative_distance(features.float(), target.float())


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, down plus across: (N, 3, H, W) -> (N,)."""
    down = (images[..., 1:, :] - images[..., :-1, :]).abs().mean(dim=(1, 2, 3))
    across = (images[..., 1:] - images[..., :-1]).abs().mean(dim=(1, 2, 3))
    return down + across


def _relative_distance(value: Tensor, target: Tensor) -> Tensor:
    squared = (value - target).square().flatten(1).sum(1)
    return squared / target.square().flatten(1).sum(1).clamp_min(1e-12)
