"""A database with a week of a simulated shop; nothing is trained yet.

Shoppers have strong tastes, and tire of a style that they saw a few hours ago: the first is what the online
layer learns, the second what only trees can add.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from factories import make_product
from logs import products_on_offer, styles_on_offer
from sqlalchemy import Engine

from personalize.data.catalogue import register_styles
from personalize.data.database import open_database, writing
from personalize.data.events import record_events, record_slates
from personalize.data.records import Event, PageRequest, ShownStyle
from personalize.settings import Settings
from personalize.simulate.shop import FIRST_DAY, Shop, ShopSettings
from personalize.simulate.worlds import World, WorldShape

STYLES = styles_on_offer(6, width=4)
PRODUCTS = products_on_offer(8, 2)
DAYS = 6
AS_OF = FIRST_DAY + timedelta(days=DAYS)
TIRED_FOR, TIRED_SHARE = timedelta(hours=8), 0.85
OpenShop = Callable[..., tuple[Engine, Settings]]


def untired(shown: Sequence[ShownStyle], events: Sequence[Event]) -> list[Event]:
    """The events without most of those on a style that the shopper saw within `TIRED_FOR` before."""
    last: dict[tuple[str, str], datetime] = {}
    tired, rng = set(), np.random.default_rng(0)
    for one in sorted(shown, key=lambda one: one.shown_at):
        seen = last.get((one.user_id, one.style_id), FIRST_DAY - TIRED_FOR)
        if timedelta(0) < one.shown_at - seen <= TIRED_FOR and rng.random() < TIRED_SHARE:
            tired.add(one.impression_id)
        last[one.user_id, one.style_id] = one.shown_at
    return [event for event in events if event.impression_id not in tired]


def record_week(path: Path) -> None:
    """Fill the migrated SQLite file at `path`."""
    shape = WorldShape(n_shoppers=100, visits_per_day=3.0, base_rate=0.12, taste_spread=1.6)
    shop = Shop(
        World(4, STYLES, PRODUCTS, shape), STYLES, ShopSettings(policies=("random", "popular")), seed=4
    )
    shop.run(DAYS, retrains=False)
    database = open_database(f"sqlite:///{path}")
    with writing(database) as session:
        register_styles(session, STYLES[:-1], FIRST_DAY)
        for product in PRODUCTS:
            make_product(session, product.product_id, category=product.category)
        slates: dict[str, list] = {}
        for one in shop.shown:
            slates.setdefault(one.slate_id, []).append(one)
        record_slates(
            session,
            [
                (PageRequest(shown[0].user_id, (), shown[0].shown_at, {}), slate_id, shown)
                for slate_id, shown in slates.items()
            ],
        )
        record_events(session, untired(shop.shown, shop.events), AS_OF)
    database.dispose()
