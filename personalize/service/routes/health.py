"""Whether the process lives, whether it can serve, and its numbers."""

from fastapi import APIRouter, Response

from personalize.service.dependencies import BackendDep, problems
from personalize.service.http_errors import NOT_READY, Problem
from personalize.service.schemas import Health, Readiness

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Whether the process lives")
async def check_health() -> Health:
    """Restart the process when this does not answer."""
    return Health(status="ok")


@router.get("/readyz", summary="Whether the service can answer", responses=problems(NOT_READY))
async def check_readiness(backend: BackendDep) -> Readiness:
    """Send traffic only while this answers 200."""
    if not backend.is_ready:
        raise Problem(NOT_READY, f"Not ready: {backend.why_not_ready}.")
    await backend.call(backend.engine.products, None, 1)
    return Readiness(
        status="ready",
        model_version=backend.engine.model_version,
        network_version=backend.renders.network_version,
    )


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def read_metrics(backend: BackendDep) -> Response:
    """Request durations by route, decisions, events, renders."""
    return Response(backend.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
