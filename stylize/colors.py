"""Keep the photo's colours: brightness from the painting, hue and saturation from the photo."""

import numpy as np
from numpy.typing import NDArray

LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
"""Weights of red, green and blue in luma, Rec. ITU-R BT.709: those of sRGB's primaries."""
STRIP_PIXELS = 1_000_000


def keep_colors(painted: NDArray[np.uint8], photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The luma of the painting with the colour differences of the photo, (H, W, 3) both.

    With luma Y' and a pixel's colour difference d = rgb - Y', which has no luma of its own, the
    result is Y'(painted) + k d(photo). k is 1 wherever that is a colour, else the largest value that
    keeps all three primaries within their range: saturation gives way, hue never does.
    """
    kept = np.empty_like(painted)
    n_rows = max(1, STRIP_PIXELS // painted.shape[1])
    for start in range(0, len(painted), n_rows):
        rows = slice(start, start + n_rows)
        kept[rows] = _recolored(painted[rows].astype(np.float32), photo[rows].astype(np.float32))
    return kept


def _recolored(painted: NDArray[np.float32], photo: NDArray[np.float32]) -> NDArray[np.uint8]:
    luma = (painted @ LUMA)[..., None]
    difference = photo - (photo @ LUMA)[..., None]
    room = np.where(difference > 0, 255 - luma, luma)
    share = (room / np.maximum(np.abs(difference), 1e-6)).min(axis=-1, keepdims=True)
    recolored = luma + np.minimum(share, 1) * difference
    return np.asarray(np.rint(recolored).clip(0, 255), dtype=np.uint8)
