"""Teaching the recognition probe: the slow part is done once per photo and kept."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stylize.devices import computes_in_bfloat16
from stylize.errors import StylizeError
from stylize.evaluate.recognition import PROBE_LAYER, Probe, fit_probe, probe_features
from stylize.evaluate.sample import ProductPhoto
from stylize.images import crop_to_square, load_image, to_tensor
from stylize.sealed import write_atomically
from stylize.vgg import VGGFeatures, VGGWeights

Progress = Callable[[str, int, int], None]


def learn_probe(
    photos: Sequence[ProductPhoto],
    weights: VGGWeights,
    device: torch.device,
    side_px: int,
    work: Path,
    on_progress: Progress,
) -> tuple[Probe | None, str | None]:
    """The probe taught on clean photos of known groups; or None and the reason why there is none.

    A photo that cannot be read teaches nothing and is passed over, as in training.

    Args:
        photos: none of them held back from training.
        work: folder where each photo's features are kept.
    """
    known = [photo for photo in photos if photo.group is not None]
    if len({photo.group for photo in known}) < 2:
        return None, (
            "recognition needs training photos of at least two groups, told by their folders: "
            "t-shirt, shirt, longsleeve, outwear, dress, skirt, pants, shorts, shoes, hat"
        )
    reader = _FeatureReader(weights, device, side_px, work)
    features, groups, keys = [], [], []
    for done, photo in enumerate(known, 1):
        if (found := reader.read(photo)) is not None:
            features.append(found)
            groups.append(str(photo.group))
            keys.append(photo.key)
        on_progress("teaching the probe", done, len(known))
    if len(set(groups)) < 2:
        return None, "recognition needs readable training photos of at least two groups"
    return fit_probe(np.concatenate(features), groups, keys), None


class _FeatureReader:
    """Probe features of photos, from the folder where they are kept or from VGG."""

    def __init__(self, weights: VGGWeights, device: torch.device, side_px: int, work: Path) -> None:
        self._vgg = VGGFeatures(weights, {PROBE_LAYER}).to(device)
        self._device, self._side_px = device, side_px
        self._folder = work / f"probe-{weights.source}-{PROBE_LAYER}-{side_px}px"
        self._is_bf16 = computes_in_bfloat16(device)

    def read(self, photo: ProductPhoto) -> NDArray[np.float32] | None:
        """One row, (1, D); None for a photo that cannot be read."""
        path = self._folder / f"{photo.key}.npy"
        if not path.exists():
            try:
                image = to_tensor(crop_to_square(load_image(photo.path), self._side_px))[None]
            except StylizeError:
                return None
            buffer = io.BytesIO()
            np.save(buffer, self._look_at(image).astype(np.float16))
            write_atomically(buffer.getvalue(), path)
        return np.load(path).astype(np.float32)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def _look_at(self, image: torch.Tensor) -> NDArray[np.float32]:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_bf16):
            return probe_features(self._vgg(image.to(self._device)))
