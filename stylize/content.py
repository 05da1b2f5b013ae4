"""Content photos for training: which are held back, and the random crops every step sees.

Nothing here keeps state: the crop at a position follows from the seed and that position alone,
so a resumed run sees exactly what an uninterrupted one would have seen.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stylize.images import load_image, resize_short_side

ORDER, CROP, STYLE = 0, 1, 2
"""Streams of randomness under one seed, so that none shifts another."""


def hold_back(photos: Sequence[Path], n_held_back: int) -> tuple[list[Path], list[Path]]:
    """Photos to train on, and photos never to train on: the n whose names have the smallest SHA-256.

    The rule looks at file names only, so any later evaluation can find the same photos again.
    """
    ranked = sorted(photos, key=lambda path: (hashlib.sha256(path.name.encode()).hexdigest(), path))
    held_back = set(ranked[:n_held_back])
    return [path for path in photos if path not in held_back], sorted(held_back)


def shuffled_item(seed: int, stream: int, position: int, n_items: int) -> int:
    """The item at a position of an endless sequence of shuffles: every item once per n_items positions."""
    shuffle, place = divmod(position, n_items)
    return int(np.random.default_rng([seed, stream, shuffle]).permutation(n_items)[place])


@dataclass(frozen=True)
class CropSampler:
    """Random square crops of photos, by position.

    Args:
        photos: files to draw from; each is used once before any is used again.
        photo_px: the short side a photo is brought to before the crop is taken.
        zoom: the short side is enlarged by up to this factor (log-uniform), for pictures larger
            and smoother than the photos.
        crop_px: side of the crop.
        seed: fixes the order, zoom, place and flip of everything.
    """

    photos: Sequence[Path]
    photo_px: int
    zoom: float
    crop_px: int
    seed: int

    def path_at(self, position: int) -> Path:
        """The photo that the crop at this position is taken from."""
        return self.photos[shuffled_item(self.seed, ORDER, position, len(self.photos))]

    def crop_at(self, position: int) -> Image.Image:
        """The crop at this position, crop_px square."""
        rng = np.random.default_rng([self.seed, CROP, position])
        short_px = round(self.photo_px * self.zoom ** rng.uniform())
        photo = resize_short_side(load_image(self.path_at(position)), max(short_px, self.crop_px))
        left = int(rng.integers(photo.width - self.crop_px + 1))
        top = int(rng.integers(photo.height - self.crop_px + 1))
        crop = photo.crop((left, top, left + self.crop_px, top + self.crop_px))
        return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.uniform() < 0.5 else crop
