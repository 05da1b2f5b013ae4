"""The views that analytics reads: one row a user, and one row a user and day; exact sums."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from factories import NOW, make_click, make_experiment, make_product, make_purchase, make_slate, make_styles
from sqlalchemy import Engine, insert, text

from personalize.data.database import reading, table_of, writing
from personalize.data.events import record_events
from personalize.data.schema import Click, Impression, Slate, User

UNDER = {"experiment": "demo", "variant": "personal"}


@pytest.fixture
def shop(engine: Engine) -> Engine:
    with writing(engine) as session:
        make_styles(session)
        make_experiment(session)
    return engine


def rows(engine: Engine, view: str) -> list[dict[str, Any]]:
    query = text(f"SELECT * FROM {view} WHERE experiment = 'demo' ORDER BY 1, 2, 3")
    with reading(engine) as session:
        return [dict(row) for row in session.execute(query).mappings()]


def test_clicks_and_purchases_do_not_multiply_each_other(shop: Engine) -> None:
    with writing(shop) as session:
        first, second, third = make_slate(session, "ada", [make_product(session) for _ in range(3)], **UNDER)
        events = [make_click(first), make_click(first), make_click(second)]
        events += [make_purchase(first, "19.99"), make_purchase(first, "0.01"), make_purchase(third, "5.10")]
        record_events(session, events, NOW)
    [unit] = rows(shop, "experiment_units")
    unit.pop("first_exposed_at")
    assert unit == {
        "experiment": "demo",
        "variant": "personal",
        "user_id": "ada",
        "impressions": 3,
        "clicks": 2,
        "purchases": 3,
        "revenue": 25.10,
    }


def test_revenue_is_exact_where_floats_would_drift(shop: Engine) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session, "ada", **UNDER)
        record_events(session, [make_purchase(shown, "0.10") for _ in range(1000)], NOW)
    [unit] = rows(shop, "experiment_units")
    assert unit["revenue"] == 100.0 != sum([0.1] * 1000)
    assert isinstance(unit["revenue"], float)


def test_a_user_without_a_purchase_earned_nothing(shop: Engine) -> None:
    with writing(shop) as session:
        make_slate(session, "ada", **UNDER)
    [unit] = rows(shop, "experiment_units")
    assert (unit["impressions"], unit["clicks"], unit["purchases"], unit["revenue"]) == (1, 0, 0, 0.0)


def test_impressions_outside_an_experiment_do_not_count(shop: Engine) -> None:
    with writing(shop) as session:
        make_experiment(session, "other")
        make_slate(session, "ada")
        make_slate(session, "ada", experiment="other", variant="personal")
    assert rows(shop, "experiment_units") == rows(shop, "experiment_unit_days") == []


def test_the_first_exposure_is_the_first_impression(shop: Engine) -> None:
    with writing(shop) as session:
        for hours in (5, 2, 9):
            make_slate(session, "ada", shown_at=NOW + timedelta(hours=hours), **UNDER)
    [unit] = rows(shop, "experiment_units")
    first = unit["first_exposed_at"]
    first = datetime.fromisoformat(first).replace(tzinfo=UTC) if isinstance(first, str) else first
    assert first == NOW + timedelta(hours=2)


def test_days_are_utc_days(shop: Engine) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    with writing(shop) as session:
        late, early, again = (
            make_slate(session, "ada", shown_at=midnight + offset, **UNDER)[0]
            for offset in (timedelta(microseconds=-1), timedelta(0), timedelta(hours=23))
        )
        record_events(
            session, [make_click(late), make_click(early), make_click(early), make_click(again)], midnight
        )
    days = [(row["day"], row["impressions"], row["clicks"]) for row in rows(shop, "experiment_unit_days")]
    assert sorted(days) == [("2026-03-01", 1, 1), ("2026-03-02", 2, 2)]


def test_the_days_of_a_user_add_up_to_the_user(shop: Engine) -> None:
    with writing(shop) as session:
        for n in range(40):
            [shown] = make_slate(session, f"user-{n % 4}", shown_at=NOW + timedelta(hours=7 * n), **UNDER)
            if n % 3 == 0:
                record_events(session, [make_click(shown)], NOW + timedelta(days=20))
    totals: dict[str, list[int]] = {}
    for row in rows(shop, "experiment_unit_days"):
        total = totals.setdefault(row["user_id"], [0, 0])
        total[0] += row["impressions"]
        total[1] += row["clicks"]
    units = rows(shop, "experiment_units")
    assert totals == {unit["user_id"]: [unit["impressions"], unit["clicks"]] for unit in units}


def test_fifty_thousand_impressions_take_a_moment_not_minutes(shop: Engine) -> None:
    """Freshly loaded, before any ANALYZE: the plan must not hang on statistics. The bound leaves a busy
    machine fifty times the 0.1 to 0.2 s measured; a nested loop over the clicks takes hours."""
    n_users, n_each = 500, 100
    with writing(shop) as session:
        product = make_product(session)
        users = [f"user-{n}" for n in range(n_users)]
        session.execute(insert(table_of(User)), [{"user_id": user, "created_at": NOW} for user in users])
        slates = [{"slate_id": user, "user_id": user, "served_at": NOW, "context": {}} for user in users]
        session.execute(insert(table_of(Slate)), slates)
        common = {
            "product_id": product,
            "style_id": "waves",
            "shown_at": NOW,
            "propensity": 0.5,
            "policy": "personal",
        }
        common |= {"model_version": "popularity", "position": 0, **UNDER}
        session.execute(
            insert(table_of(Impression)),
            [
                {"impression_id": f"{user}-{n}", "slate_id": user, "user_id": user, **common}
                for user in users
                for n in range(n_each)
            ],
        )
        session.execute(
            insert(table_of(Click)),
            [
                {
                    "event_id": f"{user}-{n}",
                    "impression_id": f"{user}-{n}",
                    "clicked_at": NOW,
                    "received_at": NOW,
                }
                for user in users
                for n in range(0, n_each, 10)
            ],
        )
    began = time.perf_counter()
    units = rows(shop, "experiment_units")
    assert time.perf_counter() - began < 10
    assert {(unit["impressions"], unit["clicks"]) for unit in units} == {(n_each, n_each // 10)}
    assert len(units) == n_users
