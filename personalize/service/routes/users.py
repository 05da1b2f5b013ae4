"""A user's ranking of styles, and a user's erasure."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from personalize.service.dependencies import BackendDep, log_user, problems
from personalize.service.http_errors import DATABASE_UNAVAILABLE, UNKNOWN_PRODUCT
from personalize.service.schemas import MAX_STYLES, Erasure, Id, PathId, RankingAnswer

router = APIRouter(tags=["users"])


@router.get(
    "/v1/users/{user_id}/styles",
    summary="The styles a user is likeliest to click",
    responses=problems(UNKNOWN_PRODUCT, DATABASE_UNAVAILABLE),
)
async def rank_styles(
    request: Request,
    user_id: Annotated[PathId, Path()],
    backend: BackendDep,
    product_id: Annotated[Id | None, Query(description="Rank for this product.")] = None,
    k: Annotated[
        int | None, Query(ge=1, le=MAX_STYLES, description="How many styles; all when missing.")
    ] = None,
) -> RankingAnswer:
    """By descending score, with the propensity that the policy gives each and the reasons for the score."""
    log_user(request, user_id)
    ranking = await backend.call(backend.engine.rank, user_id, product_id, k)
    return RankingAnswer.model_validate(ranking.to_dict())


@router.delete("/v1/users/{user_id}", summary="Erase a user", responses=problems(DATABASE_UNAVAILABLE))
async def erase_user(request: Request, user_id: Annotated[PathId, Path()], backend: BackendDep) -> Erasure:
    """Every row about the user: slates, impressions, clicks, purchases, assignments. Cannot be undone."""
    log_user(request, user_id)
    rows_erased = await backend.call(backend.engine.forget, user_id)
    backend.remember_nothing()
    return Erasure(rows_erased=rows_erased)
