"""A shop that sells in several currencies, and what it earned once more, slowly and plainly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
from analytics_dirty_logs import START, STOP

from analytics.cleaning import Cleaning
from analytics.definition import Definition

DEFINITION = Definition("demo", {"a": 0.5, "b": 0.5}, started_at=START, stopped_at=STOP)
RATES = {"USD": "0.925", "JPY": "0.006123456", "KWD": "3.05"}
CURRENCIES = ("EUR", "EUR", "USD", "JPY", "KWD", "GBP", None, " ")


@dataclass
class Shop:
    """Impression id -> (user, variant, time); (event id, impression id, time, amount, currency) each."""

    shown: dict[str, tuple[str, str, datetime]] = field(default_factory=dict)
    bought: list[tuple[str, str, datetime, int, str | None]] = field(default_factory=list)


def shop_of(seed: int) -> Shop:
    """Forty visitors, before the start and after it; amounts that end in a half, and some given back."""
    rng = random.Random(seed)
    shop = Shop()
    for user in range(40):
        for _ in range(rng.randint(1, 5)):
            at = START + timedelta(minutes=rng.randint(-1000, 3 * 1440))
            shop.shown[f"i{len(shop.shown)}"] = (f"u{user}", "ab"[user % 2], at)
    ids = [*shop.shown, "nobody", " "]
    for n in range(160):
        met = rng.choice(ids)
        at = shop.shown[met][2] if met in shop.shown else START
        after = rng.choice([timedelta(minutes=-5), timedelta(hours=2), timedelta(hours=5), timedelta(days=2)])
        value = rng.choice([1, 20, 100, 15_000, 249_000, 10**13 + 7, -100, -249_020])
        shop.bought.append((f"p{n}", met, at + after, value, rng.choice(CURRENCIES)))
    return shop


def worth(value: int, currency: str | None, rules: Cleaning) -> int:
    """A whole amount in the currency that counts."""
    rate = Decimal(1) if currency == rules.currency else Decimal(str(rules.rates[str(currency)]))
    return int((value * rate).to_integral_value(ROUND_HALF_UP))


def earned(shop: Shop, rules: Cleaning) -> tuple[dict[tuple[str, str], int], Counter[str]]:
    """Revenue by user and variant, and what became of each purchase; one after the other."""
    assert rules.started_at is not None
    assert rules.stopped_at is not None
    revenue = {
        (user, variant): 0
        for user, variant, at in shop.shown.values()
        if rules.started_at <= at < rules.stopped_at
    }
    fates: Counter[str] = Counter()
    seen: set[str] = set()
    for event_id, met, at, value, currency in sorted(shop.bought, key=lambda row: row[2]):
        fate = "kept"
        user, variant, shown_at = shop.shown.get(met, ("", "", at))
        if not met.strip():
            fate = "missing_ids"
        elif not rules.started_at <= at < rules.stopped_at + rules.attribution:
            fate = "outside_window"
        elif event_id in seen:
            fate = "duplicates"
        elif currency != rules.currency and currency not in rules.rates:
            fate = "other_currency"
        elif met not in shop.shown or not rules.started_at <= shown_at < rules.stopped_at:
            fate = "orphans"
        elif at < shown_at:
            fate = "early"
        elif at > shown_at + rules.attribution:
            fate = "late"
        else:
            revenue[user, variant] += worth(value, currency, rules)
        if fate not in ("missing_ids", "outside_window"):
            seen.add(event_id)
        fates[fate] += 1
    return revenue, fates


def tables(*, keys: bool, value: Any = sa.BigInteger) -> sa.MetaData:
    """Impressions, clicks and purchases as the shop has them."""
    metadata, time = sa.MetaData(), sa.DateTime(timezone=True)
    sa.Table(
        "impressions",
        metadata,
        sa.Column("impression_id", sa.String, primary_key=True),
        *(sa.Column(name, sa.String) for name in ("user_id", "variant", "experiment")),
        sa.Column("shown_at", time, index=True),
    )
    for name, at in (("clicks", "clicked_at"), ("purchases", "purchased_at")):
        own = [sa.Column("value", value), sa.Column("currency", sa.String(3))] if name == "purchases" else []
        sa.Table(
            name,
            metadata,
            sa.Column("event_id", sa.String, primary_key=keys),
            sa.Column("impression_id", sa.String, index=True),
            sa.Column(at, time),
            *own,
        )
    return metadata


def rows_of(shop: Shop) -> list[tuple[str, dict[str, Any]]]:
    """Every event as its table and the row to insert; every fourth impression was clicked."""
    rows: list[tuple[str, dict[str, Any]]] = []
    for n, (met, (user, variant, at)) in enumerate(shop.shown.items()):
        ids = {"impression_id": met, "user_id": user, "variant": variant, "experiment": "demo"}
        rows.append(("impressions", ids | {"shown_at": at}))
        if n % 4 == 0:
            rows.append(("clicks", {"event_id": f"c{n}", "impression_id": met, "clicked_at": at}))
    names = ("event_id", "impression_id", "purchased_at", "value", "currency")
    rows += [("purchases", dict(zip(names, row, strict=True))) for row in shop.bought]
    return rows


def write(
    connection: sa.Connection, metadata: sa.MetaData, rows: Iterable[tuple[str, dict[str, Any]]]
) -> None:
    """Insert them, for good."""
    for name, row in rows:
        connection.execute(metadata.tables[name].insert(), row)
    connection.commit()


def fill(connection: sa.Connection, shop: Shop, *, keys: bool = True) -> sa.MetaData:
    metadata = tables(keys=keys)
    metadata.create_all(connection)
    write(connection, metadata, rows_of(shop))
    return metadata


def only_in(shop: Shop, *currencies: str | None) -> Shop:
    return replace(shop, bought=[row for row in shop.bought if row[4] in currencies])
