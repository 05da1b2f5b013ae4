"""Strength fields: how strongly each pixel of a photo is painted, from a look and a mask. No torch."""

import threading
from collections import OrderedDict
from hashlib import blake2b

from PIL import Image, ImageChops

from stylize.errors import InvalidLook
from stylize.render.look import Look
from stylize.subject import feather, find_subject
from stylize.white import find_white_background

KEPT_MASK_PIXELS = 64_000_000
MOST_ASPECT_ERROR = 0.01
"""A mask may be of another size than the photo, not of another shape; sides are rounded to whole pixels."""


class StrengthFields:
    """Makes strength fields, and remembers the subjects it found in the latest photos.

    Thread-safe. A mask is looked for only where a look treats product and background differently.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, Image.Image] = OrderedDict()
        self._lock = threading.Lock()

    def field(
        self, photo: Image.Image, look: Look, strengths: tuple[float, float], subject: Image.Image | None
    ) -> Image.Image | None:
        """Strength at each pixel, mode L at the photo's size: 0 is the photo, 255 the full style.

        Args:
            strengths: of the product and of its background.
            subject: mask of the product where it is known, 255 on it; its edges will be feathered.
        Returns None where one strength holds for the whole picture.
        Raises:
            InvalidLook: the mask has other proportions than the photo.
        """
        product, background = (round(255 * strength) for strength in strengths)
        field = None
        if strengths[0] != strengths[1]:
            mask = self._subject(photo) if subject is None else _fitted(subject, photo.size)
            field = mask.point([round(background + (product - background) * v / 255) for v in range(256)])
        if look.is_white_kept:
            white = find_white_background(photo)
            if white.getbbox() is not None:
                field = field or Image.new("L", photo.size, product)
                field = ImageChops.multiply(field, ImageChops.invert(white))
        return field

    def _subject(self, photo: Image.Image) -> Image.Image:
        key = blake2b(photo.tobytes(), key=repr(photo.size).encode(), digest_size=16).digest()
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        mask = find_subject(photo)
        with self._lock:
            self._found[key] = mask
            while len(self._found) > 1 and self._kept_pixels() > KEPT_MASK_PIXELS:
                self._found.popitem(last=False)
        return mask

    def _kept_pixels(self) -> int:
        return sum(mask.width * mask.height for mask in self._found.values())


def _fitted(subject: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The mask at the photo's size, feathered."""
    width, height = size
    if abs(subject.width * height / subject.height - width) > 1 + MOST_ASPECT_ERROR * width:
        raise InvalidLook(
            f"the mask is {subject.width} x {subject.height} px, which is not the shape of the photo "
            f"({width} x {height} px); draw it over the photo itself"
        )
    return feather(subject.convert("L").resize(size, Image.Resampling.BILINEAR))
