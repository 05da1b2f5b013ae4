"""Human judgement: what to judge next, the judgements, and what they say of the styles."""

from random import Random, SystemRandom
from typing import Annotated

from fastapi import APIRouter, Query

from personalize.data.schema import ORIGINAL
from personalize.judgement import StylesJudged, clicks_of_styles, judge_styles
from personalize.rendering import measures_of_checkpoint
from personalize.service.dependencies import Backend, BackendDep, problems, scaled_height
from personalize.service.http_errors import (
    DATABASE_UNAVAILABLE,
    MALFORMED_JSON,
    NOTHING_TO_RATE,
    REQUEST_TOO_LARGE,
    UNKNOWN_PRODUCT,
    UNKNOWN_STYLE,
    Problem,
)
from personalize.service.rating_schemas import (
    RatingAnswer,
    RatingIn,
    RatingKind,
    RatingPicture,
    RatingTask,
    StylesJudgedAnswer,
)

router = APIRouter(tags=["ratings"])

CHANCE = SystemRandom()


@router.get(
    "/v1/ratings/next",
    summary="What to judge next",
    responses=problems(NOTHING_TO_RATE, DATABASE_UNAVAILABLE),
)
async def next_rating(
    backend: BackendDep,
    kind: Annotated[RatingKind, Query(description="Two renders side by side, or one to score.")] = "pair",
) -> RatingTask:
    """A random product in random styles, the photo itself among them, on random sides."""
    return await draw_task(backend, kind, CHANCE)


@router.post(
    "/v1/ratings",
    summary="Record a judgement",
    responses=problems(
        MALFORMED_JSON, REQUEST_TOO_LARGE, UNKNOWN_PRODUCT, UNKNOWN_STYLE, DATABASE_UNAVAILABLE
    ),
)
async def record_rating(rating: RatingIn, backend: BackendDep) -> RatingAnswer:
    """One score, or one comparison of two. It is on disk when answered; sending it again is harmless."""
    status = await backend.call(
        backend.engine.rate, rating.to_rating(), network_version=backend.renders.network_version
    )
    return RatingAnswer.model_validate({"rating_id": rating.rating_id, "status": status.value})


@router.get(
    "/v1/styles/judgements",
    summary="Each style by eye, by measure and by behaviour",
    responses=problems(DATABASE_UNAVAILABLE),
)
async def read_judgements(backend: BackendDep) -> StylesJudgedAnswer:
    """The most surely clicked style first. A number that cannot be had is null, and `why_none` says why."""
    return StylesJudgedAnswer.model_validate(await judged_styles(backend), from_attributes=True)


async def judged_styles(backend: Backend) -> StylesJudged:
    """Ratings of the network in use, its measures, and the clicks of the history window.

    Ratings are as of now; the clicks, which take a look over the log, up to a minute old.
    """
    engine, settings = backend.engine, backend.settings
    since = engine.clock() - settings.history_window
    clicks = await backend.remembered("clicks of styles", clicks_of_styles, engine.database, since)
    return await backend.call(
        judge_styles,
        engine.database,
        engine.styles(),
        measures_of_checkpoint(settings),
        clicks,
        network_version=backend.renders.network_version,
    )


async def draw_task(backend: Backend, kind: RatingKind, chance: Random) -> RatingTask:
    """Every product, every style and every side with equal chance.

    Raises:
        Problem: nothing-to-rate, when the catalogue is empty or too few styles are on offer.
    """
    style_ids = [style.style_id for style in backend.engine.styles()]
    n_pictures = 2 if kind == "pair" else 1
    product = await backend.call(backend.engine.product_at, chance.random())
    if product is None or len(style_ids) < n_pictures:
        raise Problem(NOTHING_TO_RATE, f"There is nothing to rate yet. {NOTHING_TO_RATE.advice}")
    keys = {
        style_id: backend.renders.card_key(product, {} if style_id == ORIGINAL else {style_id: 1.0})
        for style_id in chance.sample(style_ids, n_pictures)
    }
    pictures = [
        RatingPicture(
            style_id=style_id,
            image_url=key.url,
            image_width=key.width_px,
            image_height=scaled_height(product.width_px, product.height_px, key.width_px),
        )
        for style_id, key in keys.items()
    ]
    return RatingTask(
        kind=kind, product_id=product.product_id, product_title=product.title, pictures=pictures
    )
