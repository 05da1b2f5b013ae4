"""What may happen to a content photo before it is trained on.

Product photos of one shop are alike; what shoppers will upload is not. Zoom, small rotations, flips and
colour changes widen the range, and every few photos the product is cut out and put on a flat studio
background, so that the network has seen what most shops send.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance


@dataclass(frozen=True)
class Augmentation:
    """How far a photo may be changed.

    Attributes:
        zoom: enlarged by up to this factor (log-uniform) before the crop.
        max_rotation_degrees: turned by up to this angle either way; the corners are cut off.
        color_jitter: brightness, contrast and saturation change by up to this share.
        flat_background_share: share of crops whose background becomes one colour.
    """

    zoom: float = 1.6
    max_rotation_degrees: float = 8.0
    color_jitter: float = 0.2
    flat_background_share: float = 0.15


def augment(
    photo: Image.Image,
    subject: Image.Image,
    crop_px: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[Image.Image, Image.Image]:
    """A random crop of the photo and of its subject's mask, both crop_px square.

    Args:
        photo, subject: RGB, and a mask (mode L) of the same proportions at any size.
        rng: every draw comes from here, in a fixed order.
    """
    subject = subject.resize(photo.size, Image.Resampling.BILINEAR)
    if rng.uniform() < augmentation.flat_background_share:
        photo = _on_flat_background(photo, subject, rng)
    photo = _jitter_colors(photo, augmentation.color_jitter, rng)
    box, angle = _crop_box(photo.size, crop_px, augmentation, rng)
    photo, subject = (_turn_and_crop(layer, box, angle, crop_px) for layer in (photo, subject))
    if rng.uniform() < 0.5:
        photo, subject = (layer.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for layer in (photo, subject))
    return photo, subject


def _crop_box(
    size: tuple[int, int], crop_px: int, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[tuple[float, float, float], float]:
    """Centre and side of the square to cut, in pixels of the photo, and its angle in degrees.

    The turned square stays inside the photo.
    """
    zoom = augmentation.zoom ** rng.uniform()
    angle = augmentation.max_rotation_degrees * rng.uniform(-1, 1)
    turned = abs(np.cos(np.radians(angle))) + abs(np.sin(np.radians(angle)))
    side = min(crop_px / zoom, min(size) / turned)
    reach = side * turned / 2
    x, y = (rng.uniform(reach, max(reach, length - reach)) for length in size)
    return (x, y, side), angle


def _turn_and_crop(
    layer: Image.Image, box: tuple[float, float, float], angle: float, crop_px: int
) -> Image.Image:
    x, y, side = box
    scale = side / crop_px
    cos, sin = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    half = crop_px / 2
    matrix = (cos, -sin, x - cos * half + sin * half, sin, cos, y - sin * half - cos * half)
    return layer.transform((crop_px, crop_px), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def _jitter_colors(photo: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        photo = enhancer(photo).enhance(1 + amount * rng.uniform(-1, 1))
    return photo


def _on_flat_background(photo: Image.Image, subject: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Mostly the light greys of a studio, now and then any colour."""
    is_studio = rng.uniform() < 0.7
    color = np.full(3, rng.uniform(0.8, 1.0)) if is_studio else rng.uniform(0, 1, 3)
    background = Image.new("RGB", photo.size, tuple(round(255 * float(c)) for c in color))
    return Image.composite(photo, background, subject)
