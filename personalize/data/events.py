"""What was shown, and what came of it: slates, impressions, clicks, purchases. Append only."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from personalize.data.database import in_chunks, insert_new, table_of
from personalize.data.identifiers import checked_id
from personalize.data.prepared import Prepared
from personalize.data.records import (
    ClickEvent,
    Event,
    EventOutcome,
    EventStatus,
    PageRequest,
    PurchaseEvent,
    ShownStyle,
)
from personalize.data.schema import Assignment, Base, Click, Impression, Purchase, Slate, money_units
from personalize.data.users import ensure_users
from personalize.errors import InvalidIdentifier

CLOCK_SKEW = timedelta(minutes=5)
MAX_AHEAD = timedelta(days=1)
MAX_ASKED = 512
"""Products in one question for what was shown."""

EXCLUDED_STYLES = "excluded_styles"
"""In the stored context of a slate: the styles that this shopper did not want to see."""

_CURRENCY = re.compile(r"[A-Z]{3}")

ShownSlate = tuple[PageRequest, str, Sequence[ShownStyle]]


def record_slates(session: Session, slates: Sequence[ShownSlate]) -> None:
    """Store slates with their impressions, and the first exposure of each user to each experiment.

    Users are made when they are new.

    Args:
        slates: (request, slate_id, impressions) each; the impressions carry the same slate_id.
    """
    if not slates:
        return
    first_seen = min(request.now for request, _, _ in slates)
    connection = session.connection()
    ensure_users(connection, (request.user_id for request, _, _ in slates), first_seen)
    _insertion(Slate, ("slate_id", "user_id", "served_at", "context"), connection.dialect).execute_many(
        connection,
        [(slate_id, request.user_id, request.now, _context(request)) for request, slate_id, _ in slates],
    )
    shown = [style for _, _, styles in slates for style in styles]
    if shown:
        rows = [_impression_values(style) for style in shown]
        _insertion(Impression, IMPRESSION_COLUMNS, connection.dialect).execute_many(connection, rows)
        _mark_exposures(session, shown)


def _context(request: PageRequest) -> dict[str, Any]:
    """What was known of the visit, and what could not be shown: propensities mean nothing without it."""
    excluded = {EXCLUDED_STYLES: sorted(request.excluded_styles)} if request.excluded_styles else {}
    return {**request.context, **excluded}


@lru_cache
def _insertion(model: type[Base], names: tuple[str, ...], dialect: Dialect) -> Prepared:
    return Prepared(insert(table_of(model)), names, dialect)


IMPRESSION_COLUMNS = tuple(field.name for field in fields(ShownStyle))
_impression_values = attrgetter(*IMPRESSION_COLUMNS)


def _mark_exposures(session: Session, shown: Iterable[ShownStyle]) -> None:
    first: dict[str, dict[str, datetime]] = {}
    for style in shown:
        if style.experiment is not None:
            exposed = first.setdefault(style.experiment, {})
            exposed[style.user_id] = min(style.shown_at, exposed.get(style.user_id, style.shown_at))
    for experiment, exposed in first.items():
        for user_id in _not_yet_exposed(session, experiment, sorted(exposed)):
            session.execute(
                update(Assignment)
                .where(Assignment.experiment == experiment, Assignment.user_id == user_id)
                .values(exposed_at=exposed[user_id]),
                execution_options={"synchronize_session": False},
            )


def _not_yet_exposed(session: Session, experiment: str, user_ids: Sequence[str]) -> list[str]:
    waiting: list[str] = []
    for chunk in in_chunks(user_ids):
        query = select(Assignment.user_id).where(
            Assignment.experiment == experiment,
            Assignment.user_id.in_(chunk),
            Assignment.exposed_at.is_(None),
        )
        waiting += session.scalars(query)
    return waiting


def record_events(session: Session, events: Sequence[Event], now: datetime) -> list[EventOutcome]:
    """Store clicks and purchases; one outcome for each, in the same order.

    Sending an event again is harmless: the first event of an `event_id` is kept, whatever the
    later ones say, and clicks and purchases share one space of ids. An event is rejected when it
    names no impression, or when its time cannot be: more than CLOCK_SKEW before the impression
    was shown, or more than MAX_AHEAD after `now`. Inside CLOCK_SKEW it counts from the impression
    on. However late it comes, it is kept; what counts is decided by the attribution window.

    Args:
        now: the time of receipt.
    """
    shown_at = _read_shown_at(
        session, {event.impression_id for event in events if _is_id(event.impression_id)}
    )
    known = _read_known_ids(session, {event.event_id for event in events if _is_id(event.event_id)})
    fresh: dict[str, Event] = {}
    outcomes: list[EventOutcome] = []
    for event in events:
        if event.event_id in known or event.event_id in fresh:
            outcomes.append(EventOutcome(event.event_id, EventStatus.DUPLICATE))
        elif reason := _objection(event, shown_at.get(event.impression_id), now):
            outcomes.append(EventOutcome(event.event_id, EventStatus.REJECTED, reason))
        else:
            fresh[event.event_id] = event
            outcomes.append(EventOutcome(event.event_id, EventStatus.ACCEPTED))
    stored = _store(session, fresh.values(), shown_at, now)
    return [_unless_overtaken(outcome, stored) for outcome in outcomes]


def _is_id(value: str) -> bool:
    try:
        checked_id("id", value)
    except InvalidIdentifier:
        return False
    return True


def _read_shown_at(session: Session, impression_ids: set[str]) -> dict[str, datetime]:
    shown_at: dict[str, datetime] = {}
    for chunk in in_chunks(sorted(impression_ids)):
        query = select(Impression.impression_id, Impression.shown_at).where(
            Impression.impression_id.in_(chunk)
        )
        shown_at.update((impression_id, at) for impression_id, at in session.execute(query))
    return shown_at


def _read_known_ids(session: Session, event_ids: set[str]) -> set[str]:
    known: set[str] = set()
    for chunk in in_chunks(sorted(event_ids)):
        for column in (Click.event_id, Purchase.event_id):
            known.update(session.scalars(select(column).where(column.in_(chunk))))
    return known


def _objection(event: Event, shown_at: datetime | None, now: datetime) -> str | None:
    """Why the event cannot be stored, or None."""
    try:
        checked_id("event_id", event.event_id)
        checked_id("impression_id", event.impression_id)
        if isinstance(event, PurchaseEvent):
            _check_price(event)
    except (InvalidIdentifier, ValueError) as error:
        return str(error)
    if shown_at is None:
        return f"no impression {event.impression_id!r}; send the Impression-Id that came with the picture"
    if event.occurred_at.tzinfo is None:
        return f"occurred_at {event.occurred_at.isoformat()} has no time zone; write it in UTC, with a Z"
    if event.occurred_at < shown_at - CLOCK_SKEW:
        return (
            f"occurred_at {event.occurred_at.isoformat()} is before the impression ({shown_at.isoformat()})"
        )
    if event.occurred_at > now + MAX_AHEAD:
        return f"occurred_at {event.occurred_at.isoformat()} is in the future (it is {now.isoformat()})"
    return None


def _check_price(event: PurchaseEvent) -> None:
    if money_units(event.value) < 0:
        raise ValueError(f"value is {event.value}; send what was paid, 0 or more")
    if not _CURRENCY.fullmatch(event.currency):
        raise ValueError(f"currency is {event.currency[:20]!r}; send three capitals of ISO 4217, e.g. EUR")


def _store(
    session: Session, fresh: Iterable[Event], shown_at: Mapping[str, datetime], now: datetime
) -> set[str]:
    clicks, purchases = [], []
    for event in fresh:
        happened_at = max(event.occurred_at, shown_at[event.impression_id])
        row = {"event_id": event.event_id, "impression_id": event.impression_id, "received_at": now}
        if isinstance(event, ClickEvent):
            clicks.append(row | {"clicked_at": happened_at})
        else:
            price = {"value": event.value, "currency": event.currency}
            purchases.append(row | {"purchased_at": happened_at} | price)
    return insert_new(session, Click, clicks, "event_id") | insert_new(
        session, Purchase, purchases, "event_id"
    )


def _unless_overtaken(outcome: EventOutcome, stored: set[str]) -> EventOutcome:
    """Another process may have stored the same event between our look and our insert."""
    if outcome.status is EventStatus.ACCEPTED and outcome.event_id not in stored:
        return EventOutcome(outcome.event_id, EventStatus.DUPLICATE)
    return outcome


def last_shown(
    connection: Connection, user_id: str, product_ids: Iterable[str], since: datetime
) -> dict[str, ShownStyle]:
    """The user's latest impression of each product, not before `since`; products not shown are missing."""
    latest: dict[str, ShownStyle] = {}
    for chunk in in_chunks(product_ids, MAX_ASKED):
        asked = chunk + chunk[-1:] * (_room_for(len(chunk)) - len(chunk))
        query = _shown_since(len(asked), connection.dialect)
        rows = query.fetch_all(connection, (user_id, since, *asked))
        latest.update((one.product_id, one) for one in (ShownStyle(*row) for row in rows))
    return latest


