"""Content photos for training: which are held back, and the random crops every step sees.

Nothing here keeps state: the crop at a position follows from the seed and that position alone,
so a resumed run sees exactly what an uninterrupted one would have seen.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from stylize.images import load_image, resize_short_side
from stylize.subject import find_subject
from stylize.training.augmentation import Augmentation, augment

ORDER, CROP, STYLE, CONDITION = 0, 1, 2, 3
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
class ContentCrop:
    """A square crop of a photo, and the soft mask of its subject (mode L) at the same size."""

    image: Image.Image
    subject: Image.Image


@dataclass(frozen=True)
class ContentSampler:
    """Random square crops of photos with their subjects, by position.

    Args:
        photos: files to draw from; each is used once before any is used again.
        photo_px: the short side a photo is brought to before anything else.
        augmentation: what may happen to a photo before it is trained on.
        seed: fixes the order and everything random.
    """

    photos: Sequence[Path]
    photo_px: int
    augmentation: Augmentation
    seed: int

    def path_at(self, position: int) -> Path:
        """The photo that the crop at this position is taken from."""
        return self.photos[shuffled_item(self.seed, ORDER, position, len(self.photos))]

    def crop_at(self, position: int, crop_px: int) -> ContentCrop:
        """The crop at this position, crop_px square."""
        path = self.path_at(position)
        photo = resize_short_side(load_image(path), self.photo_px)
        rng = np.random.default_rng([self.seed, CROP, position])
        image, subject = augment(photo, _subject_of(path, self.photo_px), crop_px, self.augmentation, rng)
        return ContentCrop(image, subject)


@lru_cache(maxsize=10_000)
def _subject_of(path: Path, short_px: int) -> Image.Image:
    """GrabCut takes longer than all the rest of a crop, so its masks are kept, small."""
    return resize_short_side(find_subject(resize_short_side(load_image(path), short_px)), min(128, short_px))
