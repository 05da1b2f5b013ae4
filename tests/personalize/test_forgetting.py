"""What is left of a forgotten user, in the tables and in what all users share."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from factories import NOW, make_click
from small_shop import PRODUCTS, OpenEngine, stored_impressions
from sqlalchemy.orm import Session

from personalize.data.extracts import read_log
from personalize.engine import Engine
from personalize.knowledge import REPLAY_EVERY


def test_forgetting_a_user_leaves_no_row(open_engine: OpenEngine) -> None:
    engine = open_engine(experiment="demo")
    engine.record([make_click(one.impression) for one in engine.decide("ada", PRODUCTS)])
    engine.decide("grace", PRODUCTS)
    assert engine.forget("ada") > len(PRODUCTS)
    assert {row.user_id for row in stored_impressions(engine)} == {"grace"}
    assert engine.forget("ada") == 0


def test_after_a_refresh_nobody_is_ranked_by_what_a_forgotten_user_did(open_engine: OpenEngine) -> None:
    """As if the user had never come: a second engine that reads the log without them agrees."""

    def scores(engine: Engine) -> dict[str, float]:
        return {style.style_id: style.score for style in engine.rank("grace", "mug-a").styles}

    engine = open_engine()
    for hour in range(12):
        for user in ("ada", "grace"):
            decisions = engine.decide(user, PRODUCTS, now=NOW - timedelta(hours=20 - hour))
            engine.record([make_click(one.impression) for one in decisions[: hour % 3]])
    engine.forget("ada")
    without = scores(open_engine())
    assert scores(engine) != pytest.approx(without, abs=1e-3), "what ada did still moves what all share"
    assert not engine.refresh(), "no champion took over"
    assert scores(engine) == pytest.approx(without, abs=1e-9)


def test_many_users_forgotten_one_after_the_other_cost_one_reading_of_the_log(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine()
    users = [f"user-{number}" for number in range(6)]
    for user in users:
        engine.decide(user, PRODUCTS, now=NOW - timedelta(hours=1))
    read = count_readings(monkeypatch)
    engine.forget(users[0])
    engine.refresh()
    for user in users[1:]:
        engine.forget(user)
        engine.refresh()
    assert read == [NOW]
    engine.clock = engine._knowledge._clock = lambda: NOW + REPLAY_EVERY
    engine.refresh()
    engine.refresh()
    assert read == [NOW, NOW + REPLAY_EVERY]
    assert engine.forget("nobody") == 0
    engine.refresh()
    assert len(read) == 2, "whoever was never seen moved nothing"


def test_a_user_of_another_process_forgotten_while_the_log_is_read_is_gone_after_the_next_reading(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, other = open_engine(), open_engine()
    engine.decide("grace", PRODUCTS, now=NOW - timedelta(hours=2))
    other.decide("ada", PRODUCTS, now=NOW - timedelta(hours=1))
    read = count_readings(monkeypatch, meanwhile=lambda: engine.forget("ada"))
    engine.forget("grace")
    engine.refresh()
    engine.clock = engine._knowledge._clock = lambda: NOW + REPLAY_EVERY
    engine.refresh()
    assert len(read) == 2


def count_readings(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None
) -> list[datetime]:
    """The moments as of which the log is read from now on; `meanwhile` happens during the first reading."""
    read: list[datetime] = []

    def counted(session: Session, *, since: datetime, until: datetime) -> object:
        log = read_log(session, since=since, until=until)
        read.append(until)
        if len(read) == 1:
            meanwhile()
        return log

    monkeypatch.setattr("personalize.knowledge.read_log", counted)
    return read
