"""The one door to `stylize`: photos measured, styles listed, renders made once and kept.

A render is asked for by its RenderKey. Equal requests share one render, different ones share the
network's forward passes, and what was made is kept in the render store.
"""

import logging
import math
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from personalize.data.photos import photo_path
from personalize.data.records import CatalogueProduct, StyleOnOffer
from personalize.errors import RendererBusy, UnknownRender, UnknownStyle, UnreadablePhoto
from personalize.rendering.keys import PictureFormat, RenderKey, Treatment
from personalize.rendering.measures import Measures, read_measures
from personalize.rendering.store import RenderStore
from personalize.settings import Settings
from stylize.checkpoint import StyleCheckpoint, read_checkpoint, shipped_checkpoint_path
from stylize.errors import ImageTooSmall, RenderQueueFull, StylizeError
from stylize.images import encode, load_image, load_image_and_alpha, resize_to_width
from stylize.render.batching import RenderQueue
from stylize.render.look import Look
from stylize.render.renderer import MIN_PX, Renderer

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger(__name__)

CARD_WIDTH_PX = 480
CARD_FORMAT: PictureFormat = "webp"
PRODUCTS_PER_PAGE = 24
"""What the shop page shows, so that it can be rendered ahead."""

MAX_BATCH = 16
KEPT_PHOTOS = 32
MAX_PAINTED_PIXELS = 8_000_000
"""A render of more pixels is painted smaller: nobody shall occupy the network for a minute."""
PAINTING_REVISION = 2
"""Raised when the code paints other pixels from the same network: an address never changes its picture."""
QUALITY: dict[PictureFormat, int] = {"jpeg": 88, "webp": 82, "avif": 66}
_SMALL_WORDS = frozenset({"a", "an", "and", "at", "by", "for", "in", "of", "on", "or", "the", "to", "with"})
_ROMAN_NUMERAL = re.compile(r"(?=[ivx])x{0,3}(ix|iv|v?i{0,3})")


def measure_photo(path: Path, *, max_pixels: int) -> tuple[int, int]:
    """Width and height in pixels of a photo that is fit for the catalogue, as it will be shown.

    Raises:
        StylizeError: the file is no picture, damaged, too large or too small; the message says so.
    """
    width, height = load_image(path, max_pixels=max_pixels).size
    if min(width, height) < MIN_PX:
        raise ImageTooSmall(path.name, width, height, MIN_PX)
    return width, height


def styles_of_checkpoint(settings: Settings) -> list[StyleOnOffer]:
    """The styles that the configured network can paint in; loads no torch."""
    return [
        StyleOnOffer(info.name, style_title(info.name), tuple(float(x) for x in info.content_vector))
        for info in _read_checkpoint(settings).styles
    ]


def measures_of_checkpoint(settings: Settings) -> Measures:
    """What `stylize evaluate` measured of the configured network's styles."""
    return read_measures(_checkpoint_path(settings))


def style_title(style_id: str) -> str:
    """A style's name as a reader wants it.

    >>> style_title("composition_vii"), style_title("woman_with_a_hat")
    ('Composition VII', 'Woman with a Hat')
    """
    first, *rest = re.split(r"[\s_-]+", style_id.strip())
    return " ".join(
        [_capitalized(first), *(word if word in _SMALL_WORDS else _capitalized(word) for word in rest)]
    )[:120]


