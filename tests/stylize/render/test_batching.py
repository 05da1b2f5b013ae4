import threading
from collections.abc import Iterator

import pytest
from PIL import Image

from stylize.errors import RenderQueueFull, UnknownStyle
from stylize.render.batching import RenderQueue
from stylize.render.look import Look
from stylize.styles import Mixture

PHOTO = Image.new("RGB", (16, 16))


class GatedRenderer:
    """Renders nothing until the gate opens; keeps the batches it was given."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[Mixture]] = []
        self.subjects: list[Image.Image | None] = []

    def render(
        self, photos: list[Image.Image], looks: list[Look], subjects: list[Image.Image | None]
    ) -> list[Image.Image]:
        mixtures = [look.mixture for look in looks]
        self.batches.append(mixtures)
        self.subjects += subjects
        self.entered.set()
        assert self.gate.wait(10)
        if any("unknown" in mixture for mixture in mixtures):
            raise UnknownStyle("unknown", ["udnie"])
        return [
            Image.new("RGB", photo.size, (int(255 * (look.subject_strength or 0)), 0, 0))
            for photo, look in zip(photos, looks, strict=True)
        ]


@pytest.fixture
def renderer() -> GatedRenderer:
    return GatedRenderer()


@pytest.fixture
def queue(renderer: GatedRenderer) -> Iterator[RenderQueue]:
    with RenderQueue(renderer, max_batch=3, max_pending=5) as queue:
        yield queue
        renderer.gate.set()


def occupy(queue: RenderQueue, renderer: GatedRenderer) -> None:
    """Have the worker wait at the gate with one request."""
    queue.submit(PHOTO, {"first": 1})
    assert renderer.entered.wait(10)


def test_an_idle_queue_renders_at_once_and_alone(queue: RenderQueue, renderer: GatedRenderer) -> None:
    renderer.gate.set()
    picture = queue.submit(PHOTO, Look({"udnie": 1}, subject_strength=0.2)).result(10)
    assert picture.getpixel((0, 0)) == (51, 0, 0)
    assert renderer.batches == [[{"udnie": 1}]]


def test_a_mask_travels_with_its_photo(queue: RenderQueue, renderer: GatedRenderer) -> None:
    renderer.gate.set()
    mask = Image.new("L", PHOTO.size)
    queue.submit(PHOTO, {"udnie": 1}, mask).result(10)
    queue.submit(PHOTO, {"udnie": 1}).result(10)
    assert renderer.subjects == [mask, None]


def test_what_queued_meanwhile_is_taken_together_whatever_its_style(
    queue: RenderQueue, renderer: GatedRenderer
) -> None:
    occupy(queue, renderer)
    futures = [
        queue.submit(PHOTO, Look.even({name: 1}, s))
        for name, s in (("a", 0.0), ("b", 1.0), ("c", 0.2), ("d", 1.0))
    ]
    renderer.gate.set()
    assert [future.result(10).getpixel((0, 0))[0] for future in futures] == [0, 255, 51, 255]
    assert renderer.batches[1:] == [[{"a": 1}, {"b": 1}, {"c": 1}], [{"d": 1}]]


def test_beyond_the_bound_requests_are_refused(queue: RenderQueue, renderer: GatedRenderer) -> None:
    occupy(queue, renderer)
    for _ in range(5):
        queue.submit(PHOTO, {"a": 1})
    with pytest.raises(RenderQueueFull, match="5 renders"):
        queue.submit(PHOTO, {"a": 1})


def test_cancelled_requests_are_skipped_and_make_room(queue: RenderQueue, renderer: GatedRenderer) -> None:
    occupy(queue, renderer)
    futures = [queue.submit(PHOTO, {name: 1}) for name in "abcde"]
    assert all(future.cancel() for future in futures[:4])
    late = queue.submit(PHOTO, {"late": 1})
    renderer.gate.set()
    late.result(10)
    assert renderer.batches[1:] == [[{"e": 1}, {"late": 1}]]


def test_only_the_guilty_request_of_a_batch_fails(queue: RenderQueue, renderer: GatedRenderer) -> None:
    occupy(queue, renderer)
    good, bad, fine = (queue.submit(PHOTO, {name: 1}) for name in ("a", "unknown", "b"))
    renderer.gate.set()
    assert good.result(10).size == fine.result(10).size == (16, 16)
    assert isinstance(bad.exception(10), UnknownStyle)
    assert queue.submit(PHOTO, {"after": 1}).result(10).size == (16, 16)


def test_closing_cancels_what_waits_and_ends_the_worker(renderer: GatedRenderer) -> None:
    queue = RenderQueue(renderer)
    occupy(queue, renderer)
    waiting = queue.submit(PHOTO, {"a": 1})
    renderer.gate.set()
    queue.close()
    queue.close()
    assert waiting.done()
    with pytest.raises(RuntimeError, match="closed"):
        queue.submit(PHOTO, {"a": 1})


@pytest.mark.parametrize("bounds", [(0, 1), (1, 0)])
def test_bounds_below_one_are_refused(renderer: GatedRenderer, bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RenderQueue(renderer, *bounds)
