"""RenderQueue: requests from many threads share the network's forward passes."""

import logging
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from PIL import Image

from stylize.errors import RenderQueueFull
from stylize.render.look import Look, as_look
from stylize.styles import Mixture

logger = logging.getLogger(__name__)


class RendersBatches(Protocol):
    """What the queue needs of a renderer; stylize.render.renderer.Renderer is one."""

    def render(
        self, photos: list[Image.Image], looks: list[Look], subjects: list[Image.Image | None]
    ) -> list[Image.Image]:
        """Each photo in a look of its own; masks of the products where they are known."""
        ...


@dataclass(frozen=True)
class _Request:
    photo: Image.Image
    look: Look
    subject: Image.Image | None
    future: "Future[Image.Image]"


class RenderQueue:
    """A bounded queue in front of a renderer, worked off in micro-batches by one thread.

    Whenever the device falls idle the worker takes what is queued, up to max_batch, whatever the
    styles; it never waits for a batch to fill. A request whose future was cancelled is skipped. When
    a batch fails, its requests are rendered one by one, so that only the guilty one fails.

    Args:
        renderer: does the work; only the worker thread calls it.
        max_batch: most pictures in one call of the renderer.
        max_pending: most requests that may wait.
    """

    def __init__(self, renderer: RendersBatches, max_batch: int = 8, max_pending: int = 64) -> None:
        if max_batch < 1 or max_pending < 1:
            raise ValueError(
                f"max_batch and max_pending must be at least 1, got {max_batch} and {max_pending}"
            )
        self._renderer, self._max_batch, self._max_pending = renderer, max_batch, max_pending
        self._pending: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._worker = threading.Thread(target=self._work, name="render-queue", daemon=True)
        self._worker.start()

    def submit(
        self, photo: Image.Image, look: Look | Mixture, subject: Image.Image | None = None
    ) -> "Future[Image.Image]":
        """The picture to come. Cancel the future when nobody wants it any more.

        Args:
            look, subject: as Renderer.render takes them.
        Raises:
            RenderQueueFull: max_pending requests are waiting already.
            RuntimeError: the queue is closed.
        """
        request = _Request(photo, as_look(look), subject, Future())
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the render queue is closed")
            if len(self._pending) >= self._max_pending:
                self._drop_cancelled()
            if len(self._pending) >= self._max_pending:
                raise RenderQueueFull(self._max_pending)
            self._pending.append(request)
            self._changed.notify()
        return request.future

    @property
    def n_pending(self) -> int:
        """Requests that wait for the worker."""
        return len(self._pending)

    def close(self) -> None:
        """Cancel what waits, finish what is being rendered, end the worker. May be called twice."""
        with self._changed:
            self._is_closed = True
            while self._pending:
                self._pending.popleft().future.cancel()
            self._changed.notify()
        self._worker.join()

    def __enter__(self) -> "RenderQueue":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while batch := self._next_batch():
            wanted = [request for request in batch if request.future.set_running_or_notify_cancel()]
            if wanted:
                self._answer(wanted)

    def _next_batch(self) -> list[_Request]:
        """Blocks while nothing is queued; empty only when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._is_closed)
            return [self._pending.popleft() for _ in range(min(self._max_batch, len(self._pending)))]

    def _answer(self, requests: list[_Request]) -> None:
        try:
            pictures = self._renderer.render(
                [request.photo for request in requests],
                [request.look for request in requests],
                [request.subject for request in requests],
            )
        except Exception as error:  # whatever it is belongs to the caller, not to the worker
            if len(requests) == 1:
                requests[0].future.set_exception(error)
                return
            logger.warning("render_batch_split", extra={"batch_size": len(requests), "error": repr(error)})
            for request in requests:
                self._answer([request])
            return
        for request, picture in zip(requests, pictures, strict=True):
            request.future.set_result(picture)

    def _drop_cancelled(self) -> None:
        kept = [request for request in self._pending if not request.future.cancelled()]
        self._pending.clear()
        self._pending.extend(kept)
