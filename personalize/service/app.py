"""create_app(settings): wiring, no logic."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from personalize.engine import Engine
from personalize.rendering import Renders
from personalize.service.dependencies import Backend
from personalize.service.garbage import rarely_collected
from personalize.service.http_errors import add_error_handlers
from personalize.service.metrics import Metrics
from personalize.service.middleware import BodyLimit, OpaqueSlashes, RequestFrame
from personalize.service.openapi import describe_api
from personalize.service.routes import (
    catalogue,
    events,
    health,
    images,
    judgement_pages,
    pages,
    ratings,
    slates,
    users,
)
from personalize.settings import Settings

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_000_000
STATIC_DIR = Path(__file__).with_name("static")


def create_app(settings: Settings) -> FastAPI:
    """The service. Its lifespan opens the engine and the renders, and closes them.

    While the network is still being loaded the service answers already; /readyz says so.

    Raises:
        DatabaseOutOfDate, NoStylesOnOffer, UnknownExperiment: on start-up; the message says what to do.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = await to_thread.run_sync(Engine.open, settings)
        renders = await to_thread.run_sync(Renders.open, settings)
        metrics.watch_renders(renders)
        backend = app.state.backend = Backend(settings, engine, renders, metrics)
        tasks = [asyncio.create_task(_warm_up(backend)), asyncio.create_task(_follow_champion(backend))]
        try:
            with rarely_collected():
                yield
        finally:
            backend.is_ready, backend.why_not_ready = False, "the service is stopping"
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await to_thread.run_sync(renders.close)
            await to_thread.run_sync(engine.close)

    app = FastAPI(
        title="personalize",
        summary="Each product photo in the style that this shopper is likeliest to click.",
        version=_version(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for module in (images, slates, events, ratings, users, catalogue, health, pages, judgement_pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC_DIR), name="static")
    add_error_handlers(app)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(RequestFrame, metrics=metrics)
    app.add_middleware(OpaqueSlashes)
    describe_api(app)
    return app


async def _warm_up(backend: Backend) -> None:
    """Load the network, then be ready. A renderer that cannot start is told by /readyz and the log."""
    try:
        await to_thread.run_sync(backend.renders.warm_up)
    except Exception as error:
        backend.why_not_ready = f"the renderer did not start: {error}"
        logger.exception("renderer_failed")
        return
    backend.is_ready = True
    logger.info("service_ready", extra={"model_version": backend.engine.model_version})


async def _follow_champion(backend: Backend) -> None:
    """Pick up newly promoted models; a database that does not answer for a while is asked again."""
    while True:
        await asyncio.sleep(backend.settings.refresh_seconds)
        try:
            await backend.call(backend.engine.refresh)
        except Exception:
            logger.exception("champion_refresh_failed")


def _version() -> str:
    try:
        return version("personalize")
    except PackageNotFoundError:  # a checkout that was not installed
        return "0"
