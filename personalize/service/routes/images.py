"""Pictures: the one chosen for a user, renders by address, original photos, thumbnails."""

import re
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request, Response

from personalize.data.records import ShownStyle
from personalize.data.schema import ORIGINAL
from personalize.rendering import Picture
from personalize.rendering.keys import MEDIA_TYPES, PictureFormat, RenderKey
from personalize.service.dependencies import BackendDep, log_user, problems
from personalize.service.http_errors import (
    DATABASE_UNAVAILABLE,
    NO_ACCEPTABLE_FORMAT,
    RENDERER_BUSY,
    UNKNOWN_PRODUCT,
    UNKNOWN_RENDER,
    UNKNOWN_STYLE,
    UNREADABLE_PHOTO,
    Problem,
)
from personalize.service.negotiation import negotiate_format
from personalize.service.schemas import PathId, Width

router = APIRouter(tags=["pictures"])

DEFAULT_WIDTH_PX = 480
IMMUTABLE = "public, max-age=31536000, immutable"
FOR_A_WHILE = "public, max-age=3600"
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")

AcceptHeader = Annotated[str | None, Header(alias="Accept", include_in_schema=False)]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", include_in_schema=False)]
FormatQuery = Annotated[PictureFormat | None, Query(description="Overrides the Accept header.")]


def _picture_docs(description: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    described = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in (headers or {}).items()
    }
    return {
        "description": description,
        "content": dict.fromkeys(MEDIA_TYPES.values(), binary),
        "headers": described,
    }


IMPRESSION_HEADERS = {
    "Impression-Id": "What clicks and purchases refer to.",
    "Style-Id": "The style shown, `original` for the photo itself; other than ASCII is percent-encoded.",
    "Propensity": "Probability with which the policy shows just this style.",
    "Model-Version": "What scored the styles; `online` before the first promotion.",
    "Content-Location": "Address of the same picture as an immutable render.",
}


@router.get(
    "/v1/users/{user_id}/products/{product_id}/image",
    summary="The product's photo in the style chosen for this user",
    response_class=Response,
    responses={
        200: _picture_docs("The picture. The impression is on disk before it leaves.", IMPRESSION_HEADERS),
        **problems(
            UNKNOWN_PRODUCT, NO_ACCEPTABLE_FORMAT, RENDERER_BUSY, DATABASE_UNAVAILABLE, UNREADABLE_PHOTO
        ),
    },
)
async def read_styled_image(
    request: Request,
    user_id: Annotated[PathId, Path()],
    product_id: Annotated[PathId, Path()],
    backend: BackendDep,
    width: Annotated[Width, Query()] = DEFAULT_WIDTH_PX,
    format: FormatQuery = None,  # noqa: A002
    accept: AcceptHeader = None,
) -> Response:
    """The impression and its propensity are on disk before the answer leaves, so a later click has
    something to point to. Within a visit the same user sees the same style of the same product.

    The format is AVIF, WebP or JPEG by the Accept header, or the one asked for.
    """
    log_user(request, user_id)
    chosen = _format(format, accept)
    with backend.renders.admitted():
        (decision,) = await backend.call(backend.engine.decide, user_id, [product_id])
        shown = decision.impression
        backend.metrics.decisions.labels(shown.policy, shown.variant or "").inc()
        key = backend.renders.key(decision.product, decision.style_weights, width, chosen)
        picture = await backend.render(key)
    return Response(
        picture.payload,
        media_type=picture.media_type,
        headers={
            "Cache-Control": "private, no-store",
            "Vary": "Accept",
            "Content-Location": key.url,
            **_impression_headers(shown),
        },
    )