def _capitalized(word: str) -> str:
    return word.upper() if _ROMAN_NUMERAL.fullmatch(word) else word[:1].upper() + word[1:]


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture; `etag` is the hash of its bytes, in the quotes that HTTP wants."""

    payload: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, payload: bytes, media_type: str) -> "Picture":
        return cls(payload, media_type, f'"{sha256(payload).hexdigest()[:32]}"')


@dataclass(slots=True)
class RenderCounts:
    """What came of the requests so far: found in the store, joined to a running render, rendered, failed."""

    found: int = 0
    joined: int = 0
    rendered: int = 0
    failed: int = 0


class Renders:
    """Renders on request. Thread-safe; use `Renders.open`, and close it when done.

    Attributes:
        network_version: which network paints, and in which revision of the code; part of every key.
        treatment: how photos are painted unless an address says otherwise.
        counts: see RenderCounts.
    """

    def __init__(self, settings: Settings, checkpoint: StyleCheckpoint, store: RenderStore) -> None:
        self.network_version = f"{checkpoint.sha256[:12]}{PAINTING_REVISION:02x}"
        self.treatment = _treatment(settings, checkpoint.default_strengths)
        self.counts = RenderCounts()
        self.store = store
        self._settings = settings
        self._thumbnails = {info.name: info.thumbnail for info in checkpoint.styles}
        self._lock = threading.Lock()
        self._running: dict[RenderKey, Future[Picture]] = {}
        self._n_admitted = 0
        self._load = lru_cache(maxsize=KEPT_PHOTOS)(self._load_photo)
        self._pool = ThreadPoolExecutor(
            max_workers=min(8, (cpu_count() or 1) + 2), thread_name_prefix="render"
        )
        self._queue = RenderQueue(
            _LazyRenderer(checkpoint, settings.device),
            max_batch=MAX_BATCH,
            max_pending=settings.max_pending_renders,
        )

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Read the checkpoint and open the store; the network is loaded by the first render.

        Raises:
            FileNotFoundError, CorruptCheckpoint: there is no sound checkpoint.
        """
        store = RenderStore.open(settings.resolved_render_store_url, settings.render_store_max_bytes)
        return cls(settings, _read_checkpoint(settings), store)

    def close(self) -> None:
        """Cancel what waits, finish what is being rendered."""
        self._queue.close()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Load the network and render once, so that the first visitor does not wait for it.

        Raises:
            DeviceUnavailable: the configured device is not on this machine.
        """
        from PIL import Image

        photo = Image.new("RGB", (64, 64), "white")
        self._queue.submit(photo, Look.even({next(iter(self._thumbnails)): 1.0}, 1.0)).result()

    def key(
        self,
        product: CatalogueProduct,
        style_weights: dict[str, float],
        width_px: int,
        format: PictureFormat,  # noqa: A002
    ) -> RenderKey:
        """The render of a product; never wider than its photo. Empty weights are the photo itself."""
        return RenderKey.of(
            product.photo_sha256,
            style_weights,
            treatment=self.treatment,
            network_version=self.network_version,
            width_px=min(width_px, product.width_px),
            format=format,
        )

    def card_key(self, product: CatalogueProduct, style_weights: dict[str, float]) -> RenderKey:
        """The render that the shop page shows of a product."""
        return self.key(product, style_weights, CARD_WIDTH_PX, CARD_FORMAT)

    def thumbnail(self, style_id: str) -> Picture:
        """A small picture of a style. Raises UnknownStyle."""
        if style_id not in self._thumbnails:
            raise UnknownStyle(style_id, tuple(self._thumbnails))
        return Picture.of(self._thumbnails[style_id], "image/jpeg")

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place among the requests that may wait for a render, taken before anything is decided.

        Raises:
            RendererBusy: `max_pending_renders` requests are waiting already.
        """
        max_pending = self._settings.max_pending_renders
        with self._lock:
            if self._n_admitted >= max_pending:
                raise RendererBusy(max_pending)
            self._n_admitted += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_admitted -= 1

    @property
    def n_waiting(self) -> int:
        """Requests that hold a place now."""
        return self._n_admitted

    def find(self, key: RenderKey) -> Picture | None:
        """The picture, if the store has it."""
        payload = self.store.get(key.digest)
        if payload is None:
            return None
        self.counts.found += 1
        return Picture.of(payload, key.media_type)

    def submit(self, key: RenderKey) -> Future[Picture]:
        """The picture to come, from the store or rendered.

        The future is shared with everybody who asks for the same key: do not cancel it. It fails with
        UnknownRender (no such photo, style or network), UnreadablePhoto or RendererBusy.
        """
        with self._lock:
            if key in self._running:
                self.counts.joined += 1
                return self._running[key]
            future = self._running[key] = Future()
        self._pool.submit(self._guarded, key, self._begin)
        return future

    def prerender(
        self, keys: Iterable[RenderKey], progress: Callable[[int, int], object] | None = None
    ) -> int:
        """Make sure that all of these are in the store; returns how many could not be rendered.

        Args:
            progress: called with (done, total).
        """
        wanted = sorted(set(keys), key=lambda key: (key.photo_sha256, key.width_px, key.url))
        waiting: deque[Future[Picture]] = deque()
        n_failed = 0
        for n_submitted in range(len(wanted) + 2 * MAX_BATCH):
            if n_submitted < len(wanted):
                waiting.append(self.submit(wanted[n_submitted]))
            if len(waiting) >= 2 * MAX_BATCH or (waiting and n_submitted >= len(wanted)):
                n_failed += waiting.popleft().exception() is not None
                if progress is not None:
                    progress(min(n_submitted + 1, len(wanted)) - len(waiting), len(wanted))
        return n_failed

    # -- one render, step by step; each step runs in the pool, none waits for the network

    def _guarded(self, key: RenderKey, step: Callable[..., None], *args: Any) -> None:
        try:
            step(key, *args)
        except BaseException as error:  # the error belongs to whoever waits for the picture
            self._settle(key, error)

    def _begin(self, key: RenderKey) -> None:
        found = self.find(key)
        if found is not None:
            self._settle(key, found)
            return
        if key.styles and key.network_version != self.network_version:
            raise UnknownRender(f"it was made by network {key.network_version}, which is not in use any more")
        unknown = [style_id for style_id, _ in key.styles if style_id not in self._thumbnails]
        if unknown:
            raise UnknownRender(f"there is no style {unknown[0]!r}")
        photo, alpha = self._load(key.photo_sha256, key.width_px, key.treatment.stroke_size)
        if not key.styles:
            self._finish(key, photo)
            return
        try:
            painted = self._queue.submit(photo, _look(key), alpha)
        except RenderQueueFull as error:
            raise RendererBusy(error.max_pending) from error
        painted.add_done_callback(
            lambda done: self._pool.submit(self._guarded, key, self._after_painting, done) and None
        )

    def _after_painting(self, key: RenderKey, painted: "Future[Image]") -> None:
        if painted.cancelled():
            raise RendererBusy(self._settings.max_pending_renders)
        self._finish(key, painted.result())

    def _finish(self, key: RenderKey, picture: "Image") -> None:
        payload = encode(resize_to_width(picture, key.width_px), key.format, QUALITY[key.format])
        self.counts.rendered += 1
        self._running[key].set_result(Picture.of(payload, key.media_type))
        self.store.put(key.digest, payload)
        with self._lock:
            del self._running[key]

    def _settle(self, key: RenderKey, outcome: "Picture | BaseException") -> None:
        with self._lock:
            future = self._running.pop(key, None)
        if future is None or future.done():
            return
        if isinstance(outcome, Picture):
            future.set_result(outcome)
            return
        self.counts.failed += 1
        if isinstance(outcome, StylizeError):
            outcome = UnreadablePhoto(key.photo_sha256, str(outcome))
        future.set_exception(outcome)

    def _load_photo(
        self, photo_sha256: str, width_px: int, stroke_size: float
    ) -> "tuple[Image, Image | None]":
        """The photo and its alpha at the width at which they are painted: the asked one, within bounds."""
        path = photo_path(self._settings.photos_dir, photo_sha256)
        if not path.is_file():
            raise UnknownRender("the catalogue has no such photo")
        photo, alpha = load_image_and_alpha(path, max_pixels=self._settings.max_image_pixels)
        if width_px > photo.width:
            raise UnknownRender(f"the photo is only {photo.width} px wide")
        width = painting_width(photo.size, width_px, stroke_size)
        return resize_to_width(photo, width), alpha and resize_to_width(alpha, width)


