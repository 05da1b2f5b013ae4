"""Rows and values that tests need but do not care about: every argument has a sensible default."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from personalize.data.catalogue import register_styles
from personalize.data.events import record_slates
from personalize.data.experiments import ExperimentPlan, create_experiment
from personalize.data.records import ClickEvent, PageRequest, PurchaseEvent, ShownStyle, StyleOnOffer
from personalize.data.schema import Product, User

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_numbers = count(1)


def make_user(session: Session, user_id: str | None = None, *, created_at: datetime = NOW) -> str:
    user_id = user_id or f"user-{next(_numbers)}"
    session.add(User(user_id=user_id, created_at=created_at))
    session.flush()
    return user_id


def make_product(
    session: Session, product_id: str | None = None, *, category: str = "mug", **values: Any
) -> str:
    product_id = product_id or f"{category}-{next(_numbers)}"
    row = {
        "title": product_id.replace("-", " ").capitalize(),
        "photo_sha256": f"{next(_numbers):064x}",
        "width_px": 640,
        "height_px": 480,
        "added_at": NOW,
        "updated_at": NOW,
    }
    session.add(Product(product_id=product_id, category=category, **row | values))
    session.flush()
    return product_id


def make_styles(session: Session, *style_ids: str) -> list[str]:
    """Puts these styles and the original on offer; two styles when none is named."""
    names = style_ids or ("waves", "woodcut")
    styles = [StyleOnOffer(name, name.capitalize(), (float(n), 1.0)) for n, name in enumerate(names)]
    register_styles(session, styles, NOW)
    return list(names)


def make_experiment(
    session: Session, name: str = "demo", *variants: str, salt: str = "salt", now: datetime = NOW
) -> ExperimentPlan:
    """An experiment with equal shares, each variant served by the policy of the same name."""
    names = variants or ("original", "personal")
    shares = {variant: 1 / len(names) for variant in names}
    return create_experiment(session, name, shares, {variant: variant for variant in names}, salt, now)


def make_shown(user_id: str, product_id: str, **values: Any) -> ShownStyle:
    number = next(_numbers)
    row = {
        "impression_id": f"impression-{number}",
        "slate_id": f"slate-{number}",
        "style_id": "waves",
        "position": 0,
        "shown_at": NOW,
        "propensity": 0.5,
        "policy": "personal",
        "model_version": "popularity",
    }
    return ShownStyle(user_id=user_id, product_id=product_id, **row | values)


def make_slate(
    session: Session,
    user_id: str | None = None,
    product_ids: Sequence[str] | None = None,
    *,
    shown_at: datetime = NOW,
    **values: Any,
) -> list[ShownStyle]:
    """A recorded slate, one impression a product; user and product are made when they are not given."""
    user_id = user_id or f"user-{next(_numbers)}"
    product_ids = product_ids or [make_product(session)]
    slate_id = f"slate-{next(_numbers)}"
    shown = [
        make_shown(user_id, product_id, slate_id=slate_id, position=position, shown_at=shown_at, **values)
        for position, product_id in enumerate(product_ids)
    ]
    record_slates(session, [(PageRequest(user_id, tuple(product_ids), shown_at, {}), slate_id, shown)])
    return shown


def make_click(
    shown: ShownStyle | str, *, event_id: str | None = None, after: timedelta = timedelta(seconds=30)
) -> ClickEvent:
    impression_id, occurred_at = _when(shown, after)
    return ClickEvent(event_id or f"click-{next(_numbers)}", impression_id, occurred_at)


def make_purchase(
    shown: ShownStyle | str,
    value: str = "24.90",
    *,
    currency: str = "EUR",
    event_id: str | None = None,
    after: timedelta = timedelta(minutes=5),
) -> PurchaseEvent:
    impression_id, occurred_at = _when(shown, after)
    event_id = event_id or f"purchase-{next(_numbers)}"
    return PurchaseEvent(event_id, impression_id, occurred_at, Decimal(value), currency)


def _when(shown: ShownStyle | str, after: timedelta) -> tuple[str, datetime]:
    return (shown, NOW + after) if isinstance(shown, str) else (shown.impression_id, shown.shown_at + after)
