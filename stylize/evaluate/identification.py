"""Which style is this picture in? Asked without knowing which one was wanted."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylize.descriptors import DESCRIPTOR_LAYERS, style_statistics
from stylize.vgg import VGGFeatures


class StyleIdentifier:
    """Names the style a picture looks most like: the nearest by channel mean and deviation.

    Statistics are those of stylize.descriptors (relu2_1, relu3_1 and relu4_1, every layer of unit
    length); near is a small Euclidean distance.

    Args:
        vgg: features of at least those layers.
        names, style_images: S styles, (S, 3, 256, 256).
    """

    def __init__(self, vgg: VGGFeatures, names: Sequence[str], style_images: Tensor) -> None:
        self.names = tuple(names)
        with torch.no_grad():
            self._statistics = np.stack([_statistics(vgg(image[None])) for image in style_images])

    def identify(self, features: Mapping[str, Tensor]) -> str:
        """The style of one picture from its features {layer: (1, C, H, W)}."""
        distances = np.linalg.norm(self._statistics - _statistics(features), axis=1)
        return self.names[int(distances.argmin())]


def _statistics(features: Mapping[str, Tensor]) -> NDArray[np.float32]:
    return style_statistics({layer: features[layer].cpu() for layer in DESCRIPTOR_LAYERS})
