"""A small trained ranker and the examples that it came from, made once."""

from datetime import timedelta

import pytest
from logs import products_on_offer, styles_on_offer

from personalize.features import StyleSpace
from personalize.models.boosting import BoostingSettings, grow_trees
from personalize.models.calibration import Calibration
from personalize.models.ranker import Ranker
from personalize.retrain.training import Examples, by_slate, read_examples
from personalize.simulate.shop import FIRST_DAY, Shop, ShopSettings
from personalize.simulate.worlds import World, WorldShape

SETTINGS = BoostingSettings(min_rows_per_leaf=30)


@pytest.fixture(scope="session")
def examples() -> Examples:
    styles = styles_on_offer(8, width=4)
    world = World(1, styles, products_on_offer(8, 2), WorldShape(n_shoppers=80, visits_per_day=2.0))
    shop = Shop(world, styles, ShopSettings(policies=("random", "popular")), seed=1)
    shop.run(3, retrains=False)
    return read_examples(
        shop.log(as_of=FIRST_DAY + timedelta(days=3)),
        StyleSpace.of(styles),
        half_life=timedelta(days=14),
        attribution_window=timedelta(days=1),
    )


@pytest.fixture(scope="session")
def ranker(examples: Examples) -> Ranker:
    text = grow_trees(by_slate(examples), SETTINGS, n_trees=20, seed=7)
    return Ranker("20260305T000000-test", text, Calibration(-0.4, 0.8))
