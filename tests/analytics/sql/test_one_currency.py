"""Revenue in several currencies is refused where it would be added up, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from analytics_money import (
    DEFINITION,
    RATES,
    fill,
    only_in,
    shop_of,
    write,
)

from analytics import Covariate, Experiment, Measure, Metric
from analytics.cleaning import Cleaning
from analytics.errors import InvalidRequest, MissingColumns, SeveralCurrencies
from analytics.reading import Database
from analytics.rollup import Rollup
from analytics.sql.logs import EventLogs

IN_EUROS = Cleaning(currency="EUR", rates=RATES)
SPEND = "spend=revenue/users"


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_several_currencies_are_refused_where_revenue_is_asked_for_and_only_there(
    connection: sa.Connection, is_rolled_up: bool
) -> None:
    fill(connection, only_in(shop_of(6), "EUR", "USD", "JPY", None, " "))
    if is_rolled_up:
        Rollup(DEFINITION).refresh(connection.engine)
    experiment = Experiment("demo", Database(connection.engine), [SPEND], "a", definition=DEFINITION)
    with pytest.raises(SeveralCurrencies) as refusal:
        experiment.analyze()
    assert str(refusal.value) == (
        "revenue would add up amounts in EUR, JPY and USD; name the currency that counts, such as "
        "--currency EUR, and a rate for each that is to be converted, such as --rate JPY=RATE "
        "(Cleaning(currency=..., rates=...) in Python)"
    )
    with pytest.raises(SeveralCurrencies, match=r"^revenue would"):
        replace(experiment, metrics=["capped=min(revenue,5)/users"]).analyze()
    for metric in ("ctr=clicks/impressions", "buys=purchases/users"):
        result = replace(experiment, metrics=[metric]).analyze()
        assert result.came_from == ("rollup" if is_rolled_up else "logs")
    assert replace(experiment, cleaning=Cleaning(currency="JPY")).analyze().funnel is not None


def test_what_does_not_count_refuses_nothing(connection: sa.Connection) -> None:
    """Dollars that were paid too late, by users who count in no variant, or in another experiment."""
    shop = shop_of(7)
    everything = only_in(shop, "EUR", "USD")
    late = [row for row in everything.bought if row[1] in shop.shown and row[2] > shop.shown[row[1]][2]]
    late = [(*row[:2], row[2] + (row[4] == "USD") * DEFINITION.attribution, *row[3:]) for row in late]
    metadata = fill(connection, replace(everything, bought=late))
    at = DEFINITION.started_at
    for user, variant, name in (("mix", "a", "demo"), ("mix", "b", "demo"), ("u1", "b", "other")):
        met = f"{user} {variant} {name}"
        ids = {"impression_id": met, "user_id": user, "variant": variant, "experiment": name}
        paid = {"event_id": met, "impression_id": met, "purchased_at": at, "value": 5, "currency": "USD"}
        write(connection, metadata, [("impressions", ids | {"shown_at": at}), ("purchases", paid)])
    experiment = Experiment("demo", Database(connection.engine), [SPEND], "a", definition=DEFINITION)
    assert experiment.analyze()["b", "spend"].effect is not None
    with pytest.raises(SeveralCurrencies, match="EUR and USD"):
        replace(experiment, cleaning=Cleaning(two_variants="keep")).analyze()


def test_revenue_from_before_the_start_is_looked_at_too(connection: sa.Connection) -> None:
    shop = shop_of(9)
    start = DEFINITION.started_at
    assert start is not None
    euros = replace(
        shop, bought=[row for row in shop.bought if row[4] == "EUR" or (row[4] == "USD" and row[2] < start)]
    )
    fill(connection, euros)
    experiment = Experiment("demo", Database(connection.engine), [SPEND], "a", definition=DEFINITION)
    assert experiment.analyze()["b", "spend"].effect is not None
    before = Covariate.parse("pre_revenue")
    metric = replace(Metric.parse(SPEND), covariates=(before,))
    with pytest.raises(SeveralCurrencies, match="pre_revenue would add up amounts in EUR and USD"):
        replace(experiment, metrics=[Measure(metric)]).analyze()


def test_one_currency_is_as_it_was(connection: sa.Connection) -> None:
    """The same numbers with a currency named and without, and not a word of it where none is."""
    shop = only_in(shop_of(9), "EUR")
    fill(connection, shop)
    statements: list[str] = []
    sa.event.listen(
        connection.engine, "before_cursor_execute", lambda *event: statements.append(event[2]), named=False
    )
    rollup = Rollup(DEFINITION)
    rollup.refresh(connection.engine)
    assert not [each for each in statements if "currency" in each.lower()]
    assert "currency" not in rollup.made_with()
    said_nothing = Experiment("demo", Database(connection.engine), [SPEND], "a", definition=DEFINITION)
    statements.clear()
    plain = said_nothing.analyze()
    assert plain.came_from == "rollup"
    assert len([each for each in statements if "currency" in each.lower()]) == 1
    named = replace(said_nothing, cleaning=IN_EUROS).analyze()
    assert named.came_from == "logs"
    for found in ("effect", "p"):
        once, again = (getattr(result["b", "spend"], found) for result in (plain, named))
        assert again == pytest.approx(once, rel=1e-12)
    assert named.funnel == plain.funnel


def test_a_log_that_names_no_currency_is_as_it_was_until_one_is_named(connection: sa.Connection) -> None:
    fill(connection, only_in(shop_of(10), "EUR"))
    wanted = Experiment("demo", Database(connection.engine), [SPEND], "a", definition=DEFINITION)
    before = wanted.analyze()["b", "spend"]
    connection.exec_driver_sql("ALTER TABLE purchases DROP COLUMN currency")
    connection.commit()
    assert wanted.analyze()["b", "spend"] == before
    with pytest.raises(MissingColumns, match="purchases has no column 'currency'"):
        replace(wanted, cleaning=Cleaning(currency="EUR")).analyze()


def test_a_view_cannot_choose_a_currency_and_says_so(connection: sa.Connection) -> None:
    metadata = fill(connection, only_in(shop_of(13), "EUR"))
    connection.exec_driver_sql(
        "CREATE VIEW experiment_units AS SELECT experiment, variant, user_id, COUNT(*) AS impressions, "
        "0 AS clicks, SUM(value) / 10000.0 AS revenue FROM impressions "
        "LEFT JOIN purchases USING (impression_id) GROUP BY experiment, variant, user_id"
    )
    connection.commit()
    views = Experiment("demo", Database(connection.engine), [SPEND], "a")
    assert views.analyze().came_from == "views"
    with pytest.raises(InvalidRequest, match="a view adds up revenue whatever its currency; define"):
        replace(views, cleaning=IN_EUROS).analyze()
    elsewhere = Database(connection.engine, EventLogs(impressions="archived"))
    defined = replace(views, source=elsewhere, definition=DEFINITION)
    assert defined.analyze().came_from == "views"
    with pytest.raises(InvalidRequest, match="a view adds up revenue whatever its currency; define"):
        replace(defined, definition=replace(DEFINITION, currency="EUR")).analyze()
    dollars = {"event_id": "d", "impression_id": "i1", "value": 5, "currency": "USD"}
    write(connection, metadata, [("purchases", dollars)])
    with pytest.raises(InvalidRequest, match="so that its raw logs are read"):
        views.analyze()
    assert replace(views, metrics=["ctr=clicks/impressions"]).analyze().came_from == "views"
