"""How close a picture comes to a style while showing the photo: the objective J of style transfer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylize.losses import CONTENT_LAYER, STYLE_LAYERS, StyleTargets, content_loss, style_loss, style_targets
from stylize.vgg import VGGFeatures

EQUAL_LAYERS = dict.fromkeys(STYLE_LAYERS, 1.0)
"""Every layer counts alike, whatever a network was trained with: a measure is not a setting."""


@dataclass(frozen=True)
class Objective:
    """J and its two terms, each one value per picture (N,):

        style_loss = sum over relu1_1 .. relu5_1 of |G(out) - G(style)|^2 / |G(style)|^2
        content_loss = |relu4_2(out) - relu4_2(photo)|^2 / |relu4_2(photo)|^2
        J = style_loss + content_loss

    with G = F F' / (C H W), the Gram matrix.
    """

    style_loss: Tensor
    content_loss: Tensor

    @property
    def J(self) -> Tensor:  # noqa: N802 - the name it has in the literature
        """The sum, (N,)."""
        return self.style_loss + self.content_loss


def objective(
    features: Mapping[str, Tensor], photo_features: Mapping[str, Tensor], targets: StyleTargets
) -> Objective:
    """J of pictures from their VGG features.

    Shape:
        features of N pictures, photo_features of the N photos they show, targets with N rows.
    """
    return Objective(
        style_loss(features, targets, EQUAL_LAYERS),
        content_loss(features[CONTENT_LAYER], photo_features[CONTENT_LAYER]),
    )


@torch.no_grad()
def gram_targets(vgg: VGGFeatures, style_images: Tensor) -> StyleTargets:
    """What J compares with: Gram matrices of S style pictures, (S, 3, 256, 256), at their own size."""
    each = [_targets_of(vgg(image[None])) for image in style_images]
    return StyleTargets.stack(each)


def rows_of(targets: StyleTargets, rows: Sequence[int]) -> StyleTargets:
    """The targets of some styles, in this order, a style as often as it is named."""
    index = list(rows)
    return StyleTargets(
        {layer: gram[index] for layer, gram in targets.grams.items()},
        {layer: moments[index] for layer, moments in targets.moments.items()},
        {layer: samples[index] for layer, samples in targets.samples.items()},
    )


def _targets_of(features: Mapping[str, Tensor]) -> StyleTargets:
    return style_targets([{layer: features[layer] for layer in STYLE_LAYERS}])
