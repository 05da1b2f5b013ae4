"""Slates go in whole; clicks and purchases once each, however often they are sent."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from factories import (
    NOW,
    make_click,
    make_experiment,
    make_product,
    make_purchase,
    make_shown,
    make_slate,
    make_styles,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from personalize.data.database import reading, writing
from personalize.data.events import (
    CLOCK_SKEW,
    MAX_AHEAD,
    discard_slates,
    last_shown,
    record_events,
    record_slates,
)
from personalize.data.experiments import assign
from personalize.data.records import ClickEvent, Event, EventStatus, PageRequest, PurchaseEvent, ShownStyle
from personalize.data.schema import Assignment, Click, Impression, Purchase, Slate, User

SOON = NOW + timedelta(minutes=10)


@pytest.fixture
def shop(engine: Engine) -> Engine:
    with writing(engine) as session:
        make_styles(session)
    return engine


def statuses(session: Session, *events: Event, now: datetime = SOON) -> list[str]:
    return [outcome.status.value for outcome in record_events(session, events, now)]


def stored_ids(session: Session) -> list[str]:
    return sorted([*session.scalars(select(Click.event_id)), *session.scalars(select(Purchase.event_id))])


def test_a_slate_is_stored_with_its_impressions(shop: Engine) -> None:
    with writing(shop) as session:
        products = [make_product(session) for _ in range(3)]
        experiment = make_experiment(session, "demo", "personal")
        assign(session, experiment, ["ada"], NOW)
        shown = [
            make_shown(
                "ada",
                product,
                position=n,
                slate_id="s",
                experiment="demo",
                variant="personal",
                propensity=0.1 + 0.2,
            )
            for n, product in enumerate(products)
        ]
        record_slates(session, [(PageRequest("ada", tuple(products), NOW, {"device": "phone"}), "s", shown)])
    with reading(shop) as session:
        slate = session.get_one(Slate, "s")
        assert (slate.user_id, slate.served_at, slate.context) == ("ada", NOW, {"device": "phone"})
        assert list(last_shown(session.connection(), "ada", products, NOW).values()) == shown


def test_many_slates_go_in_together_and_their_users_are_made(shop: Engine) -> None:
    with writing(shop) as session:
        product = make_product(session)
        slates = []
        for n in range(300):
            shown = [make_shown(f"user-{n % 100}", product, slate_id=f"s-{n}")]
            slates.append((PageRequest(f"user-{n % 100}", (product,), NOW, {}), f"s-{n}", shown))
        record_slates(session, slates)
        record_slates(session, [])
        assert session.scalar(select(func.count()).select_from(Impression)) == 300
        assert session.scalar(select(func.count()).select_from(User)) == 100


def test_a_slate_of_an_unknown_product_is_stored_not_at_all(shop: Engine) -> None:
    with pytest.raises(IntegrityError), writing(shop) as session:
        make_slate(session, "ada", ["no-such-product"])
    with reading(shop) as session:
        assert session.scalars(select(Slate)).all() == []


@pytest.mark.parametrize("propensity", [0.0, -0.1, 1.1])
def test_a_propensity_outside_the_unit_interval_is_refused(shop: Engine, propensity: float) -> None:
    with pytest.raises(IntegrityError), writing(shop) as session:
        make_slate(session, propensity=propensity)


def test_the_first_impression_under_an_experiment_is_the_exposure(shop: Engine) -> None:
    with writing(shop) as session:
        experiment = make_experiment(session)
        variants = assign(session, experiment, ["ada", "never-shown"], NOW)
        make_slate(session, "ada", shown_at=NOW)  # outside the experiment
        for minutes in (30, 20, 40):
            shown_at = NOW + timedelta(minutes=minutes)
            make_slate(session, "ada", shown_at=shown_at, experiment="demo", variant=variants["ada"])
        query = select(Assignment.user_id, Assignment.exposed_at).order_by(Assignment.user_id)
        exposed = [(user_id, exposed_at) for user_id, exposed_at in session.execute(query)]
    assert exposed == [("ada", NOW + timedelta(minutes=30)), ("never-shown", None)]


def test_clicks_and_purchases_are_stored(shop: Engine) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session)
        assert (
            statuses(session, make_click(shown), make_purchase(shown, "19.99", event_id="p"))
            == ["accepted"] * 2
        )
        purchase = session.get_one(Purchase, "p")
        assert (purchase.value, purchase.currency) == (Decimal("19.99"), "EUR")
        assert purchase.purchased_at == shown.shown_at + timedelta(minutes=5)
        assert purchase.received_at == SOON


def test_no_events_have_no_outcomes(shop: Engine) -> None:
    with writing(shop) as session:
        assert record_events(session, [], NOW) == []


def test_the_first_event_of_an_id_wins_whatever_the_later_ones_say(shop: Engine) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session)
        [other] = make_slate(session)
        first = make_click(shown, event_id="e")
        assert statuses(
            session, first, make_click(other, event_id="e"), make_purchase(shown, event_id="e")
        ) == [
            "accepted",
            "duplicate",
            "duplicate",
        ]
        assert (
            statuses(session, make_purchase(other, event_id="e"), make_click(shown, event_id="e"))
            == ["duplicate"] * 2
        )
        assert session.get_one(Click, "e").impression_id == shown.impression_id
        assert stored_ids(session) == ["e"]


def test_a_rejected_event_does_not_use_up_its_id(shop: Engine) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session)
        assert statuses(session, make_click("nowhere", event_id="e"), make_click(shown, event_id="e")) == [
            "rejected",
            "accepted",
        ]


def test_one_bad_event_does_not_hold_up_the_others(shop: Engine) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session)
        outcomes = record_events(session, [make_click(shown), make_click("nowhere", event_id="lost")], SOON)
    assert [outcome.status for outcome in outcomes] == [EventStatus.ACCEPTED, EventStatus.REJECTED]
    assert outcomes[1].event_id == "lost"
    assert outcomes[1].reason == "no impression 'nowhere'; send the Impression-Id that came with the picture"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_id": ""}, "event_id is empty"),
        ({"event_id": "x" * 200}, "event_id has 200 characters"),
        ({"event_id": "nul\0"}, "holds U+0000"),
        ({"impression_id": "nul\0"}, "impression_id holds U+0000"),
        ({"impression_id": "x" * 10_000}, "impression_id has 10000 characters"),
        ({"occurred_at": datetime(2026, 3, 1)}, "has no time zone"),  # noqa: DTZ001
        ({"occurred_at": NOW - CLOCK_SKEW - timedelta(seconds=1)}, "before the impression"),
        ({"occurred_at": datetime.min.replace(tzinfo=UTC)}, "before the impression"),
        ({"occurred_at": SOON + MAX_AHEAD + timedelta(seconds=1)}, "in the future"),
        ({"occurred_at": datetime.max.replace(tzinfo=UTC)}, "in the future"),
        ({"value": Decimal("-0.01")}, "send what was paid"),
        ({"value": Decimal("0.00001")}, "four decimals"),
        ({"value": Decimal("NaN")}, "finite"),
        ({"value": Decimal("1e30")}, "at most"),
        ({"currency": "eur"}, "ISO 4217"),
        ({"currency": "EURO"}, "ISO 4217"),
    ],
)
def test_an_event_that_cannot_be_is_rejected_with_the_reason(
    shop: Engine, change: dict[str, object], reason: str
) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session)
        good = {"event_id": "e", "impression_id": shown.impression_id, "occurred_at": NOW}
        good |= {"value": Decimal("1.00"), "currency": "EUR"}
        [outcome] = record_events(session, [PurchaseEvent(**good | change)], SOON)  # type: ignore[arg-type]
        assert outcome.status is EventStatus.REJECTED
        assert reason in (outcome.reason or "")
        assert stored_ids(session) == []


def test_a_slightly_slow_clock_is_put_right(shop: Engine) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session)
        assert statuses(session, make_click(shown, event_id="e", after=-CLOCK_SKEW)) == ["accepted"]
        assert session.get_one(Click, "e").clicked_at == shown.shown_at


def test_a_late_event_is_kept_with_the_time_of_its_receipt(shop: Engine) -> None:
    month_later = NOW + timedelta(days=30)
    with writing(shop) as session:
        [shown] = make_slate(session)
        assert statuses(session, make_click(shown, event_id="e"), now=month_later) == ["accepted"]
        click = session.get_one(Click, "e")
    assert (click.clicked_at, click.received_at) == (NOW + timedelta(seconds=30), month_later)


def test_a_batch_may_be_larger_than_one_query(shop: Engine) -> None:
    with writing(shop) as session:
        product = make_product(session)
        shown = [make_slate(session, f"user-{n}", [product])[0] for n in range(30)]
        events = [make_click(shown[n % 30], event_id=f"e-{n}") for n in range(2500)]
        assert statuses(session, *events) == ["accepted"] * 2500
        assert statuses(session, *events[::-1]) == ["duplicate"] * 2500


def make_event(kind: str, number: int, shown: ShownStyle) -> Event:
    return (
        make_click(shown, event_id=f"e-{number}")
        if kind == "click"
        else make_purchase(shown, event_id=f"e-{number}")
    )


sent = st.tuples(st.sampled_from(["click", "purchase"]), st.integers(0, 12), st.integers(0, 2))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.lists(sent, max_size=15), max_size=4), seed=st.integers(0, 999))
def test_replaying_batches_in_any_order_changes_nothing(
    shop: Engine, batches: list[list[tuple[str, int, int]]], seed: int
) -> None:
    with writing(shop) as session:
        shown = [make_slate(session)[0] for _ in range(3)]
        events = [
            [make_event(kind, number, shown[which]) for kind, number, which in batch] for batch in batches
        ]
        accepted = [
            outcome.event_id
            for batch in events
            for outcome in record_events(session, batch, SOON)
            if outcome.status is EventStatus.ACCEPTED
        ]
        assert sorted(accepted) == sorted({event.event_id for batch in events for event in batch})
        before = stored_ids(session)
        replay = [event for batch in events for event in batch]
        random.Random(seed).shuffle(replay)
        assert set(statuses(session, *replay)) <= {"duplicate"}
        assert stored_ids(session) == before == sorted(accepted)
        session.rollback()


def test_last_shown_is_the_latest_of_each_product_within_the_visit(shop: Engine) -> None:
    with writing(shop) as session:
        one, two, three = (make_product(session) for _ in range(3))
        make_slate(session, "ada", [one, two, three], shown_at=NOW - timedelta(hours=2), style_id="waves")
        make_slate(session, "ada", [one], shown_at=NOW - timedelta(minutes=20), style_id="waves")
        [latest] = make_slate(session, "ada", [one], shown_at=NOW - timedelta(minutes=10), style_id="woodcut")
        [edge] = make_slate(session, "ada", [two], shown_at=NOW - timedelta(minutes=30))
        make_slate(session, "grace", [one, two, three], shown_at=NOW)
        found = last_shown(session.connection(), "ada", [one, two, three], NOW - timedelta(minutes=30))
        assert found == {one: latest, two: edge}
        assert last_shown(session.connection(), "ada", [], NOW) == {}


def test_an_event_of_an_unknown_kind_of_id_leaves_the_session_usable(shop: Engine) -> None:
    with writing(shop) as session:
        [shown] = make_slate(session)
        odd = ClickEvent("\ud800", "\ud800", NOW)
        assert statuses(session, odd, make_click(shown)) == ["rejected", "accepted"]


def test_a_broken_day_is_taken_back_with_all_that_came_of_it(shop: Engine) -> None:
    day = timedelta(days=1)
    with writing(shop) as session:
        variants = assign(session, make_experiment(session), ["ada", "grace"], NOW)
        kept, broken = (
            make_slate(session, user, shown_at=at, experiment="demo", variant=variants[user])[0]
            for user, at in [("ada", NOW), ("grace", NOW + day)]
        )
        make_slate(session, "ada", shown_at=NOW + day, experiment="demo", variant=variants["ada"])
        events = [make_click(kept, event_id="kept"), make_click(broken), make_purchase(broken)]
        record_events(session, events, NOW + day)
        assert discard_slates(session, since=NOW + day) == 2
        assert discard_slates(session, since=NOW + day) == 0
        assert session.scalars(select(Impression.impression_id)).all() == [kept.impression_id]
        assert stored_ids(session) == ["kept"]
        query = select(Assignment.user_id, Assignment.exposed_at).order_by(Assignment.user_id)
        assert [tuple(row) for row in session.execute(query)] == [("ada", NOW), ("grace", None)]