@router.get(
    "/v1/renders/{photo_sha256}/{recipe}/{file_name}",
    summary="An immutable render",
    response_class=Response,
    responses={
        200: _picture_docs("The picture.", {"ETag": "Hash of the bytes.", "Cache-Control": IMMUTABLE}),
        304: {"description": "The client's copy is the same."},
        **problems(UNKNOWN_RENDER, RENDERER_BUSY, UNREADABLE_PHOTO),
    },
)
async def read_render(
    photo_sha256: Annotated[str, Path()],
    recipe: Annotated[str, Path()],
    file_name: Annotated[str, Path()],
    backend: BackendDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The address, as POST /v1/slates gives it, holds all that is needed to make the picture."""
    key = RenderKey.parse(photo_sha256, recipe, file_name)
    picture = await backend.call(backend.renders.find, key)
    if picture is None:
        with backend.renders.admitted():
            picture = await backend.render(key)
    return _cacheable(picture, IMMUTABLE, if_none_match)


@router.get(
    "/v1/products/{product_id}/photo",
    summary="The original photo",
    response_class=Response,
    responses={
        200: _picture_docs("The photo, re-encoded."),
        304: {"description": "The client's copy is the same."},
        **problems(UNKNOWN_PRODUCT, NO_ACCEPTABLE_FORMAT, RENDERER_BUSY, UNREADABLE_PHOTO),
    },
)
async def read_photo(
    product_id: Annotated[PathId, Path()],
    backend: BackendDep,
    width: Annotated[Width, Query()] = DEFAULT_WIDTH_PX,
    format: FormatQuery = None,  # noqa: A002
    accept: AcceptHeader = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Upright and without metadata. No impression is recorded."""
    chosen = _format(format, accept)
    product = await backend.call(backend.engine.product, product_id)
    with backend.renders.admitted():
        picture = await backend.render(backend.renders.key(product, {}, width, chosen))
    return _cacheable(picture, FOR_A_WHILE, if_none_match, vary="Accept")


@router.get(
    "/v1/styles/{style_id}/thumbnail",
    summary="A small picture of a style",
    response_class=Response,
    responses={
        200: {
            "description": "The thumbnail.",
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        },
        304: {"description": "The client's copy is the same."},
        **problems(UNKNOWN_STYLE),
    },
)
async def read_thumbnail(
    style_id: Annotated[PathId, Path()], backend: BackendDep, if_none_match: IfNoneMatch = None
) -> Response:
    """The painting that the style was learned from, cropped."""
    return _cacheable(backend.renders.thumbnail(style_id), FOR_A_WHILE, if_none_match)


def _format(asked: PictureFormat | None, accept: str | None) -> PictureFormat:
    chosen = asked or negotiate_format(accept)
    if chosen is None:
        raise Problem(
            NO_ACCEPTABLE_FORMAT,
            f"The Accept header {(accept or '')[:120]!r} covers none of {', '.join(MEDIA_TYPES.values())}; "
            "accept one of them, or ask for one with ?format=.",
        )
    return chosen


def _impression_headers(shown: ShownStyle) -> dict[str, str]:
    return {
        "Impression-Id": shown.impression_id,
        "Style-Id": quote(shown.style_id, safe=_PRINTABLE),
        "Propensity": repr(shown.propensity),
        "Model-Version": shown.model_version,
    }


def _cacheable(picture: Picture, cache_control: str, if_none_match: str | None, vary: str = "") -> Response:
    headers = {"Cache-Control": cache_control, "ETag": picture.etag} | ({"Vary": vary} if vary else {})
    if if_none_match is not None and _matches(picture.etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(picture.payload, media_type=picture.media_type, headers=headers)


def _matches(etag: str, if_none_match: str) -> bool:
    """Weak comparison, as If-None-Match wants it (RFC 9110, section 13.1.2)."""
    return if_none_match.strip() == "*" or etag in re.findall(r'"[^"]*"', if_none_match)


def thumbnail_url(style_id: str) -> str | None:
    """Where a style's thumbnail is; the original photo has none."""
    return None if style_id == ORIGINAL else f"/v1/styles/{quote(style_id, safe='')}/thumbnail"


def photo_url(product_id: str) -> str:
    """Where a product's original photo is."""
    return f"/v1/products/{quote(product_id, safe='')}/photo"
