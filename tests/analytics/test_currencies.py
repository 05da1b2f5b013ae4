"""One currency an analysis: the same to the last digit from every source, and never mixed in silence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from analytics_money import (
    DEFINITION,
    RATES,
    Shop,
    earned,
    fill,
    only_in,
    rows_of,
    shop_of,
    tables,
    worth,
    write,
)
from analytics_rollup_contents import contents, drop_rollups
from hypothesis import given
from hypothesis import strategies as st

from analytics import Experiment, Tables
from analytics.cleaning import Cleaning
from analytics.currencies import Conversion
from analytics.errors import InvalidRequest, MissingColumns, SeveralCurrencies
from analytics.frames.cleaning import clean
from analytics.question import Question
from analytics.reading import Database
from analytics.rollup import Rollup
from analytics.rollup.read import read_totals
from analytics.sql.database import stored_definition
from analytics.sql.logs import PURCHASES, EventLogs
from analytics.sql.raw import read_logs
from analytics.sums import Moments

IN_EUROS = Cleaning(currency="EUR", rates=RATES)
SPEND = "spend=revenue/users"
QUESTION = Question(("purchases", "revenue", "pre_revenue"))


def frames(shop: Shop) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Amounts in whole units of their currency."""
    shown = [(met, *rest) for met, rest in shop.shown.items()]
    names = ["event_id", "impression_id", "purchased_at", "value", "currency"]
    bought = pd.DataFrame(shop.bought, columns=names)
    bought["value"] /= 10_000
    return pd.DataFrame(shown, columns=["impression_id", "user", "variant", "shown_at"]), bought


amounts = st.integers(-(10**15), 10**15)
rates = st.integers(1, 10**12).map(lambda n: Decimal(n) / 10**9)


