"""Products, page by page, and the styles on offer."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query

from personalize.data.identifiers import checked_id
from personalize.data.records import CatalogueProduct
from personalize.errors import InvalidIdentifier
from personalize.service.dependencies import BackendDep, problems
from personalize.service.http_errors import DATABASE_UNAVAILABLE, INVALID_REQUEST, Problem
from personalize.service.routes.images import photo_url, thumbnail_url
from personalize.service.schemas import Id, ProductOut, ProductPage, StyleList, StyleOut

router = APIRouter(tags=["catalogue"])

MAX_PAGE = 500


@router.get("/v1/products", summary="The catalogue", responses=problems(DATABASE_UNAVAILABLE))
async def list_products(
    backend: BackendDep,
    after: Annotated[
        str | None, Query(description="Cursor from the `next` of a page.", max_length=800)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    category: Annotated[Id | None, Query(description="Only products of this category.")] = None,
) -> ProductPage:
    """In a stable order. Follow `next` to its end; products added meanwhile shift nothing."""
    last_seen = _decode_cursor(after) if after else None
    products = await backend.call(backend.engine.products, last_seen, limit + 1, category)
    page = products[:limit]
    has_more = len(products) > limit
    return ProductPage(
        products=[_describe(product) for product in page],
        next=_next_url(page[-1], limit, category) if has_more else None,
    )


@router.get("/v1/styles", summary="The styles on offer", responses=problems(DATABASE_UNAVAILABLE))
async def list_styles(backend: BackendDep) -> StyleList:
    """`original`, the unstyled photo, among them."""
    styles = backend.engine.styles()
    return StyleList(
        styles=[
            StyleOut(style_id=one.style_id, title=one.title, thumbnail_url=thumbnail_url(one.style_id))
            for one in styles
        ]
    )


def _describe(product: CatalogueProduct) -> ProductOut:
    return ProductOut(
        product_id=product.product_id,
        title=product.title,
        category=product.category,
        width_px=product.width_px,
        height_px=product.height_px,
        photo_url=photo_url(product.product_id),
    )


def _next_url(last: CatalogueProduct, limit: int, category: str | None) -> str:
    query = {"after": _encode_cursor(last.product_id), "limit": limit} | (
        {"category": category} if category else {}
    )
    return f"/v1/products?{urlencode(query)}"


def _encode_cursor(product_id: str) -> str:
    return urlsafe_b64encode(product_id.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> str:
    try:
        return checked_id("after", urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except (ValueError, InvalidIdentifier):
        detail = "is no cursor of ours; take it from the `next` of a page"
        raise Problem(INVALID_REQUEST, f"after: {detail}.", [{"field": "after", "detail": detail}]) from None
