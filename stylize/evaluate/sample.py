"""Which photos are measured: held back from training, and alike in kind whatever their number."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylize.errors import NoImages
from stylize.images import crop_to_square, find_photos, load_image, to_tensor
from stylize.subject import find_subject, mask_tensor
from stylize.training.content import hold_back

if TYPE_CHECKING:
    from torch import Tensor

SIDE_PX = 256
"""Side of the centre crops that everything is measured on, where nothing else is asked for."""

FOLDER_GROUPS = {
    "t-shirt": "top",
    "shirt": "top",
    "longsleeve": "top",
    "top": "top",
    "outwear": "outwear",
    "dress": "dress",
    "skirt": "skirt",
    "pants": "bottoms",
    "shorts": "bottoms",
    "bottoms": "bottoms",
    "shoes": "shoes",
    "hat": "hat",
}
"""Folder of a photo -> the group of products that the recognition probe tells apart."""


@dataclass(frozen=True)
class ProductPhoto:
    """A photo on disk and the group its folder says it belongs to; None where the folder says nothing."""

    path: Path
    group: str | None

    @property
    def key(self) -> str:
        """Short hex digest of the file's bytes: what measurements of this photo are kept under."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class PreparedPhoto:
    """What is measured: the centre crop (1, 3, H, W) in [0, 1] and its subject (1, 1, H, W)."""

    name: str
    key: str
    group: str | None
    image: "Tensor"
    subject: "Tensor"


def split_photos(folder: Path, n_held_back: int) -> tuple[list[ProductPhoto], list[ProductPhoto]]:
    """Photos that training may have seen, and those it cannot have: the rule is stylize.training.content's.

    Raises:
        NoImages: the folder holds no photo.
    """
    photos = find_photos(folder)
    if not photos:
        raise NoImages(f"{folder} holds no photos; give a folder with one sub-folder per kind of product")
    seen, held_back = hold_back(photos, n_held_back)
    return _with_groups(seen), _with_groups(held_back)


def stratify(photos: Sequence[ProductPhoto], n: int) -> list[ProductPhoto]:
    """n photos whose groups come as often as among all of them; fewer are the beginning of more.

    Within a group of m photos, ranked by name, photo k has the place (k + 1/2) / m; the n first places
    are taken.
    """
    groups: dict[str, list[ProductPhoto]] = defaultdict(list)
    for photo in sorted(photos, key=lambda photo: (_digest(photo.path.name), photo.path)):
        groups[photo.group or ""].append(photo)
    placed = [
        ((k + 0.5) / len(members), group, photo)
        for group, members in groups.items()
        for k, photo in enumerate(members)
    ]
    return [photo for _, _, photo in sorted(placed, key=lambda item: item[:2])[:n]]


def prepare_photo(photo: ProductPhoto, side_px: int = SIDE_PX) -> PreparedPhoto:
    """Decode, crop, and find the subject.

    Raises:
        UnreadableImage, ImageTooLarge: see stylize.images.load_image.
    """
    square = crop_to_square(load_image(photo.path), side_px)
    return PreparedPhoto(
        name=f"{photo.path.parent.name}/{photo.path.name}",
        key=photo.key,
        group=photo.group,
        image=to_tensor(square)[None],
        subject=mask_tensor(find_subject(square))[None],
    )


def _with_groups(paths: Sequence[Path]) -> list[ProductPhoto]:
    return [ProductPhoto(path, FOLDER_GROUPS.get(path.parent.name.lower())) for path in paths]


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
