"""Contact sheets: what the figures look like."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from stylize.evaluate.painting import Painter, Strengths
from stylize.evaluate.sample import PreparedPhoto
from stylize.images import crop_to_square, encode, load_image, to_image
from stylize.styles import StyleInfo

TILE_PX = 176
N_PHOTOS = 6


@dataclass(frozen=True)
class Strip:
    """One style and some photos in it, as JPEG files."""

    style: str
    style_picture: bytes
    pictures: tuple[bytes, ...]


@dataclass(frozen=True)
class Sheet:
    """Every style on the same few photos at one pair of strengths.

    Attributes:
        photos: the photos themselves, JPEG files.
        photo_names: their names.
        strips: one per style.
    """

    strengths: Strengths
    photos: tuple[bytes, ...]
    photo_names: tuple[str, ...]
    strips: tuple[Strip, ...]


def draw_sheet(
    painter: Painter, styles: Sequence[StyleInfo], photos: Sequence[PreparedPhoto], strengths: Strengths
) -> Sheet:
    """The first few photos in every style."""
    shown = photos[:N_PHOTOS]
    strips = []
    for row, style in enumerate(styles):
        mixture = torch.eye(len(styles))[row : row + 1]
        pictures = [to_image(painter.paint(photo, mixture, strengths)[0]) for photo in shown]
        strips.append(Strip(style.name, _tile(load_image(style.thumbnail)), tuple(map(_tile, pictures))))
    originals = tuple(_tile(to_image(photo.image[0])) for photo in shown)
    return Sheet(strengths, originals, tuple(photo.name for photo in shown), tuple(strips))


def _tile(image: Image.Image) -> bytes:
    return encode(crop_to_square(image, TILE_PX), "jpeg", 82)
