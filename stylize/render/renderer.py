"""Renderer: the one front for turning photos into pictures in a style. Importing this loads no torch."""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.checkpoint import StyleCheckpoint, build_network, read_checkpoint, shipped_checkpoint_path
from stylize.colors import keep_colors
from stylize.devices import Device, choose_device, computes_in_bfloat16
from stylize.errors import ImageTooLarge, ImageTooSmall, OutOfMemory
from stylize.images import MAX_PIXELS, to_image, to_tensor
from stylize.render.fields import StrengthFields
from stylize.render.look import Look, as_look
from stylize.styles import Mixture, StyleBank

if TYPE_CHECKING:
    import torch

    from stylize.render.inference import InferenceNetwork
    from stylize.style_map import StyleMap

logger = logging.getLogger(__name__)

MIN_PX = 16
MAX_RENDER_PIXELS = MAX_PIXELS
BATCH_PIXELS = {"cpu": 256 * 256, "cuda": 32 * 512 * 512}
"""Pixels in one forward pass. On a CPU larger passes only leave the caches sooner."""
WHOLE_PIXELS = {"cpu": 2_000_000, "cuda": 16_000_000}
"""Larger pictures are painted in strips, see stylize.render.streaming; smaller ones whole."""


@dataclass(frozen=True)
class _Canvas:
    """One picture on its way through the network.

    Attributes:
        place: of the picture in the request.
        painting_size: width and height at which the network sees the photo.
        style_weights: (S,), their sum the strength; with a field, of full strength.
        field: strength at each pixel, mode L; None: one strength for the whole picture.
    """

    place: int
    photo: Image.Image
    painting_size: tuple[int, int]
    style_weights: NDArray[np.float32]
    field: Image.Image | None
    is_color_kept: bool

    @property
    def batch_key(self) -> tuple[tuple[int, int], tuple[int, int], bool]:
        """Pictures of one key can share a forward pass."""
        return self.photo.size, self.painting_size, self.field is None


