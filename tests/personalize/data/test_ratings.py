"""Ratings: each kept once, told apart by network, erased with the rater; and clicks per style beside them."""

from datetime import timedelta

import pytest
from factories import NOW, make_click, make_product, make_slate, make_styles
from sqlalchemy import Engine, insert
from sqlalchemy.exc import IntegrityError

from personalize.data.database import reading, table_of, writing
from personalize.data.events import record_events
from personalize.data.ratings import (
    ClickSums,
    read_pair_ratings,
    read_score_ratings,
    read_style_clicks,
    record_rating,
)
from personalize.data.records import EventStatus, PairRating, ScoreRating
from personalize.data.schema import Rating
from personalize.data.users import erase_user
from personalize.errors import InvalidIdentifier, UnknownProduct, UnknownStyle

NETWORK = "abc123"


@pytest.fixture
def shop(engine: Engine) -> Engine:
    with writing(engine) as session:
        make_styles(session, "waves", "woodcut")
        make_product(session, "mug")
    return engine


def pair(rating_id: str, preferred: str | None = "waves", rater_id: str = "eve") -> PairRating:
    return PairRating(rating_id, rater_id, "mug", "waves", "original", preferred)


def test_what_was_judged_is_read_as_it_was_given(shop: Engine) -> None:
    score = ScoreRating("s1", "007", "mug", "woodcut", 5)
    with writing(shop) as session:
        for i, rating in enumerate((pair("p1"), pair("p2", None), score)):
            now = NOW + timedelta(seconds=i)
            assert record_rating(session, rating, network_version=NETWORK, now=now) is EventStatus.ACCEPTED
    with reading(shop) as session:
        assert read_pair_ratings(session, NETWORK) == [pair("p1"), pair("p2", None)]
        assert read_score_ratings(session, NETWORK) == [score]
        assert read_pair_ratings(session, "another") == []


def test_the_first_of_a_rating_id_is_kept(shop: Engine) -> None:
    with writing(shop) as session:
        record_rating(session, pair("p1", "waves"), network_version=NETWORK, now=NOW)
        again = record_rating(session, pair("p1", "original"), network_version=NETWORK, now=NOW)
    assert again is EventStatus.DUPLICATE
    with reading(shop) as session:
        assert read_pair_ratings(session, NETWORK) == [pair("p1", "waves")]


@pytest.mark.parametrize(
    ("rating", "error"),
    [
        (ScoreRating("s", "eve", "nothing", "waves", 3), UnknownProduct),
        (ScoreRating("s", "eve", "mug", "fresco", 3), UnknownStyle),
        (ScoreRating("s", "a\nb", "mug", "waves", 3), InvalidIdentifier),
        (ScoreRating(" ", "eve", "mug", "waves", 3), InvalidIdentifier),
    ],
)
def test_what_names_nothing_is_refused(shop: Engine, rating: ScoreRating, error: type[Exception]) -> None:
    with pytest.raises(error), writing(shop) as session:
        record_rating(session, rating, network_version=NETWORK, now=NOW)
    with reading(shop) as session:
        assert read_score_ratings(session, NETWORK) == []


@pytest.mark.parametrize(
    "values",
    [
        {"score": 6},
        {"score": None},
        {"score": 3, "other_style_id": "woodcut"},
        {"score": 3, "preferred_style_id": "waves"},
        {"score": None, "other_style_id": "waves"},
        {"score": None, "other_style_id": "woodcut", "preferred_style_id": "original"},
    ],
)
def test_the_database_refuses_what_is_no_judgement(shop: Engine, values: dict[str, object]) -> None:
    row = {"rating_id": "r", "rater_id": "eve", "product_id": "mug", "style_id": "waves", "rated_at": NOW}
    with pytest.raises(IntegrityError), writing(shop) as session:
        session.execute(insert(table_of(Rating)), [row | values])


def test_an_erased_rater_leaves_no_rating(shop: Engine) -> None:
    with writing(shop) as session:
        for i, rater in enumerate(("eve", "bob", "eve")):
            record_rating(session, pair(f"p{i}", rater_id=rater), network_version=NETWORK, now=NOW)
        assert erase_user(session, "eve") == 2
        assert [one.rater_id for one in read_pair_ratings(session, NETWORK)] == ["bob"]


def test_clicks_per_style_are_summed_by_user_and_a_click_counts_once(shop: Engine) -> None:
    with writing(shop) as session:
        products = ["mug", *(make_product(session) for _ in range(2))]
        ada = make_slate(session, "ada", products, style_id="waves")
        bob = make_slate(session, "bob", products[:1], style_id="waves")
        make_slate(session, "bob", products[:2], style_id="original")
        old = make_slate(session, "eve", products[:1], style_id="waves", shown_at=NOW - timedelta(days=9))
        clicks = [make_click(ada[0]), make_click(ada[0]), make_click(ada[1]), make_click(old[0])]
        record_events(session, [*clicks, make_click(bob[0])], NOW + timedelta(hours=1))
    with reading(shop) as session:
        found = read_style_clicks(session, since=NOW - timedelta(days=1))
    assert found == {
        "waves": ClickSums(2, 3, 4, 2 * 2 + 1, 3 * 2 + 1, 3 * 3 + 1),
        "original": ClickSums(1, 0, 2, 0, 0, 4),
    }