def _room_for(n_products: int) -> int:
    """The next power of two, so that there are few statements to make."""
    return 1 << (n_products - 1).bit_length()


@lru_cache
def _shown_since(n_products: int, dialect: Dialect) -> Prepared:
    columns = table_of(Impression).columns
    wanted = [bindparam(f"product_{n}", type_=columns.product_id.type) for n in range(n_products)]
    query = (
        select(*(columns[name] for name in IMPRESSION_COLUMNS))
        .where(
            columns.user_id == bindparam("user_id"),
            columns.shown_at >= bindparam("since"),
            columns.product_id.in_(wanted),
        )
        .order_by(columns.shown_at, columns.impression_id)
    )
    return Prepared(query, ("user_id", "since", *(each.key for each in wanted)), dialect)


def discard_slates(session: Session, *, since: datetime) -> int:
    """Take back every slate served at `since` or later, with its impressions and what came of them.

    For a simulated day that broke off and is lived again; a shop's log is append only. Exposures
    that fell into that time are taken back too, users and assignments stay.

    Returns:
        How many slates there were.
    """
    session.execute(
        update(Assignment).where(Assignment.exposed_at >= since).values(exposed_at=None),
        execution_options={"synchronize_session": False},
    )
    discarded = session.scalars(delete(Slate).where(Slate.served_at >= since).returning(Slate.slate_id))
    return len(discarded.all())
