"""The log is read as it stood at a given time, and nothing later leaks in."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from factories import NOW, make_click, make_experiment, make_product, make_purchase, make_slate, make_styles
from sqlalchemy import Engine

from personalize.data.database import reading, writing
from personalize.data.events import record_events
from personalize.data.extracts import read_log

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def shop(engine: Engine) -> Engine:
    with writing(engine) as session:
        make_styles(session)
    return engine


def read(engine: Engine, since: datetime = NOW - DAY, until: datetime = NOW + 10 * DAY) -> pd.DataFrame:
    with reading(engine) as session:
        return read_log(session, since=since, until=until)


DTYPES = {
    "position": "int64",
    "propensity": "float64",
    "n_purchases": "int64",
    "shown_at": "datetime64[us, UTC]",
    "clicked_at": "datetime64[us, UTC]",
    "purchased_at": "datetime64[us, UTC]",
}


def test_an_impression_is_one_row_with_its_first_click_and_purchase(shop: Engine) -> None:
    with writing(shop) as session:
        make_experiment(session)
        mug = make_product(session, category="mug")
        [shown] = make_slate(
            session, "ada", [mug], experiment="demo", variant="personal", propensity=0.1 + 0.2
        )
        events = [make_click(shown, after=2 * HOUR), make_click(shown, after=HOUR)]
        events += [make_purchase(shown, after=4 * HOUR), make_purchase(shown, after=3 * HOUR)]
        record_events(session, events, NOW + DAY)
    [row] = read(shop).to_dict("records")
    assert row == {
        "impression_id": shown.impression_id,
        "slate_id": shown.slate_id,
        "user_id": "ada",
        "product_id": mug,
        "context": None,
        "category": "mug",
        "style_id": "waves",
        "position": 0,
        "shown_at": NOW,
        "propensity": 0.1 + 0.2,
        "policy": "personal",
        "model_version": "popularity",
        "experiment": "demo",
        "variant": "personal",
        "clicked_at": NOW + HOUR,
        "purchased_at": NOW + 3 * HOUR,
        "n_purchases": 2,
    }


def test_an_impression_without_consequences_says_so(shop: Engine) -> None:
    with writing(shop) as session:
        make_slate(session)
    [row] = read(shop).to_dict("records")
    assert row["clicked_at"] is pd.NaT
    assert row["purchased_at"] is pd.NaT
    assert (row["n_purchases"], row["experiment"], row["variant"]) == (0, None, None)


@pytest.mark.parametrize("n_slates", [0, 3])
def test_the_types_do_not_depend_on_the_rows(shop: Engine, n_slates: int) -> None:
    with writing(shop) as session:
        for _ in range(n_slates):
            make_slate(session)
    log = read(shop)
    assert len(log) == n_slates
    assert {name: str(dtype) for name, dtype in log.dtypes.items()} == {
        name: DTYPES.get(name, "object") for name in log.columns
    }
    assert len(log.columns) == 17


def test_rows_come_in_the_order_of_time_then_id(shop: Engine) -> None:
    with writing(shop) as session:
        for hours in (3, 1, 2, 1):
            make_slate(session, shown_at=NOW + hours * HOUR)
    log = read(shop)
    keys = list(zip(log["shown_at"], log["impression_id"], strict=True))
    assert keys == sorted(keys)
    assert [at.to_pydatetime() - NOW for at in log["shown_at"]] == [HOUR, HOUR, 2 * HOUR, 3 * HOUR]


def test_the_window_holds_its_start_and_not_its_end(shop: Engine) -> None:
    with writing(shop) as session:
        for day in range(4):
            make_slate(session, f"user-{day}", shown_at=NOW + day * DAY)
    assert list(read(shop, NOW + DAY, NOW + 3 * DAY)["user_id"]) == ["user-1", "user-2"]


def test_what_came_later_is_not_in_the_log_of_then(shop: Engine) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session)
        events = [make_click(shown, after=2 * HOUR), make_purchase(shown, after=3 * HOUR)]
        events += [make_purchase(shown, after=5 * HOUR)]
        record_events(session, events, NOW + DAY)
    for hours, n_clicks, n_purchases in [(2, 0, 0), (3, 1, 0), (5, 1, 1), (6, 1, 2)]:
        log = read(shop, until=NOW + hours * HOUR)
        assert (log["clicked_at"].notna().sum(), log["n_purchases"].sum()) == (n_clicks, n_purchases)


def test_times_with_and_without_fractions_are_read_alike(shop: Engine) -> None:
    moments = [NOW, NOW + timedelta(microseconds=1), NOW + timedelta(milliseconds=120)]
    with writing(shop) as session:
        for moment in moments:
            make_slate(session, shown_at=moment)
    log = read(shop)
    assert [at.to_pydatetime() for at in log["shown_at"]] == moments
    assert log["shown_at"].dt.tz is UTC or str(log["shown_at"].dt.tz) == "UTC"
