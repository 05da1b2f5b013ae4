"""Style pictures in, what training needs to know of each out: Gram targets, descriptor, thumbnail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from stylize.descriptors import DESCRIPTOR_LAYERS, DescriptorBasis, fit_descriptor_basis, style_statistics
from stylize.errors import ImageTooSmall, NoImages, StylizeError
from stylize.images import crop_to_square, encode, find_photos, load_image, to_tensor
from stylize.losses import StyleTargets, style_targets
from stylize.vgg import VGGFeatures, VGGWeights

MIN_STYLE_PX = 64
THUMBNAIL_PX = 96


@dataclass(frozen=True)
class StylePicture:
    """A style picture with the name it goes by, its file's stem."""

    name: str
    image: Image.Image


@dataclass(frozen=True)
class StyleSet:
    """S styles ready to be trained on, rows in order of name.

    Attributes:
        names: S names.
        targets: Gram matrices and channel moments, S rows.
        basis, content_vectors: see stylize.descriptors; vectors are (S, 16).
        thumbnails: S JPEG files.
        pictures: the style pictures themselves, (S, 3, H, W), the centred square at the first size.
    """

    names: tuple[str, ...]
    targets: StyleTargets
    basis: DescriptorBasis
    content_vectors: np.ndarray[Any, np.dtype[np.float32]]
    thumbnails: tuple[bytes, ...]
    pictures: torch.Tensor


def read_style_pictures(folder: Path) -> list[StylePicture]:
    """Every picture of the folder, in order of name.

    Raises:
        NoImages: the folder holds none.
        ImageTooSmall: a picture has a side under 64 px.
        StylizeError: two pictures would have the same name.
    """
    paths = find_photos(folder)
    if not paths:
        raise NoImages(f"{folder} holds no style pictures; put at least one JPEG or PNG there")
    pictures: dict[str, StylePicture] = {}
    for path in paths:
        if path.stem in pictures:
            raise StylizeError(f"{folder} holds two style pictures named {path.stem!r}; rename one")
        pictures[path.stem] = read_style_picture(path)
    return [pictures[name] for name in sorted(pictures)]


def read_style_picture(path: Path) -> StylePicture:
    """The style picture in a file; it goes by the file's name.

    Raises:
        UnreadableImage, ImageTooLarge: see stylize.images.load_image.
        ImageTooSmall: a side under 64 px.
    """
    image = load_image(path)
    if min(image.size) < MIN_STYLE_PX:
        raise ImageTooSmall(path.name, *image.size, min_px=MIN_STYLE_PX)
    return StylePicture(path.stem, image)


def prepare_styles(
    pictures: Sequence[StylePicture],
    sizes_px: Sequence[int],
    layers: Sequence[str],
    weights: VGGWeights,
    basis: DescriptorBasis | None = None,
) -> StyleSet:
    """Targets, content vectors and thumbnails of the style pictures.

    Args:
        sizes_px: sides of the centred square whose statistics are taken and averaged; they set the
            scale of the texture.
        layers: VGG layers of the style loss.
        basis: axes of the content vectors; by default those of these pictures.
    """
    vgg = VGGFeatures(weights, {*layers, *DESCRIPTOR_LAYERS})
    per_style = [[_features(vgg, picture.image, px) for px in sizes_px] for picture in pictures]
    targets = [style_targets([{name: f[name] for name in layers} for f in sizes]) for sizes in per_style]
    statistics = np.stack([style_statistics(sizes[0]) for sizes in per_style])
    basis = basis or fit_descriptor_basis(statistics)
    return StyleSet(
        names=tuple(picture.name for picture in pictures),
        targets=StyleTargets.stack(targets),
        basis=basis,
        content_vectors=basis.describe(statistics),
        thumbnails=tuple(encode(crop_to_square(p.image, THUMBNAIL_PX), "jpeg", 80) for p in pictures),
        pictures=torch.stack([to_tensor(crop_to_square(p.image, sizes_px[0])) for p in pictures]),
    )


@torch.no_grad()
def _features(vgg: VGGFeatures, image: Image.Image, side_px: int) -> Mapping[str, torch.Tensor]:
    features: Mapping[str, torch.Tensor] = vgg(to_tensor(crop_to_square(image, side_px))[None])
    return features
