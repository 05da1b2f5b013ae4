"""Simulated shoppers: repeatable, plausible, and with a truth that can be checked against what they do."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from logs import START, products_on_offer, styles_on_offer

from personalize.data.records import ClickEvent, PageRequest, PurchaseEvent, ShownStyle, StyleOnOffer
from personalize.simulate.worlds import World, WorldShape, batches

STYLES = styles_on_offer(8, width=4)
PRODUCTS = products_on_offer(12, 3)
SHAPE = WorldShape(n_shoppers=200)


def world(seed: int = 0, **changes: object) -> World:
    return World(seed, STYLES, PRODUCTS, replace(SHAPE, **changes))  # type: ignore[arg-type]


def shown_of(pages: list[PageRequest], style_ids: list[str], seed: int = 0) -> list[ShownStyle]:
    rng = np.random.default_rng(seed)
    return [
        ShownStyle(
            impression_id=f"i{number}-{position}",
            slate_id=f"s{number}",
            user_id=page.user_id,
            product_id=product_id,
            style_id=style_ids[rng.integers(len(style_ids))],
            position=position,
            shown_at=page.now,
            propensity=1 / len(style_ids),
            policy="random",
            model_version="none",
        )
        for number, page in enumerate(pages)
        for position, product_id in enumerate(page.product_ids)
    ]


@pytest.fixture(scope="module")
def shown() -> list[ShownStyle]:
    pages = [page for day in range(5) for page in world().visits(START + timedelta(days=day))]
    return shown_of(pages, [style.style_id for style in STYLES])


def test_the_same_seed_is_the_same_world(shown: list[ShownStyle]) -> None:
    assert world().visits(START) == world().visits(START)
    assert world().react(shown) == world().react(shown)
    assert world(1).visits(START) != world().visits(START)


def test_a_day_does_not_depend_on_the_days_before_it() -> None:
    fresh, lived = world(), world()
    lived.visits(START)
    assert fresh.visits(START + timedelta(days=1)) == lived.visits(START + timedelta(days=1))


def test_a_page_holds_different_products_and_visits_come_in_order() -> None:
    visits = world().visits(START)
    assert all(len(set(visit.product_ids)) == 8 for visit in visits)
    assert [visit.now for visit in visits] == sorted(visit.now for visit in visits)
    assert all(START <= visit.now < START + timedelta(days=1) for visit in visits)


def test_a_catalogue_smaller_than_a_page_is_shown_whole() -> None:
    small = World(0, STYLES, PRODUCTS[:3], SHAPE)
    assert all(len(visit.product_ids) == 3 for visit in small.visits(START))


def test_shoppers_click_as_often_as_the_world_says(shown: list[ShownStyle]) -> None:
    clicks = sum(isinstance(event, ClickEvent) for event in world().react(shown))
    chances = world().click_probability(shown)
    spread = np.sqrt((chances * (1 - chances)).sum())
    assert abs(clicks - chances.sum()) < 4 * spread


def test_random_styles_at_the_top_of_the_page_are_clicked_at_the_base_rate(shown: list[ShownStyle]) -> None:
    top = world().choices([replace(one, position=0) for one in shown])[:, :-1]
    assert top.mean() == pytest.approx(SHAPE.base_rate, rel=0.15)


def test_the_lower_on_the_page_the_fewer_clicks(shown: list[ShownStyle]) -> None:
    one = shown[0]
    chances = world().click_probability([replace(one, position=position) for position in range(8)])
    assert (np.diff(chances) < 0).all()


def test_the_style_shown_is_one_of_the_choices(shown: list[ShownStyle]) -> None:
    some = shown[:50]
    ids = [style.style_id for style in STYLES]
    column = [ids.index(one.style_id) for one in some]
    choices = world().choices(some)
    assert choices.shape == (50, 9)
    np.testing.assert_allclose(choices[np.arange(50), column], world().click_probability(some))


def test_shoppers_differ_in_taste_and_in_the_null_world_do_not() -> None:
    pages = [PageRequest(user, ("product-0",), START, {}) for user in world().shoppers]
    shown = shown_of(pages, ["style-00"])
    for spread, differ in ((0.9, True), (0.0, False)):
        choices = world(taste_spread=spread).choices(shown)
        assert (len(set(choices.argmax(axis=1))) > 4) == differ
        assert (choices.std(axis=0) > 1e-3).all() == differ


def test_tastes_follow_looks_but_not_only_looks() -> None:
    """Shoppers who like a style tend to like what looks like it; how much is what `look_share` says."""
    twins = [
        StyleOnOffer("one", "One", (1.0, 0.0, 0.0)),
        StyleOnOffer("twin", "Twin", (1.0, 0.0, 0.01)),
        StyleOnOffer("other", "Other", (-1.0, 0.5, 0.0)),
        StyleOnOffer("another", "Another", (0.0, -1.0, 0.0)),
    ]
    likes = World(0, twins, PRODUCTS, replace(SHAPE, n_shoppers=2000))._likes
    correlation = np.corrcoef(likes[:, :4].T)
    assert 0.4 < correlation[0, 1] < 0.95
    assert correlation[0, 2] < correlation[0, 1] - 0.3


def test_purchases_follow_clicks_later(shown: list[ShownStyle]) -> None:
    events = world().react(shown)
    clicked = {event.impression_id: event for event in events if isinstance(event, ClickEvent)}
    bought = [event for event in events if isinstance(event, PurchaseEvent)]
    assert 0.05 < len(bought) / len(clicked) < 0.5
    assert all(event.occurred_at > clicked[event.impression_id].occurred_at for event in bought)
    assert all(event.value > 0 for event in bought)
    assert len({event.event_id for event in events}) == len(events)


def test_a_few_shoppers_visit_often() -> None:
    one = world()
    visits = [visit for day in range(20) for visit in one.visits(START + timedelta(days=day))]
    counts = np.array(sorted(Counter(visit.user_id for visit in visits).values()))
    assert counts.sum() == pytest.approx(200 * 20 * SHAPE.visits_per_day, rel=0.1)
    assert counts[-20:].sum() > 0.2 * counts.sum()


def test_a_batch_holds_nobody_twice_and_lasts_no_longer_than_its_span() -> None:
    visits = world().visits(START)
    cut = list(batches(visits, timedelta(hours=2)))
    assert [visit for batch in cut for visit in batch] == visits
    for batch in cut:
        assert len({visit.user_id for visit in batch}) == len(batch)
        assert batch[-1].now - batch[0].now <= timedelta(hours=2)


def test_styles_without_content_vectors_make_a_world_too() -> None:
    bare = [StyleOnOffer(style.style_id, style.title, ()) for style in STYLES]
    assert np.isfinite(World(0, bare, PRODUCTS, SHAPE)._likes).all()


def test_a_world_needs_styles_and_products() -> None:
    with pytest.raises(ValueError, match="0 and 12"):
        World(0, STYLES[-1:], PRODUCTS)
    with pytest.raises(ValueError, match="8 and 0"):
        World(0, STYLES, [])