class Renderer:
    """Renders photos in looks, that is in mixtures of a checkpoint's styles, where and as strongly as wanted.

    Use `Renderer.open`. May be shared between threads. On a GPU where there is one, else on the CPU;
    convolutions run in bfloat16 where the hardware computes in it (55 dB and more against float32).

    Attributes:
        network_version: short hex digest of everything in the checkpoint; part of any cache key.
        styles: the styles on offer, in the order of the network's rows.
        bank: names to style weights.
        default_strengths: of product and background, for looks that name none.
    """

    def __init__(self, checkpoint: StyleCheckpoint, device: Device = "auto") -> None:
        self.network_version = checkpoint.sha256[:12]
        self.bank = StyleBank(checkpoint.style_names)
        self.styles = checkpoint.styles
        self.default_strengths = checkpoint.default_strengths
        self._device = choose_device(device)
        self._network = _prepare_network(checkpoint, self._device)
        self._fields = StrengthFields()
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
        photos: Sequence[Image.Image],
        looks: Sequence[Look | Mixture],
        subjects: Sequence[Image.Image | None] | None = None,
    ) -> list[Image.Image]:
        """Each photo in a look of its own, at its own size.

        Photos of one size go through the network together, whatever their looks. A picture of several
        megapixels goes through by itself, in strips that cannot be told from the whole, in bounded memory.

        Args:
            photos, looks: N of each; a bare mixture is painted at the default strengths.
            subjects: masks of the products, 255 on them, where they are known (from alpha, from a file);
                a mask that is needed and not given is found, see stylize.subject.
        Raises:
            UnknownStyle, InvalidStyleWeights: see StyleBank.style_weights.
            InvalidLook: a mask has other proportions than its photo.
            ImageTooSmall, ImageTooLarge: a side under 16 px; more than 50 megapixels to paint.
            OutOfMemory: not even one picture at a time fits.
            ValueError: lengths differ.
        """
        masks = [None] * len(photos) if subjects is None else subjects
        if not len(photos) == len(looks) == len(masks):
            raise ValueError(
                f"{len(photos)} photos need as many looks and masks, got {len(looks)} and {len(masks)}"
            )
        checked = [_checked_size(photo if photo.mode == "RGB" else photo.convert("RGB")) for photo in photos]
        canvases = [
            self._canvas(place, checked[place], as_look(look), mask)
            for place, (look, mask) in enumerate(zip(looks, masks, strict=True))
        ]
        pictures: dict[int, Image.Image] = {}
        for batch in _batches(canvas for canvas in canvases if canvas is not None):
            places = [canvas.place for canvas in batch]
            pictures.update(zip(places, self._paint(batch), strict=True))
        return [pictures.get(place) or photo.copy() for place, photo in enumerate(checked)]

    def _canvas(
        self, place: int, photo: Image.Image, look: Look, subject: Image.Image | None
    ) -> _Canvas | None:
        """None where the look leaves the photo as it is."""
        style_weights = self.bank.style_weights(look.mixture)
        strengths = look.strengths(self.default_strengths)
        painting_size = look.painting_size(photo.size, MIN_PX)
        if painting_size[0] * painting_size[1] > MAX_RENDER_PIXELS:
            raise ImageTooLarge(f"the photo at stroke size {look.stroke_size:g}", painting_size, MAX_PIXELS)
        if max(strengths) == 0:
            return None
        field = self._fields.field(photo, look, strengths, subject)
        if field is None:
            style_weights = style_weights * np.float32(strengths[0])
        return _Canvas(place, photo, painting_size, style_weights, field, look.is_color_kept)

    def _paint(self, batch: Sequence[_Canvas]) -> list[Image.Image]:
        """Pictures of one batch key, in as few forward passes as memory allows."""
        width, height = batch[0].painting_size
        pixels = max(width * height, batch[0].photo.width * batch[0].photo.height)
        is_whole = pixels <= WHOLE_PIXELS[self._device.type]
        batch_size = max(1, BATCH_PIXELS[self._device.type] // pixels)
        done: list[Image.Image] = []
        while len(done) < len(batch):
            now = batch[len(done) : len(done) + batch_size]
            try:
                done += self._paint_whole(now) if is_whole else [self._paint_in_strips(now[0])]
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                if batch_size == 1 and not is_whole:
                    raise OutOfMemory(*batch[0].photo.size) from error
                is_whole, batch_size = batch_size > 1, max(1, batch_size // 2)
                logger.warning("batch_halved", extra={"batch_size": batch_size, "pixels": pixels})
        return done

    def _paint_whole(self, batch: Sequence[_Canvas]) -> list[Image.Image]:
        import torch

        from stylize.grain import grain
        from stylize.render.inference import resize_painted

        images = torch.stack([to_tensor(canvas.photo) for canvas in batch]).to(self._device)
        seen = torch.stack([to_tensor(_resized(canvas.photo, canvas.painting_size)) for canvas in batch])
        noise = grain(seen.shape[-2:], seed=0).to(self._device)
        with self._lock:
            painted = self._network.paint(seen.to(self._device), self._style(batch, is_seen=True), noise)
            painted = resize_painted(painted, *images.shape[-2:])
            developed = self._network.develop(painted, images, self._style(batch, is_seen=False)).cpu()
        pictures = [to_image(picture) for picture in developed]
        return [_with_colors(picture, canvas) for picture, canvas in zip(pictures, batch, strict=True)]

    def _paint_in_strips(self, canvas: _Canvas) -> Image.Image:
        import torch

        from stylize.render.inference import resize_painted
        from stylize.render.streaming import StyleRows, develop_in_strips, paint_in_strips

        weights = torch.from_numpy(canvas.style_weights)[None].to(self._device)

        def style(size: tuple[int, int]) -> StyleRows:
            return StyleRows(
                weights, None if canvas.field is None else np.array(_resized(canvas.field, size))
            )

        photo = np.array(canvas.photo)
        is_resized = canvas.painting_size != canvas.photo.size
        seen = np.array(_resized(canvas.photo, canvas.painting_size)) if is_resized else photo
        with self._lock:
            painted = paint_in_strips(self._network, seen, style(canvas.painting_size))
            painted = resize_painted(painted, *photo.shape[:2])
            developed = develop_in_strips(self._network, painted, photo, style(canvas.photo.size))
        return Image.fromarray(keep_colors(developed, photo) if canvas.is_color_kept else developed)

    def _style(self, batch: Sequence[_Canvas], is_seen: bool) -> "StyleMap":
        """The batch's style map at the size that the network sees, or at the photos' own."""
        import torch

        from stylize.render.inference import regional_style
        from stylize.style_map import StyleMap
        from stylize.subject import mask_tensor

        weights = torch.from_numpy(np.stack([canvas.style_weights for canvas in batch])).to(self._device)
        size = batch[0].painting_size if is_seen else batch[0].photo.size
        fields = [_resized(canvas.field, size) for canvas in batch if canvas.field is not None]
        if not fields:
            return StyleMap(weights)
        return regional_style(weights, torch.stack([mask_tensor(field) for field in fields]).to(self._device))


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


def _checked_size(image: Image.Image) -> Image.Image:
    if min(image.size) < MIN_PX:
        raise ImageTooSmall("the photo", *image.size, min_px=MIN_PX)
    if image.width * image.height > MAX_RENDER_PIXELS:
        raise ImageTooLarge("the photo", image.size, MAX_RENDER_PIXELS)
    return image


def _batches(canvases: Iterable[_Canvas]) -> list[list[_Canvas]]:
    batches: dict[object, list[_Canvas]] = defaultdict(list)
    for canvas in canvases:
        batches[canvas.batch_key].append(canvas)
    return list(batches.values())


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _with_colors(picture: Image.Image, canvas: _Canvas) -> Image.Image:
    if not canvas.is_color_kept:
        return picture
    return Image.fromarray(keep_colors(np.asarray(picture), np.asarray(canvas.photo)))
