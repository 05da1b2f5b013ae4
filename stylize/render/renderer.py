"""Renderer: the one front for turning photos into pictures in a style. Importing this loads no torch."""

import logging
import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.checkpoint import StyleCheckpoint, build_network, read_checkpoint, shipped_checkpoint_path
from stylize.devices import Device, choose_device, computes_in_bfloat16
from stylize.errors import ImageTooLarge, ImageTooSmall, OutOfMemory
from stylize.images import to_image, to_tensor
from stylize.styles import Mixture, StyleBank

if TYPE_CHECKING:
    import torch

    from stylize.render.inference import InferenceNetwork

logger = logging.getLogger(__name__)

MIN_PX = 16
MAX_RENDER_PIXELS = 8_000_000
BATCH_PIXELS = {"cpu": 256 * 256, "cuda": 32 * 512 * 512}
"""Pixels in one forward pass. On a CPU larger passes only leave the caches sooner."""


class Renderer:
    """Renders photos in mixtures of a checkpoint's styles. May be shared between threads.

    Use `Renderer.open`. On a GPU where there is one, else on the CPU; convolutions run in bfloat16
    where the hardware computes in it (55 dB and more against float32).

    Attributes:
        network_version: short hex digest of everything in the checkpoint; part of any cache key.
        styles: the styles on offer, in the order of the network's rows.
        bank: names to style weights.
    """

    def __init__(self, checkpoint: StyleCheckpoint, device: Device = "auto") -> None:
        self.network_version = checkpoint.sha256[:12]
        self.bank = StyleBank(checkpoint.style_names)
        self.styles = checkpoint.styles
        self._device = choose_device(device)
        self._network = _prepare_network(checkpoint, self._device)
        self._lock = threading.Lock()

    @classmethod
    def open(cls, checkpoint: Path | None = None, device: Device | None = "auto") -> "Renderer":
        """The renderer of a checkpoint file, by default the one shipped in the package.

        Raises:
            FileNotFoundError, CorruptCheckpoint: the file is missing or damaged.
            DeviceUnavailable: "cuda" was asked for and there is none.
        """
        return cls(read_checkpoint(checkpoint or shipped_checkpoint_path()), device or "auto")

    def render(
        self,
        images: Sequence[Image.Image],
        style_weights: Sequence[Mixture],
        strength: float | Sequence[float] = 1.0,
    ) -> list[Image.Image]:
        """Each photo in its own mixture of styles, at its own size.

        Photos of one size go through the network together, whatever their styles.

        Args:
            images, style_weights: N photos and N mixtures (style name -> weight).
            strength: 0 gives back the photo itself, 1 the full style; one for all or one each.
        Raises:
            UnknownStyle, InvalidStyleWeights: see StyleBank.style_weights.
            ImageTooSmall, ImageTooLarge: a side under 16 px, or more than 8 megapixels.
            OutOfMemory: not even one picture at a time fits.
            ValueError: lengths differ, or a strength is outside [0, 1].
        """
        strengths = _per_image(strength, len(images))
        if len(style_weights) != len(images):
            raise ValueError(f"{len(images)} photos need as many style mixtures, got {len(style_weights)}")
        rows = [self.bank.style_weights(mixture) for mixture in style_weights]
        pictures = [_checked_size(image.convert("RGB")) for image in images]
        wanted = [place for place, value in enumerate(strengths) if value > 0]
        for group in _same_size_groups(wanted, pictures):
            weights = np.stack([strengths[i] * rows[i] for i in group]).astype(np.float32)
            stylized = self._stylize([pictures[i] for i in group], weights)
            for place, picture in zip(group, stylized, strict=True):
                pictures[place] = picture
        return pictures

    def _stylize(
        self, photos: Sequence[Image.Image], style_weights: NDArray[np.float32]
    ) -> list[Image.Image]:
        pixels = photos[0].width * photos[0].height
        batch_size = max(1, BATCH_PIXELS[self._device.type] // pixels)
        done: list[Image.Image] = []
        while len(done) < len(photos):
            now = slice(len(done), len(done) + batch_size)
            try:
                done += self._forward(photos[now], style_weights[now])
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                if batch_size == 1:
                    raise OutOfMemory(*photos[0].size) from error
                batch_size //= 2
                logger.warning("batch_halved", extra={"batch_size": batch_size, "pixels": pixels})
        return done

    def _forward(
        self, photos: Sequence[Image.Image], style_weights: NDArray[np.float32]
    ) -> list[Image.Image]:
        import torch

        from stylize.grain import grain
        from stylize.style_map import StyleMap

        images = torch.stack([to_tensor(photo) for photo in photos]).to(self._device)
        weights = torch.from_numpy(style_weights).to(self._device)
        with self._lock:
            noise = grain(images.shape[-2:], seed=0).to(self._device)
            stylized = self._network(images, StyleMap(weights), noise).cpu()
        return [to_image(picture) for picture in stylized]


def _prepare_network(checkpoint: StyleCheckpoint, device: "torch.device") -> "InferenceNetwork":
    import torch

    from stylize.render.inference import InferenceNetwork

    dtype = torch.bfloat16 if computes_in_bfloat16(device) else torch.float32
    return InferenceNetwork(build_network(checkpoint), dtype).to(device)


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error)  # what the CPU allocator says, as a plain RuntimeError


def _per_image(strength: float | Sequence[float], n_images: int) -> list[float]:
    strengths = [strength] * n_images if isinstance(strength, int | float) else list(strength)
    if len(strengths) != n_images:
        raise ValueError(f"{n_images} photos need one strength or as many, got {len(strengths)}")
    for value in strengths:
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise ValueError(f"strength must be between 0 (the photo) and 1 (the full style), got {value}")
    return strengths


def _checked_size(image: Image.Image) -> Image.Image:
    if min(image.size) < MIN_PX:
        raise ImageTooSmall("the photo", *image.size, min_px=MIN_PX)
    if image.width * image.height > MAX_RENDER_PIXELS:
        raise ImageTooLarge("the photo", image.size, MAX_RENDER_PIXELS)
    return image


def _same_size_groups(places: Iterable[int], pictures: Sequence[Image.Image]) -> list[list[int]]:
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place in places:
        groups[pictures[place].size].append(place)
    return list(groups.values())
