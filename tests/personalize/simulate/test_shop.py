"""Seeded simulations with a known answer."""

from datetime import timedelta

import numpy as np
import pytest
from logs import products_on_offer, styles_on_offer

from personalize.simulate.shop import FIRST_DAY, Shop, ShopSettings
from personalize.simulate.worlds import World, WorldShape

STYLES = styles_on_offer(8, width=4)
PRODUCTS = products_on_offer(12, 3)
DAY_TWO = FIRST_DAY + timedelta(days=1)


def run(seed: int, shape: WorldShape, days: int, *policies: str) -> Shop:
    shop = Shop(World(seed, STYLES, PRODUCTS, shape), STYLES, ShopSettings(policies=policies), seed=seed)
    shop.run(days)
    return shop


@pytest.fixture(scope="module")
def lively() -> Shop:
    """Few shoppers who come often, so that their tastes can be learned in a week."""
    return run(2, WorldShape(n_shoppers=150, visits_per_day=4.0), 7, "random", "popular", "personal")


def test_personal_captures_more_than_popular_and_popular_more_than_random(lively: Shop) -> None:
    last = lively.results(since=FIRST_DAY + timedelta(days=4))
    assert last["personal"].capture > last["popular"].capture + 0.1
    assert last["popular"].capture > 0.05
    assert last["random"].capture == pytest.approx(0, abs=0.03)


def test_what_is_counted_is_what_the_world_expects(lively: Shop) -> None:
    for result in lively.results().values():
        spread = np.sqrt(result.expected_rate / result.impressions)
        assert abs(result.click_rate - result.expected_rate) < 4 * spread
        assert result.random_rate < result.expected_rate * 1.1 < result.best_rate * 1.1


def test_a_champion_is_found_and_named_in_the_log(lively: Shop) -> None:
    assert any(night.decision.promote for night in lively.nights)
    log = lively.log(as_of=FIRST_DAY + timedelta(days=7))
    of_personal = set(log.loc[log["policy"] == "personal", "model_version"])
    assert lively.champion is not None
    assert {"online", lively.champion.ranker.model_version} <= of_personal


def test_every_user_keeps_one_policy(lively: Shop) -> None:
    log = lively.log(as_of=FIRST_DAY + timedelta(days=7))
    assert (log.groupby("user_id")["policy"].nunique() == 1).all()


def test_without_any_taste_personal_loses_no_more_than_chance_to_popular() -> None:
    shape = WorldShape(n_shoppers=150, visits_per_day=4.0, taste_spread=0.0)
    shops = [run(seed, shape, 5, "popular", "personal").results(since=DAY_TWO) for seed in (3, 4, 5)]
    ratios = [shop["personal"].expected_rate / shop["popular"].expected_rate for shop in shops]
    assert np.mean(ratios) > 0.95


def test_the_same_seed_runs_the_same_shop() -> None:
    shape = WorldShape(n_shoppers=40)
    one, two = (run(5, shape, 2, "popular", "personal") for _ in range(2))
    assert one.results() == two.results()
