"""A database with a week of a simulated shop whose shoppers have strong tastes; nothing is trained yet."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from factories import make_product
from logs import products_on_offer, styles_on_offer
from sqlalchemy import Engine

from personalize.data.catalogue import register_styles
from personalize.data.database import open_database, writing
from personalize.data.events import record_events, record_slates
from personalize.data.records import PageRequest
from personalize.settings import Settings
from personalize.simulate.shop import FIRST_DAY, Shop, ShopSettings
from personalize.simulate.worlds import World, WorldShape

STYLES = styles_on_offer(6, width=4)
PRODUCTS = products_on_offer(8, 2)
DAYS = 6
AS_OF = FIRST_DAY + timedelta(days=DAYS)
OpenShop = Callable[..., tuple[Engine, Settings]]


def record_week(path: Path) -> None:
    """Fill the migrated SQLite file at `path`."""
    shape = WorldShape(n_shoppers=100, visits_per_day=3.0, base_rate=0.08, taste_spread=1.6)
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
        record_events(session, shop.events, AS_OF)
    database.dispose()
