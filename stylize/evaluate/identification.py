"""Which style is this picture in? Asked without knowing which one was wanted."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stylize.descriptors import DESCRIPTOR_LAYERS, style_statistics


class StyleIdentifier:
    """Names the style a picture looks most like: the nearest by channel mean and deviation.

    Statistics are those of stylize.descriptors (relu2_1, relu3_1 and relu4_1, every layer of unit
    length); near is a small Euclidean distance.

    Args:
        names: S style names.
        statistics: of their pictures, see `picture_statistics`; (S, D).
    """

    def __init__(self, names: Sequence[str], statistics: Sequence[NDArray[np.float32]]) -> None:
        self.names = tuple(names)
        self._statistics = np.stack(statistics)

    def identify(self, features: Mapping[str, Tensor]) -> str:
        """The style of one picture from its features {layer: (1, C, H, W)}."""
        distances = np.linalg.norm(self._statistics - picture_statistics(features), axis=1)
        return self.names[int(distances.argmin())]


def picture_statistics(features: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """Channel means and deviations of one picture, (D,), wherever its features lie."""
    return style_statistics({layer: features[layer].cpu() for layer in DESCRIPTOR_LAYERS})
