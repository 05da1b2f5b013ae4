"""The white studio background of a product photo, as a soft mask."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from stylize.images import resize_short_side

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEARCH_PX = 256
"""Short side at which the background is looked for."""
DARKEST, MOST_TINT = 225, 14
"""Levels: what counts as near-white is at least this bright in every colour, and this close to grey."""
FLATTEST = 6.0
WINDOW = (5, 5)
"""Largest deviation, in levels, of a background around its own level within this many pixels."""
LEAST_OF_BORDER = 0.5
"""With less of the picture's border near-white, the photo was not taken in a white studio."""
FEATHER = 1 / 256
"""Standard deviation of the feathered edge, as a share of the short side."""


def find_white_background(photo: Image.Image) -> Image.Image:
    """Soft mask of the white studio background, mode L at the photo's size; black where there is none.

    Background is what is near-white, flat, and reaches the border of the picture without a break. A
    white product keeps its paint where its edge shows. Needs half of the border to be near-white.
    """
    small = resize_short_side(photo.convert("RGB"), min(SEARCH_PX, *photo.size))
    white = _background(np.asarray(small, dtype=np.float32))
    border = np.concatenate([white[0], white[-1], white[:, 0], white[:, -1]])
    if border.mean() < LEAST_OF_BORDER:
        return Image.new("L", photo.size)
    mask = Image.fromarray(white.astype(np.uint8) * np.uint8(255))
    inner = mask.filter(ImageFilter.MinFilter(3))  # the feather shall end where the product begins
    whole = inner.resize(photo.size, Image.Resampling.BILINEAR)
    return whole.filter(ImageFilter.GaussianBlur(FEATHER * min(photo.size)))


def _background(rgb: "NDArray[np.float32]") -> "NDArray[np.bool_]":
    import cv2

    is_near_white = (rgb.min(2) >= DARKEST) & (rgb.max(2) - rgb.min(2) <= MOST_TINT)
    grey = rgb.mean(2)
    mean, mean_square = cv2.blur(grey, WINDOW), cv2.blur(grey * grey, WINDOW)
    deviation = np.sqrt(np.maximum(mean_square - mean * mean, 0))
    flat = _touching_border(is_near_white & (deviation <= FLATTEST))
    up_to_the_product = cv2.dilate(flat.astype(np.uint8), np.ones(WINDOW, np.uint8)) > 0
    return np.asarray(up_to_the_product & is_near_white)


def _touching_border(white: "NDArray[np.bool_]") -> "NDArray[np.bool_]":
    """Only those connected parts that reach the border."""
    import cv2

    _, parts = cv2.connectedComponents(white.astype(np.uint8), connectivity=4)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    return np.asarray(np.isin(parts, np.unique(border[border > 0])))
