"""Users: made when they are first seen, erased with everything about them."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, CursorResult, Delete, delete, func, select
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from personalize.data.database import insert_if_new, table_of
from personalize.data.identifiers import checked_id
from personalize.data.prepared import Prepared
from personalize.data.schema import Assignment, Click, Impression, Purchase, Rating, Slate, User


def ensure_users(connection: Connection, user_ids: Iterable[str], now: datetime) -> None:
    """Make the users that are not there yet.

    Raises:
        InvalidIdentifier: one of the ids cannot be an id; nothing is stored.
    """
    # sorted, so that two processes that make the same users lock them in the same order
    distinct = sorted({checked_id("user_id", user_id) for user_id in user_ids})
    if distinct:
        _insertion(connection.dialect).execute_many(connection, [(user_id, now) for user_id in distinct])


@lru_cache
def _insertion(dialect: Dialect) -> Prepared:
    return Prepared(insert_if_new(dialect.name, table_of(User)), ("user_id", "created_at"), dialect)


def erase_user(session: Session, user_id: str) -> int:
    """Delete every row about a user and return how many there were; 0 for a user never seen.

    Clicks, purchases, impressions, slates, assignments, ratings given, and the user.
    """
    shown = select(Impression.impression_id).where(Impression.user_id == user_id)
    return sum(
        _count(session, statement)
        for statement in (
            delete(Purchase).where(Purchase.impression_id.in_(shown)),
            delete(Click).where(Click.impression_id.in_(shown)),
            delete(Impression).where(Impression.user_id == user_id),
            delete(Slate).where(Slate.user_id == user_id),
            delete(Assignment).where(Assignment.user_id == user_id),
            delete(Rating).where(Rating.rater_id == user_id),
            delete(User).where(User.user_id == user_id),
        )
    )


def most_active_users(session: Session, *, policy: str, limit: int) -> list[str]:
    """The users who clicked most of what `policy` showed them, the most active first."""
    clicked = func.count(Click.impression_id.distinct())
    query = (
        select(Impression.user_id)
        .join(Click, Click.impression_id == Impression.impression_id)
        .where(Impression.policy == policy)
        .group_by(Impression.user_id)
        .order_by(clicked.desc(), Impression.user_id)
        .limit(limit)
    )
    return list(session.scalars(query))


def _count(session: Session, statement: Delete) -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount
