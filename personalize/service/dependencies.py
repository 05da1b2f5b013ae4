"""What an endpoint needs: the engine, the renders, and a bounded way to call them."""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ParamSpec, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from personalize.engine import Engine
from personalize.rendering import Picture, Renders
from personalize.rendering.keys import RenderKey
from personalize.service.http_errors import (
    INVALID_REQUEST,
    PROBLEM_MEDIA_TYPE,
    ProblemType,
)
from personalize.service.logs import pseudonym
from personalize.service.metrics import Metrics
from personalize.settings import Settings

MAX_THREADS = 32
REMEMBERED_SECONDS = 60.0

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Backend:
    """One per app, made when it starts; `is_ready` turns true once the renderer is warm."""

    settings: Settings
    engine: Engine
    renders: Renders
    metrics: Metrics
    is_ready: bool = False
    why_not_ready: str = "the renderer is warming up"
    _remembered: dict[str, tuple[float, Any]] = field(default_factory=dict)
    _asking: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(MAX_THREADS))

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A blocking call in one of a bounded number of threads; the event loop never waits."""
        return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._threads)

    async def remembered(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`call`, at most once a minute by this name: for what comes from a look over the whole log.

        However many ask at once, one of them looks and the others wait for what it finds.
        """
        async with self._asking[name]:
            asked_at, value = self._remembered.get(name, (-math.inf, None))
            if time.monotonic() - asked_at > REMEMBERED_SECONDS:
                value = await self.call(function, *args, **kwargs)
                self._remembered[name] = time.monotonic(), value
        return cast(T, value)

    def remember_nothing(self) -> None:
        """Look again at the next question: what was remembered may name somebody who is erased now."""
        self._remembered.clear()

    async def render(self, key: RenderKey) -> Picture:
        """The picture; a client that leaves does not take it from the others who wait for it."""
        return await asyncio.shield(asyncio.wrap_future(self.renders.submit(key)))


def get_backend(request: Request) -> Backend:
    backend = request.app.state.backend
    assert isinstance(backend, Backend)
    return backend


async def _backend_of(request: Request) -> Backend:
    return get_backend(request)


BackendDep = Annotated[Backend, Depends(_backend_of)]


def log_user(request: Request, user_id: str) -> None:
    """Let this request's log line carry the user's pseudonym."""
    request.state.log_fields = {"user": pseudonym(user_id)}


def scaled_height(width_px: int, height_px: int, to_width_px: int) -> int:
    """Height in px at another width, proportions kept."""
    return max(1, math.floor(height_px * to_width_px / width_px + 0.5))


def problems(*types: ProblemType) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of an endpoint that may answer these problems; invalid requests always."""
    responses: dict[int | str, dict[str, Any]] = {}
    for one in (*types, INVALID_REQUEST):
        known = responses.get(one.status)
        title = (
            f"{known['description']}; {one.title}"
            if known and known["description"] != one.title
            else one.title
        )
        responses[one.status] = {
            "description": title,
            "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return responses
