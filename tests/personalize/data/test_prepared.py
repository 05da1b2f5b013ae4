"""Prepared statements do what the same statements do by themselves, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from factories import make_product, make_slate, make_styles
from sqlalchemy import Engine, bindparam, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from personalize.data.database import looking, reading, table_of, writing
from personalize.data.prepared import Prepared
from personalize.data.schema import Impression, Purchase, Slate, User
from personalize.errors import DatabaseUnavailable

BOUGHT = table_of(Purchase)
NAMES = ("event_id", "impression_id", "value", "currency", "received_at", "purchased_at")
AT = datetime(2026, 7, 1, 12, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))


def test_values_are_stored_and_read_as_their_types_say(engine: Engine) -> None:
    with writing(engine) as session:
        make_styles(session)
        [shown] = make_slate(session, "ada", [make_product(session)])
        rows = [
            (f"b-{n}", shown.impression_id, Decimal(n) / 4, "EUR", AT, AT + timedelta(days=n))
            for n in range(3)
        ]
        prepared = Prepared(insert(BOUGHT), NAMES, engine.dialect)
        prepared.execute_many(session.connection(), rows[:2])
        prepared.execute_many(session.connection(), rows[2:])
    columns = [BOUGHT.c[name] for name in NAMES]
    query = select(*columns).order_by(BOUGHT.c.event_id)
    with reading(engine) as session:
        assert [tuple(row) for row in session.execute(query)] == rows
    since = select(*columns).where(
        BOUGHT.c.purchased_at > bindparam("since"), BOUGHT.c.value < bindparam("most")
    )
    asked = Prepared(since.order_by(BOUGHT.c.event_id), ("most", "since"), engine.dialect)
    with looking(engine) as connection:
        for _ in range(2):
            assert [tuple(row) for row in asked.fetch_all(connection, (Decimal("0.5"), AT))] == rows[1:2]
        assert asked.fetch_all(connection, (Decimal(9), AT + timedelta(days=9))) == []
        assert asked.fetch_all(connection, (Decimal(9), AT))[0][4].tzinfo is UTC


def test_json_is_stored_as_json(engine: Engine) -> None:
    context = {"device": "phone", "age": 0.5, "na\u00efve %s": "100 %"}
    names = ("slate_id", "user_id", "served_at", "context")
    with writing(engine) as session:
        session.add(User(user_id="ada", created_at=AT))
        session.flush()
        Prepared(insert(Slate), names, engine.dialect).execute_many(
            session.connection(), [("s-1", "ada", AT, context)]
        )
    with reading(engine) as session:
        assert session.get_one(Slate, "s-1").context == context


def test_a_value_that_cannot_be_is_refused_as_ever(engine: Engine) -> None:
    with writing(engine) as session:
        make_styles(session)
        [shown] = make_slate(session, "ada", [make_product(session)])
        naive = ("b", shown.impression_id, Decimal(1), "EUR", datetime(2026, 7, 1), AT)  # noqa: DTZ001
        with pytest.raises(ValueError, match="attach a time zone"):
            Prepared(insert(BOUGHT), NAMES, engine.dialect).execute_many(session.connection(), [naive])


def test_parameters_are_named_in_full(engine: Engine) -> None:
    query = select(Impression).where(Impression.user_id == bindparam("user_id"))
    with pytest.raises(ValueError, match="expected values of"):
        Prepared(query, ("user",), engine.dialect)


def test_the_errors_of_the_driver_are_those_of_sqlalchemy(engine: Engine) -> None:
    """By which a database that does not answer is told from a refused row."""
    insertion = Prepared(insert(User), ("user_id", "created_at"), engine.dialect)
    with pytest.raises(IntegrityError, match="INSERT INTO users"), writing(engine) as session:
        insertion.execute_many(session.connection(), [("ada", AT), ("ada", AT)])
    forbidden = pytest.raises((DatabaseUnavailable, DBAPIError), match=r"read-?only")
    with forbidden, looking(engine) as connection:
        insertion.execute_many(connection, [("ada", AT)])
    with reading(engine) as session:
        assert session.get(User, "ada") is None
