"""Users appear when they are first seen, and can disappear without a trace."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import (
    NOW,
    make_click,
    make_experiment,
    make_product,
    make_purchase,
    make_slate,
    make_styles,
    make_user,
)
from sqlalchemy import Engine, make_url, select, text
from sqlalchemy.orm import Session

from personalize.data.database import reading, writing
from personalize.data.events import record_events
from personalize.data.experiments import assign
from personalize.data.schema import Base, Rating, User
from personalize.data.users import ensure_users, erase_user, most_active_users
from personalize.errors import InvalidIdentifier

GONE = "ada-who-leaves"
STAYS = "grace-who-stays"


def live_in_full(session: Session, user_id: str, product_id: str) -> None:
    """Everything that we can come to know about a user."""
    experiment = make_experiment(session)
    variants = assign(session, experiment, [user_id], NOW)
    first, second = make_slate(
        session, user_id, [product_id, make_product(session)], experiment="demo", variant=variants[user_id]
    )
    record_events(session, [make_click(first), make_click(second), make_purchase(first)], NOW)
    session.add(
        Rating(
            rating_id=f"r-{user_id}",
            rater_id=user_id,
            product_id=product_id,
            style_id="waves",
            score=4,
            rated_at=NOW,
        )
    )


@pytest.fixture
def lived_in(engine: Engine) -> Engine:
    with writing(engine) as session:
        make_styles(session)
        product_id = make_product(session)
        for user_id in (GONE, STAYS):
            live_in_full(session, user_id, product_id)
    return engine


def rows_that_mention(session: Session, needle: str) -> Iterator[str]:
    for table in Base.metadata.sorted_tables:
        for row in session.execute(text(f'SELECT * FROM "{table.name}"')):
            if needle in repr(row):
                yield f"{table.name}: {row}"


def test_new_users_are_made_and_known_ones_left_alone(engine: Engine) -> None:
    with writing(engine) as session:
        make_user(session, "ada")
        ensure_users(session.connection(), ["grace", "ada", "grace", "Zoë"], NOW.replace(year=2030))
        created = {user.user_id: user.created_at for user in session.scalars(select(User))}
    assert created["ada"] == NOW
    assert {user for user, at in created.items() if at.year == 2030} == {"grace", "Zoë"}


def test_a_bad_id_stores_nobody(engine: Engine) -> None:
    with pytest.raises(InvalidIdentifier), writing(engine) as session:
        ensure_users(session.connection(), ["ada", "nul\0"], NOW)
    with reading(engine) as session:
        assert session.scalars(select(User)).all() == []


def test_no_row_mentions_an_erased_user(lived_in: Engine) -> None:
    with reading(lived_in) as session:
        mentions = list(rows_that_mention(session, GONE))
        others = list(rows_that_mention(session, STAYS))
    assert len(mentions) == 1 + 1 + 1 + 2 + 1  # user, assignment, slate, impressions, rating
    with writing(lived_in) as session:
        erased = erase_user(session, GONE)
    assert erased == len(mentions) + 3  # and two clicks and a purchase, which name the impression only
    with reading(lived_in) as session:
        assert list(rows_that_mention(session, GONE)) == []
        assert list(rows_that_mention(session, STAYS)) == others
        assert session.scalar(text("SELECT COUNT(*) FROM clicks")) == 2
        assert session.scalar(text("SELECT COUNT(*) FROM purchases")) == 1


def test_the_bytes_of_an_erased_user_are_overwritten(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        make_styles(session)
        live_in_full(session, GONE, make_product(session))
    with writing(sqlite_engine) as session:
        erase_user(session, GONE)
    sqlite_engine.dispose()  # the last connection folds the write-ahead log into the file
    path = Path(str(make_url(sqlite_engine.url).database))
    assert not path.with_name(path.name + "-wal").exists()
    assert GONE.encode() not in path.read_bytes()


def test_erasing_a_stranger_erases_nothing(lived_in: Engine) -> None:
    with writing(lived_in) as session:
        assert erase_user(session, "never-seen") == 0


def test_an_erased_user_may_come_back_as_a_new_one(lived_in: Engine) -> None:
    with writing(lived_in) as session:
        erase_user(session, GONE)
        make_slate(session, GONE)
        assert erase_user(session, GONE) == 3


def test_the_most_active_users_are_those_who_clicked_most_of_a_policy(engine: Engine) -> None:
    with writing(engine) as session:
        make_styles(session)
        for user_id, n_clicked, policy in [
            ("a", 1, "personal"),
            ("b", 2, "personal"),
            ("c", 2, "personal"),
            ("d", 3, "popular"),
        ]:
            for _ in range(n_clicked):
                [shown] = make_slate(session, user_id, policy=policy)
                record_events(session, [make_click(shown), make_click(shown)], NOW)
        assert most_active_users(session, policy="personal", limit=2) == ["b", "c"]
        assert most_active_users(session, policy="personal", limit=9) == ["b", "c", "a"]
