"""Products kept in mind: read once, read again when they may have changed, and never made up."""

import pytest
from factories import make_product
from sqlalchemy import Engine, update

from personalize.data.database import looking, writing
from personalize.data.schema import Product
from personalize.errors import UnknownProduct
from personalize.shelf import KEPT_SECONDS, Shelf


def test_a_change_is_seen_once_what_is_in_mind_is_old(engine: Engine) -> None:
    now = [100.0]
    shelf = Shelf(clock=lambda: now[0])

    def category() -> str:
        with looking(engine) as connection:
            return shelf.find(connection, ["mug-01"])["mug-01"].category

    with writing(engine) as session:
        make_product(session, "mug-01", category="mug")
    assert category() == "mug"
    with writing(engine) as session:
        session.execute(update(Product).values(category="cup"))
    now[0] += KEPT_SECONDS / 2
    assert category() == "mug"
    now[0] += KEPT_SECONDS / 2
    assert category() == "cup"


def test_a_product_that_is_not_there_is_looked_for_again(engine: Engine) -> None:
    shelf = Shelf()
    with looking(engine) as connection, pytest.raises(UnknownProduct, match="mug-02"):
        shelf.find(connection, ["mug-02"])
    with writing(engine) as session:
        make_product(session, "mug-02")
    with looking(engine) as connection:
        assert list(shelf.find(connection, ["mug-02"])) == ["mug-02"]
