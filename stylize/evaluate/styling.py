"""How close a picture comes to a style while showing the photo: the objective J of style transfer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from stylize.losses import CONTENT_LAYER, STYLE_LAYERS, StyleTargets, content_loss, style_loss, style_targets

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


def gram_targets(features: Mapping[str, Tensor]) -> StyleTargets:
    """What J compares with, from the features of one style picture: its Gram matrices, one row."""
    return style_targets([{layer: features[layer] for layer in STYLE_LAYERS}])


def rows_of(targets: StyleTargets, rows: Sequence[int]) -> StyleTargets:
    """The targets of some styles, in this order, a style as often as it is named."""
    index = list(rows)
    return StyleTargets(
        {layer: gram[index] for layer, gram in targets.grams.items()},
        {layer: moments[index] for layer, moments in targets.moments.items()},
        {layer: samples[index] for layer, samples in targets.samples.items()},
    )