def painting_width(photo_size: tuple[int, int], width_px: int, stroke_size: float = 1.0) -> int:
    """The width nearest to width_px at which a photo of these proportions can be painted.

    Strokes of half the size need twice the width inside the network.

    >>> painting_width((600, 400), 480), painting_width((4000, 40), 480)
    (480, 1600)
    """
    width, height = photo_size
    least = max(MIN_PX, math.ceil(MIN_PX * width / height))
    most = math.isqrt(MAX_PAINTED_PIXELS * width // height) - 1
    return max(least, min(width_px, int(most * min(1.0, stroke_size))))


def _treatment(settings: Settings, default: tuple[float, float]) -> Treatment:
    """What the settings say, and the checkpoint where they say nothing."""
    subject, background = default if settings.strength is None else (settings.strength, settings.strength)
    return Treatment.of(
        subject if settings.subject_strength is None else settings.subject_strength,
        background if settings.background_strength is None else settings.background_strength,
        settings.keep_colors,
        settings.keep_white,
        settings.stroke_size,
    )


def _look(key: RenderKey) -> Look:
    painted = key.treatment
    return Look(
        dict(key.styles),
        painted.subject_strength,
        painted.background_strength,
        painted.is_color_kept,
        painted.is_white_kept,
        painted.stroke_size,
    )


class _LazyRenderer:
    """A Renderer that is built by its first batch, in the queue's thread: building it imports torch."""

    def __init__(self, checkpoint: StyleCheckpoint, device: str) -> None:
        self._checkpoint, self._device = checkpoint, device

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(self._checkpoint, cast(Any, self._device))

    def render(self, photos: Any, looks: Any, subjects: Any) -> "list[Image]":
        return self._renderer.render(photos, looks, subjects)


def _read_checkpoint(settings: Settings) -> StyleCheckpoint:
    return read_checkpoint(_checkpoint_path(settings))


def _checkpoint_path(settings: Settings) -> Path:
    return settings.checkpoint or shipped_checkpoint_path()
