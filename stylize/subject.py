"""The subject of a product photo: where the product is, as a soft mask.

Taken from the photo's own alpha channel, from a mask file, or found by GrabCut (OpenCV).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from stylize.images import load_image_and_alpha, resize_short_side

if TYPE_CHECKING:
    from torch import Tensor

Mask = NDArray[np.uint8]

SEARCH_PX = 128
"""Short side at which the subject is looked for: 90 ms of CPU, and edges are feathered anyway."""
N_ITERATIONS, N_REFINEMENTS = 4, 3
LEAST_KEPT = 0.5
"""A refined subject smaller than this share of the first is the product lost, not its surroundings."""
SURE_BORDER, LIKELY_EXTENT, SURE_CENTER = 0.96, 0.85, 0.25
"""Half-extents, as shares of the picture's, outside or inside which GrabCut starts from an assumption."""
SMALLEST_PART = 0.15
"""Parts smaller than this share of the largest one are specks, not the product."""
FEATHER = 1 / 128
"""Standard deviation of the feathered edge, as a share of the short side."""


def find_subject(photo: Image.Image) -> Image.Image:
    """Soft mask of the product, mode L at the photo's size: 255 on the product, 0 around it.

    GrabCut starts from what product photos have in common: the border is background, the centre is
    product. What it has learnt of both colours then judges the centre, too, because beside a bottle's
    neck or between the legs of a chair the centre is background. Deterministic. Where nothing tells
    the two apart, only the centre is subject.

    Source: Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH 2004; OpenCV's implementation.
    """
    small = resize_short_side(photo.convert("RGB"), SEARCH_PX)
    found = _largest_parts(_grab_cut(np.asarray(small)))
    mask = Image.fromarray(found * np.uint8(255)).resize(photo.size, Image.Resampling.BILINEAR)
    return feather(mask)


def load_mask(path: Path) -> Image.Image:
    """Mask of the product from a picture file, mode L: its alpha where it has one, else its brightness.

    Raises:
        UnreadableImage, ImageTooLarge: see stylize.images.load_image_and_alpha.
    """
    picture, alpha = load_image_and_alpha(path)
    return picture.convert("L") if alpha is None else alpha


def feather(mask: Image.Image) -> Image.Image:
    """The mask with soft edges, about a hundredth of the picture wide."""
    return mask.convert("L").filter(ImageFilter.GaussianBlur(FEATHER * min(mask.size)))


def mask_tensor(mask: Image.Image) -> "Tensor":
    """Share of subject at each pixel in [0, 1], (1, H, W)."""
    import torch

    return torch.from_numpy(np.array(mask.convert("L"))).float().div_(255.0)[None]


def _grab_cut(rgb: NDArray[np.uint8]) -> Mask:
    import cv2

    cv2.setRNGSeed(0)
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    whole = (0, 0, *rgb.shape[1::-1])  # not read: the labels say where to start
    labels = _first_labels(*rgb.shape[:2])
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(bgr, labels, whole, background, foreground, N_ITERATIONS, cv2.GC_INIT_WITH_MASK)
    first = _is_subject(labels)
    labels[labels == cv2.GC_FGD] = cv2.GC_PR_FGD
    cv2.grabCut(bgr, labels, whole, background, foreground, N_REFINEMENTS, cv2.GC_INIT_WITH_MASK)
    refined = _is_subject(labels)
    return refined if refined.sum() >= LEAST_KEPT * first.sum() else first


def _first_labels(height: int, width: int) -> Mask:
    """What GrabCut assumes before it has seen the photo."""
    import cv2

    down = np.abs(np.linspace(-1, 1, height))[:, None]
    across = np.abs(np.linspace(-1, 1, width))[None, :]
    extent = np.maximum(down, across)
    labels = np.full((height, width), cv2.GC_PR_BGD, dtype=np.uint8)
    labels[extent < LIKELY_EXTENT] = cv2.GC_PR_FGD
    labels[extent > SURE_BORDER] = cv2.GC_BGD
    labels[extent < SURE_CENTER] = cv2.GC_FGD
    return labels


def _is_subject(labels: Mask) -> Mask:
    import cv2

    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _largest_parts(mask: Mask) -> Mask:
    """The mask without specks and pinholes."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    smooth = cv2.morphologyEx(
        cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel), cv2.MORPH_CLOSE, kernel, iterations=2
    )
    n_parts, parts, statistics, _ = cv2.connectedComponentsWithStats(smooth)
    if n_parts < 2:
        return np.asarray(smooth, dtype=np.uint8)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.flatnonzero(areas >= SMALLEST_PART * areas.max())
    return np.isin(parts, kept).astype(np.uint8)
