"""Human judgements of renders, stored once each; and what each style earned in clicks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, func, literal, select, union_all
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from personalize.data.database import insert_new
from personalize.data.identifiers import checked_id
from personalize.data.records import EventStatus, PairRating, RatingGiven, ScoreRating
from personalize.data.schema import Click, Impression, Product, Rating, Style
from personalize.errors import UnknownProduct, UnknownStyle


def record_rating(
    session: Session, rating: RatingGiven, *, network_version: str, now: datetime
) -> EventStatus:
    """Store a judgement; the first of a `rating_id` is kept, whatever later ones say.

    Args:
        network_version: the network that painted what was judged.
    Raises:
        InvalidIdentifier, UnknownProduct, UnknownStyle: nothing was stored.
    """
    checked_id("rating_id", rating.rating_id)
    checked_id("rater_id", rating.rater_id)
    if session.get(Product, rating.product_id) is None:
        raise UnknownProduct(rating.product_id)
    _require_styles(session, rating.style_ids)
    row = _row(rating) | {
        "rating_id": rating.rating_id,
        "rater_id": rating.rater_id,
        "product_id": rating.product_id,
        "network_version": network_version,
        "rated_at": now,
    }
    is_new = insert_new(session, Rating, [row], "rating_id")
    return EventStatus.ACCEPTED if is_new else EventStatus.DUPLICATE


def _row(rating: RatingGiven) -> dict[str, Any]:
    if isinstance(rating, ScoreRating):
        judged = {"style_id": rating.style_id, "score": rating.score}
        return judged | {"other_style_id": None, "preferred_style_id": None}
    return {
        "style_id": rating.left_style_id,
        "other_style_id": rating.right_style_id,
        "preferred_style_id": rating.preferred_style_id,
        "score": None,
    }


def _require_styles(session: Session, style_ids: Sequence[str]) -> None:
    known = set(session.scalars(select(Style.style_id).where(Style.style_id.in_(style_ids))))
    for style_id in style_ids:
        if style_id not in known:
            raise UnknownStyle(style_id)


def read_pair_ratings(session: Session, network_version: str) -> list[PairRating]:
    """The comparisons of this network's renders, in the order in which they were made."""
    rows = session.execute(_of_network(network_version).where(Rating.other_style_id.is_not(None)))
    return [
        PairRating(
            row.rating_id, row.rater_id, row.product_id, row.style_id, row.other_style_id, row.preferred
        )
        for row in rows
    ]


def read_score_ratings(session: Session, network_version: str) -> list[ScoreRating]:
    """The scores of this network's renders, in the order in which they were given."""
    rows = session.execute(_of_network(network_version).where(Rating.score.is_not(None)))
    return [ScoreRating(row.rating_id, row.rater_id, row.product_id, row.style_id, row.score) for row in rows]


def _of_network(network_version: str) -> Any:
    columns = (
        Rating.rating_id,
        Rating.rater_id,
        Rating.product_id,
        Rating.style_id,
        Rating.other_style_id,
        Rating.preferred_style_id.label("preferred"),
        Rating.score,
    )
    query = select(*columns).where(Rating.network_version == network_version)
    return query.order_by(Rating.rated_at, Rating.rating_id)


class ClickSums(NamedTuple):
    """Sums over the users who saw a style: how many, and of y (clicked impressions) and x (impressions)."""

    users: int
    clicks: int
    impressions: int
    clicks_squared: int
    clicks_times_impressions: int
    impressions_squared: int


def read_style_clicks(session: Session, *, since: datetime) -> dict[str, ClickSums]:
    """By style: sums over users of what was shown since then and clicked; one row a style leaves the
    database.

    Impressions and clicks are each counted by user before they meet, so that nothing multiplies and
    no join of the whole log hangs on the planner's statistics.
    """
    shown = (
        select(
            Impression.style_id,
            Impression.user_id,
            func.count().label("x"),
            sql_cast(literal(0), Integer).label("y"),
        )
        .where(Impression.shown_at >= since)
        .group_by(Impression.style_id, Impression.user_id)
    )
    clicked = (
        select(
            Impression.style_id,
            Impression.user_id,
            sql_cast(literal(0), Integer).label("x"),
            func.count(Click.impression_id.distinct()).label("y"),
        )
        .join(Click, Click.impression_id == Impression.impression_id)
        .where(Impression.shown_at >= since)
        .group_by(Impression.style_id, Impression.user_id)
    )
    both = union_all(shown, clicked).subquery()
    of_user = (
        select(both.c.style_id, func.sum(both.c.x).label("x"), func.sum(both.c.y).label("y"))
        .group_by(both.c.style_id, both.c.user_id)
        .subquery()
    )
    x, y = of_user.c.x, of_user.c.y
    sums = (func.count(), func.sum(y), func.sum(x), func.sum(y * y), func.sum(x * y), func.sum(x * x))
    rows = session.execute(select(of_user.c.style_id, *sums).group_by(of_user.c.style_id))
    return {style_id: ClickSums(*map(int, values)) for style_id, *values in rows}
