"""Training and serving get the same features of the same moment, and nothing later matters."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from logs import START, impression, log_of, products_on_offer, styles_on_offer

from personalize.data.records import ShownStyle, StyleOnOffer
from personalize.features import FEATURE_NAMES, FeatureFrame, History, Requests, StyleSpace, build_features
from personalize.features.history import column_us
from personalize.policy import Exploration, plan_styles
from personalize.simulate.worlds import World, WorldShape, batches

HALF_LIFE = timedelta(days=14)
WINDOW = timedelta(days=1)
STYLES = styles_on_offer(6, width=4)
SPACE = StyleSpace.of(STYLES)


def history_of(rows: list[dict[str, Any]]) -> History:
    return History.from_log(log_of(rows), half_life=HALF_LIFE, attribution_window=WINDOW)


def features_of(
    rows: list[dict[str, Any]], user: str = "ada", *, category: str | None = "category-0", hours: float = 48
) -> FeatureFrame:
    requests = Requests.of([user], [category], START + timedelta(hours=hours))
    return build_features(history_of(rows), requests, SPACE)


def value(frame: FeatureFrame, name: str, style_id: str) -> float:
    return float(frame.column(name)[frame.style_ids.index(style_id)])


def busy_log(seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        impression(
            f"user-{rng.integers(5)}",
            f"style-0{rng.integers(6)}",
            hours=float(rng.uniform(0, 96)),
            category=f"category-{rng.integers(3)}",
            clicked_after=float(rng.uniform(0, 5)) if rng.random() < 0.3 else None,
            purchased_after=float(rng.uniform(5, 20)) if rng.random() < 0.1 else None,
        )
        for _ in range(300)
    ]


def test_features_logged_at_serving_equal_features_recomputed_in_training() -> None:
    world = World(3, STYLES, products_on_offer(8, 2), WorldShape(n_shoppers=40, visits_per_day=2.0))
    categories = {product.product_id: product.category for product in world.products}
    live = History(half_life=HALF_LIFE, attribution_window=WINDOW)
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    logged = []
    events: dict[str, Any] = {}
    waiting: list[Any] = []
    visits = [visit for day in range(3) for visit in world.visits(START + timedelta(days=day))]
    for batch in batches(visits, timedelta(minutes=10)):
        live.append_events([event for event in waiting if event.occurred_at < batch[0].now])
        waiting = [event for event in waiting if event.occurred_at >= batch[0].now]
        pages = [(page, position) for page in batch for position in range(len(page.product_ids))]
        requests = Requests.of(
            [page.user_id for page, _ in pages],
            [categories[page.product_ids[position]] for page, position in pages],
            [batch[0].now] * len(pages),
        )
        frame = build_features(live, requests, SPACE)
        plan = plan_styles("personal", frame, ranker=None, exploration=Exploration(temperature=1.0))
        shown = []
        for n, ((page, position), choice) in enumerate(zip(pages, plan.draw(rng), strict=True)):
            logged.append(frame.values[n * len(SPACE) + choice])
            shown.append(
                ShownStyle(
                    impression_id=f"i{len(logged):06d}",
                    slate_id=page.user_id,
                    user_id=page.user_id,
                    product_id=page.product_ids[position],
                    style_id=plan.style_ids[choice],
                    position=position,
                    shown_at=batch[0].now,
                    propensity=float(plan.propensities[n, choice]),
                    policy="personal",
                    model_version="popularity",
                )
            )
        live.append_shown(shown, [categories[one.product_id] for one in shown])
        happened = world.react(shown)
        waiting += happened
        for event in happened:
            events[type(event).__name__ + event.impression_id] = event.occurred_at
        rows += [
            {name: getattr(one, name) for name in ShownStyle.__dataclass_fields__}
            | {
                "category": categories[one.product_id],
                "clicked_at": events.get(f"ClickEvent{one.impression_id}", pd.NaT),
                "purchased_at": events.get(f"PurchaseEvent{one.impression_id}", pd.NaT),
            }
            for one in shown
        ]
    log = log_of(rows)
    assert log["clicked_at"].notna().sum() > 30
    replayed = build_features(
        History.from_log(log, half_life=HALF_LIFE, attribution_window=WINDOW),
        Requests(tuple(log["user_id"]), tuple(log["category"]), column_us(log["shown_at"])),
        SPACE,
        shown=tuple(log["style_id"]),
    )
    served = np.array(logged)[[int(name[1:]) - 1 for name in log["impression_id"]]]
    np.testing.assert_allclose(replayed.values, served, rtol=1e-6, atol=1e-6)


def test_changing_the_future_changes_nothing() -> None:
    rows = busy_log()
    now = 48.0
    moment = START + timedelta(hours=now)
    future = [row for row in rows if row["shown_at"] >= moment]
    changed = [row for row in rows if row["shown_at"] < moment]
    changed = [
        row | {name: pd.NaT for name in ("clicked_at", "purchased_at") if row[name] >= moment}
        for row in changed
    ]
    changed += [impression("user-0", "style-01", hours=h, clicked_after=0.1) for h in range(48, 80)]
    assert len(future) > 50
    users = [f"user-{n}" for n in range(5)]
    requests = Requests.of(users, ["category-0"] * 5, moment)
    one = build_features(history_of(rows), requests, SPACE)
    other = build_features(history_of(changed), requests, SPACE)
    np.testing.assert_array_equal(one.values, other.values)


def test_a_batch_of_requests_equals_one_request_at_a_time() -> None:
    history = history_of(busy_log())
    rng = np.random.default_rng(1)
    users = [f"user-{rng.integers(6)}" for _ in range(40)]
    categories = [f"category-{rng.integers(4)}" for _ in range(40)]
    moments = [START + timedelta(hours=float(rng.uniform(0, 120))) for _ in range(40)]
    together = build_features(history, Requests.of(users, categories, moments), SPACE)
    for row in range(40):
        alone = build_features(
            history, Requests.of(users[row : row + 1], categories[row : row + 1], moments[row]), SPACE
        )
        np.testing.assert_allclose(together.take([row]).values, alone.values, rtol=1e-6)


def test_the_shown_style_alone_has_the_row_that_it_has_among_all() -> None:
    history = history_of(busy_log())
    requests = Requests.of(["user-1"] * 6, ["category-1"] * 6, START + timedelta(hours=60))
    everything = build_features(history, requests, SPACE)
    shown = build_features(history, requests, SPACE, shown=SPACE.style_ids)
    np.testing.assert_allclose(shown.values, everything.values[:: len(SPACE) + 1], rtol=1e-6)


def test_a_user_who_clicks_one_look_is_thought_to_like_its_likes() -> None:
    alike = [
        StyleOnOffer("waves", "Waves", (1.0, 0.0)),
        StyleOnOffer("surf", "Surf", (0.9, 0.1)),
        StyleOnOffer("dots", "Dots", (-1.0, 0.2)),
    ]
    rows = [impression("ada", "waves", hours=h, clicked_after=0.1) for h in range(4)]
    rows += [impression("grace", style, hours=h) for h in range(12) for style in ("waves", "surf", "dots")]
    frame = build_features(
        history_of(rows), Requests.of(["ada"], [None], START + timedelta(hours=24)), StyleSpace.of(alike)
    )
    taste = dict(zip(frame.style_ids, frame.column("user_style_taste"), strict=True))
    assert taste["waves"] > taste["surf"] > 0 > taste["dots"]


def test_without_content_vectors_taste_stays_with_the_style() -> None:
    bare = [StyleOnOffer(name, name, ()) for name in ("waves", "surf", "dots")]
    rows = [impression("ada", "waves", hours=h, clicked_after=0.1) for h in range(4)]
    frame = build_features(
        history_of(rows), Requests.of(["ada"], [None], START + timedelta(hours=24)), StyleSpace.of(bare)
    )
    taste = dict(zip(frame.style_ids, frame.column("user_style_taste"), strict=True))
    assert taste["waves"] > 0.1
    assert taste["surf"] == taste["dots"]
    assert np.isfinite(frame.column("user_look_taste")).all()


def test_nothing_known_gives_equal_finite_rates_and_no_history() -> None:
    empty = History(half_life=HALF_LIFE, attribution_window=WINDOW)
    frame = build_features(empty, Requests.of(["ada"], ["mug"], START), SPACE)
    assert not frame.column("user_style_shown").any()
    assert len(set(frame.column("style_rate"))) == 1
    assert np.isnan(frame.column("hours_since_shown")).all()


def test_rates_of_a_style_are_smoothed_as_worked_by_hand() -> None:
    rows = [impression(f"u{n}", "style-00", hours=0, clicked_after=0.0) for n in range(3)]
    rows += [impression(f"v{n}", "style-01", hours=0) for n in range(97)]
    frame = features_of(rows, "new", hours=1e-9, category=None)
    base = (3 + 1) / (100 + 1 / 0.03)
    assert value(frame, "style_rate", "style-00") == pytest.approx(base * (3 + 5) / (3 * base + 5), rel=1e-5)
    assert value(frame, "style_rate", "style-01") == pytest.approx(base * 5 / (97 * base + 5), rel=1e-5)
    assert value(frame, "category_style_rate", "style-00") == value(frame, "style_rate", "style-00")


def test_recency_is_in_hours_and_counts_are_whole() -> None:
    rows = [impression(hours=0, clicked_after=2), impression(hours=10)]
    frame = features_of(rows, hours=24)
    assert value(frame, "hours_since_shown", "style-00") == pytest.approx(14)
    assert value(frame, "hours_since_click", "style-00") == pytest.approx(22)
    assert value(frame, "user_style_shown", "style-00") == 2
    assert value(frame, "user_style_clicks", "style-00") == 1
    assert np.isnan(value(frame, "hours_since_click", "style-01"))


def test_the_original_is_no_candidate_but_tells_how_readily_its_viewer_clicks() -> None:
    seen = [impression("ada", "style-00", clicked_after=0.1)]
    keen = [impression("ada", "original", hours=0.1 * n, clicked_after=0.01) for n in range(9)]
    frames = [features_of(rows, hours=24) for rows in (seen, seen + keen)]
    assert "original" not in frames[1].style_ids
    alone, beside = (value(frame, "user_style_lift", "style-00") for frame in frames)
    assert beside < alone


def test_a_style_that_is_not_on_offer_is_refused_by_name() -> None:
    requests = Requests.of(["ada"], [None], START)
    with pytest.raises(ValueError, match="style-99"):
        build_features(history_of([impression()]), requests, SPACE, shown=["style-99"])


def test_frames_keep_their_requests_apart() -> None:
    frame = build_features(
        history_of(busy_log()),
        Requests.of([f"user-{n}" for n in range(5)], ["category-0"] * 5, START + timedelta(hours=90)),
        SPACE,
    )
    assert (frame.n_requests, frame.n_candidates, len(frame.values)) == (5, 6, 30)
    picked = frame.take([3, 1])
    np.testing.assert_array_equal(picked.values[:6], frame.values[18:24])
    np.testing.assert_array_equal(picked.take([1]).values, frame.take([1]).values)
    assert frame.names == FEATURE_NAMES


def test_content_vectors_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one length, got \[1, 2\]"):
        StyleSpace.of([StyleOnOffer("a", "A", (1.0,)), StyleOnOffer("b", "B", (1.0, 2.0))])
