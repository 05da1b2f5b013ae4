"""Money and time survive the round trip through both databases, and refuse what would be lost."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import StatementError

from personalize.data.schema import MAX_MONEY, Money, UtcDateTime, money_units

amounts = st.decimals(min_value=-MAX_MONEY, max_value=MAX_MONEY, places=4, allow_nan=False)
times = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
on_a_kept_table = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def kept(engine: Engine) -> tuple[Engine, Table]:
    table = Table(
        "kept",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("amount", Money),
        Column("at", UtcDateTime),
    )
    with engine.begin() as connection:
        table.create(connection)
    return engine, table


@on_a_kept_table
@given(amount=amounts, at=times)
def test_what_is_stored_is_what_is_read(kept: tuple[Engine, Table], amount: Decimal, at: datetime) -> None:
    engine, table = kept
    with engine.connect() as connection:
        connection.execute(insert(table), {"amount": amount, "at": at})
        stored = connection.execute(select(table.c.amount, table.c.at)).one()
        connection.rollback()
    assert stored.amount == amount
    assert stored.at == at
    assert stored.at.tzinfo is UTC


def test_nothing_stays_nothing(kept: tuple[Engine, Table]) -> None:
    engine, table = kept
    with engine.begin() as connection:
        connection.execute(insert(table), {"amount": None, "at": None})
        assert connection.execute(select(table.c.amount, table.c.at)).one() == (None, None)


def test_a_time_without_a_zone_is_refused(kept: tuple[Engine, Table]) -> None:
    engine, table = kept
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    with engine.connect() as connection, pytest.raises(StatementError, match="expected an aware time"):
        connection.execute(insert(table), {"at": naive})


def test_times_sort_as_moments_not_as_local_text(kept: tuple[Engine, Table]) -> None:
    engine, table = kept
    tokyo, lima = timezone(timedelta(hours=9)), timezone(timedelta(hours=-5))
    earlier = datetime(2026, 1, 2, 3, 0, tzinfo=tokyo)
    later = datetime(2026, 1, 1, 20, 0, tzinfo=lima)
    with engine.connect() as connection:
        connection.execute(insert(table), [{"at": later}, {"at": earlier}])
        assert connection.scalars(select(table.c.at).order_by(table.c.at)).all() == [earlier, later]


@pytest.mark.parametrize(
    ("amount", "complaint"),
    [
        (Decimal("0.00001"), "four decimals"),
        (Decimal("1.0000000000000000000000000000000000001"), "four decimals"),
        (Decimal("NaN"), "finite"),
        (Decimal("sNaN"), "finite"),
        (Decimal("-Infinity"), "finite"),
        (Decimal("1e40"), "at most"),
        (24.90, "finite Decimal"),
    ],
)
def test_an_amount_that_would_change_is_refused(amount: Decimal, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        money_units(amount)


def test_an_amount_is_counted_in_ten_thousandths() -> None:
    assert money_units(Decimal("24.9")) == 249_000
    assert money_units(Decimal("0.0001")) == 1
    assert money_units(Decimal("1e3")) == 10_000_000
