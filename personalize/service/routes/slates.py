"""Slates: one decision per product, with the address of its render."""

from fastapi import APIRouter, Request

from personalize.decisions import Decision
from personalize.rendering.keys import PictureFormat
from personalize.service.dependencies import Backend, BackendDep, log_user, problems, scaled_height
from personalize.service.http_errors import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    MALFORMED_JSON,
    REQUEST_TOO_LARGE,
    UNKNOWN_PRODUCT,
    Problem,
)
from personalize.service.schemas import SlateAnswer, SlateRequest, StyleDecision

router = APIRouter(tags=["slates"])


@router.post(
    "/v1/slates",
    summary="Decide which style a user sees of each product",
    responses=problems(UNKNOWN_PRODUCT, MALFORMED_JSON, REQUEST_TOO_LARGE, DATABASE_UNAVAILABLE),
)
async def create_slate(request: Request, slate: SlateRequest, backend: BackendDep) -> SlateAnswer:
    """The impressions are on disk before the answer leaves. Within a visit the same user keeps the
    style, and the impression, of a product. The pictures are rendered when their address is asked for.
    """
    log_user(request, slate.user_id)
    if repeated := slate.repeated:
        error = {"field": "product_ids", "detail": f"{repeated!r} stands twice; send each product once"}
        raise Problem(INVALID_REQUEST, f"product_ids: {error['detail']}.", [error])
    decisions = await backend.call(
        backend.engine.decide, slate.user_id, slate.product_ids, context=slate.context
    )
    return SlateAnswer(
        user_id=slate.user_id,
        decisions=[describe(backend, decision, slate.width, slate.format) for decision in decisions],
    )


def describe(backend: Backend, decision: Decision, width_px: int, format: PictureFormat) -> StyleDecision:  # noqa: A002
    """A decision with the address and size of its render."""
    shown, product = decision.impression, decision.product
    key = backend.renders.key(product, decision.style_weights, width_px, format)
    backend.metrics.decisions.labels(shown.policy, shown.variant or "").inc()
    return StyleDecision(
        product_id=product.product_id,
        impression_id=shown.impression_id,
        slate_id=shown.slate_id,
        position=shown.position,
        style_id=shown.style_id,
        style_weights=decision.style_weights,
        propensity=shown.propensity,
        policy=shown.policy,
        model_version=shown.model_version,
        experiment=shown.experiment,
        variant=shown.variant,
        image_url=key.url,
        image_width=key.width_px,
        image_height=scaled_height(product.width_px, product.height_px, key.width_px),
    )