@given(amounts, rates)
def test_an_amount_is_rounded_half_away_from_zero_without_losing_a_digit(amount: int, rate: Decimal) -> None:
    [found] = Conversion.at(rate).of(np.array([amount]))
    assert found == int((amount * rate).quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize("rules", [IN_EUROS, Cleaning(currency="USD")], ids=["with rates", "without"])
def test_a_database_earns_what_a_pencil_says(connection: sa.Connection, rules: Cleaning, keys: bool) -> None:
    shop = shop_of(1)
    shop.bought += [] if keys else [shop.bought[n] for n in (0, 3, 4, 5, 6, 7, 8)]
    fill(connection, shop, keys=keys)
    rules = rules.within(DEFINITION)
    revenue, fates = earned(shop, rules)
    read = read_logs(connection, EventLogs(), "demo", Question(("revenue",)), cleaning=rules)
    check_funnel(read.funnel["purchases"], fates)
    assert "other_currency" not in read.funnel["clicks"].dropped
    assert ("duplicates" in fates) is not keys
    for group, moments in read.groups.items():
        [total] = moments.totals.values()
        assert total == pytest.approx(
            sum(n for (_, variant), n in revenue.items() if variant == group.variant) / 10_000, rel=1e-15
        )
    assert fates["other_currency"] > 10


def check_funnel(funnel: Any, fates: Any) -> None:
    assert funnel.rows == fates.total()
    assert {rule: n for rule, n in funnel.dropped.items() if n} == {
        rule: n for rule, n in fates.items() if rule != "kept"
    }
    assert funnel.kept == fates["kept"] > 0


@pytest.mark.parametrize("rules", [IN_EUROS, Cleaning(currency="USD")], ids=["with rates", "without"])
def test_data_frames_earn_what_a_pencil_says(rules: Cleaning) -> None:
    shop, rules = shop_of(2), rules.within(DEFINITION)
    shop.bought += shop.bought[:9]
    shown, bought = frames(shop)
    revenue, fates = earned(shop, rules)
    cleaned = clean(shown, {"purchases": bought.rename(columns={"purchased_at": "at"})}, rules)
    check_funnel(cleaned.funnel["purchases"], fates)
    found: Any = cleaned.rows.groupby(["user", "variant"])["revenue"].sum()
    assert {pair: round(value * 10_000) for pair, value in found.items()} == revenue


@pytest.mark.parametrize("kind", [sa.Numeric(20, 2), sa.Double], ids=["decimals", "doubles"])
def test_amounts_with_decimals_are_rounded_to_ten_thousandths(connection: sa.Connection, kind: Any) -> None:
    shop = shop_of(3)
    shop.bought = [(*row[:3], row[3] % 10**6 // 100, row[4]) for row in shop.bought]
    metadata = tables(keys=True, value=kind)
    metadata.create_all(connection)
    rows = rows_of(shop)
    write(
        connection, metadata, [(t, r | {"value": r["value"] / 100} if "value" in r else r) for t, r in rows]
    )
    rules = IN_EUROS.within(DEFINITION)
    logs = EventLogs(outcomes=(replace(PURCHASES, value_units=1),))
    read = read_logs(connection, logs, "demo", Question(("revenue",)), cleaning=rules)
    whole = replace(shop, bought=[(*row[:3], row[3] * 100, row[4]) for row in shop.bought])
    revenue, _ = earned(whole, rules)
    found = sum(float(m.totals["revenue"]) for m in read.groups.values())
    assert found == pytest.approx(sum(revenue.values()) / 10_000, rel=1e-13)


def test_a_rollup_kept_by_increments_is_that_of_a_rebuild_and_of_the_logs(connection: sa.Connection) -> None:
    shop = shop_of(4)
    metadata = tables(keys=True)
    metadata.create_all(connection)
    connection.commit()
    rollup = Rollup(DEFINITION, EventLogs(), IN_EUROS)
    rows = rows_of(shop)
    rows.sort(key=lambda row: str(row[1].get("shown_at") or row[1].get("purchased_at") or ""))
    for start in range(0, len(rows), 60):
        write(connection, metadata, rows[start : start + 60])
        rollup.refresh(connection.engine)
    kept = contents(connection)
    drop_rollups(connection)
    assert rollup.refresh(connection.engine).is_rebuilt
    assert contents(connection) == kept
    read = read_totals(connection, rollup, QUESTION)
    raw = read_logs(
        connection, EventLogs(), "demo", QUESTION, cleaning=rollup.rules, pre_period=DEFINITION.pre_period
    )
    assert read.funnel == raw.funnel
    assert {group: approx(m) for group, m in read.groups.items()} == dict(raw.groups)
    assert any(moments.totals["pre_revenue"] for moments in read.groups.values())
    revenue, fates = earned(shop, rollup.rules)
    check_funnel(read.funnel["purchases"], fates)
    assert moments_of(revenue) == {group.variant: m.only(["revenue"]) for group, m in read.groups.items()}


def moments_of(revenue: dict[tuple[str, str], int]) -> Any:
    values = defaultdict(list)
    for (_, variant), amount in revenue.items():
        values[variant].append(amount / 10_000)
    return {variant: approx(Moments.of({"revenue": np.array(v)})) for variant, v in values.items()}


def approx(moments: Moments) -> Moments:
    """The same users, and the same sums in whatever order the numbers were added up."""
    totals, products = (pytest.approx(dict(sums), rel=1e-12) for sums in (moments.totals, moments.products))
    return Moments(moments.n, totals, products)  # type: ignore[arg-type]


def test_another_currency_or_rate_is_another_rollup(connection: sa.Connection) -> None:
    fill(connection, shop_of(5))
    source = Database(connection.engine)
    experiment = Experiment("demo", source, [SPEND], "a", definition=DEFINITION, cleaning=IN_EUROS)
    Rollup(DEFINITION, EventLogs(), IN_EUROS).refresh(connection.engine)
    as_numbers: dict[str, Any] = {**{code: float(rate) for code, rate in RATES.items()}, "KWD": "3.050"}
    assert (
        replace(experiment, cleaning=Cleaning(currency="EUR", rates=as_numbers)).analyze().came_from
        == "rollup"
    )
    for other in (Cleaning(currency="EUR", rates=RATES | {"USD": "0.93"}), Cleaning(currency="EUR")):
        assert replace(experiment, cleaning=other).analyze().came_from == "logs"
    assert replace(experiment, metrics=[], cleaning=Cleaning()).analyze().came_from == "logs"
    again = Rollup(DEFINITION, EventLogs(), Cleaning(currency="USD")).refresh(connection.engine)
    assert again.is_rebuilt


@pytest.mark.parametrize("columns", [(), ("currency",), ("currency", "rates")], ids=len)
def test_a_table_of_experiments_may_know_the_currency_and_the_rates_or_not(
    connection: sa.Connection, columns: tuple[str, ...]
) -> None:
    shop = shop_of(14)
    metadata = fill(connection, shop)
    kinds = {"currency": sa.Text(), "rates": sa.JSON()}
    plans = sa.Table(
        "experiments",
        metadata,
        *(sa.Column("name", sa.Text), sa.Column("variants", sa.JSON)),
        *(sa.Column(name, sa.DateTime(timezone=True)) for name in ("started_at", "stopped_at")),
        *(sa.Column(name, kinds[name]) for name in columns),
    )
    plans.create(connection)
    known = {name: getattr(DEFINITION, name) for name in ("name", "variants", "started_at", "stopped_at")}
    said = {name: {"currency": "EUR", "rates": RATES}[name] for name in columns}
    write(connection, metadata, [("experiments", known | said), ("experiments", known | {"name": "other"})])
    stored = stored_definition(connection, "experiments", "demo")
    assert stored == replace(DEFINITION, **said)
    assert stored_definition(connection, "experiments", "other") == replace(
        DEFINITION, name="other", salt="other"
    )
    wanted = Experiment("demo", Database(connection.engine), [SPEND], "a")
    if not columns:
        with pytest.raises(SeveralCurrencies):
            wanted.analyze()
        return
    _, fates = earned(shop, Cleaning().within(stored))
    result = wanted.analyze()
    assert result.funnel is not None
    check_funnel(result.funnel["purchases"], fates)


def test_purchases_from_a_file_are_treated_alike() -> None:
    shop = only_in(shop_of(11), "EUR", "USD", None, " ")
    shown, bought = frames(shop)
    source = Tables(impressions=shown, purchases=bought)
    wanted = Experiment("demo", source, [SPEND], "a", definition=DEFINITION)
    with pytest.raises(SeveralCurrencies, match="revenue would add up amounts in EUR and USD"):
        wanted.analyze()
    assert replace(wanted, metrics=["purchases/users"]).analyze().effects
    rules = IN_EUROS.within(DEFINITION)
    revenue, fates = earned(shop, rules)
    result = replace(wanted, cleaning=IN_EUROS).analyze()
    assert result.funnel is not None
    check_funnel(result.funnel["purchases"], fates)
    mean = {v: np.mean([n for (_, w), n in revenue.items() if w == v]) / 10_000 for v in "ab"}
    assert result["b", "spend"].effect == pytest.approx(mean["b"] - mean["a"])
    without = replace(source, purchases=bought.drop(columns="currency"))
    assert replace(wanted, source=without).analyze().effects
    with pytest.raises(MissingColumns, match="the purchases has no column 'currency'"):
        replace(wanted, source=without, cleaning=IN_EUROS).analyze()


@pytest.mark.parametrize(
    ("currency", "rates", "sentence"),
    [
        ("eur", {}, "three capitals of ISO 4217, such as EUR, not 'eur'"),
        ("EUR", {"dollar": 1}, "not 'dollar'"),
        ("EUR", {"EUR": 1}, "EUR count as they are"),
        (None, {"USD": "0.9"}, "name that too"),
        *(
            ("EUR", {"USD": rate}, "the rate of USD is what one USD is worth")
            for rate in ("0", "-1", "x", "NaN")
        ),
        ("EUR", {"USD": float("inf")}, "not 'inf'"),
        ("EUR", {"USD": "0.1234567891"}, "at most nine decimals"),
    ],
)
def test_what_cannot_be_a_currency_or_a_rate_is_refused(
    currency: str | None, rates: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        Cleaning(currency=currency, rates=rates)


def test_the_pencil_itself_is_worked_by_hand() -> None:
    assert [worth(v, "USD", IN_EUROS) for v in (20, -20, 100, 249_020)] == [19, -19, 93, 230_344]
    assert worth(20, "EUR", IN_EUROS) == 20
