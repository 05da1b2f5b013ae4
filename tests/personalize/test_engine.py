"""The engine on a migrated database: what it answers is what it wrote."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from factories import NOW, make_click, make_experiment, make_purchase
from small_shop import PRODUCTS, STYLES, OpenEngine, stored_impressions

from personalize.data.database import open_database, reading, writing
from personalize.data.experiments import read_experiment, store_experiment, variant_of
from personalize.data.records import EventStatus
from personalize.data.schema import ORIGINAL, Click
from personalize.engine import Engine
from personalize.errors import (
    DatabaseOutOfDate,
    InvalidIdentifier,
    NoStylesOnOffer,
    UnknownExperiment,
    UnknownProduct,
)
from personalize.features import Requests
from personalize.features.beliefs import LAUNCH_SHOWINGS
from personalize.policy import Exploration
from personalize.settings import Settings


def test_a_decision_is_stored_as_it_was_answered(open_engine: OpenEngine) -> None:
    engine = open_engine()
    decisions = engine.decide("ada", PRODUCTS)
    stored = stored_impressions(engine)
    assert [decision.product.product_id for decision in decisions] == list(PRODUCTS)
    for decision, row in zip(decisions, stored, strict=True):
        shown = decision.impression
        assert (shown.impression_id, shown.style_id, shown.position) == (
            row.impression_id,
            row.style_id,
            row.position,
        )
        assert shown.propensity == row.propensity
        assert decision.style_weights == {row.style_id: 1.0}


def test_a_visit_keeps_its_styles_and_its_impressions(open_engine: OpenEngine) -> None:
    engine = open_engine()
    first = engine.decide("ada", PRODUCTS)
    again = engine.decide("ada", PRODUCTS[::-1], now=NOW + timedelta(minutes=29))
    assert again == first[::-1]
    assert len(stored_impressions(engine)) == len(PRODUCTS)


def test_the_next_visit_decides_anew(open_engine: OpenEngine) -> None:
    engine = open_engine()
    first = engine.decide("ada", PRODUCTS)
    later = engine.decide("ada", PRODUCTS, now=NOW + timedelta(hours=2))
    assert {one.impression.impression_id for one in first}.isdisjoint(
        one.impression.impression_id for one in later
    )


def test_a_visit_outlives_the_process(open_engine: OpenEngine) -> None:
    first = open_engine(seed=1).decide("ada", PRODUCTS)
    assert open_engine(seed=2).decide("ada", PRODUCTS) == first


def test_requests_of_one_user_at_once_agree(open_engine: OpenEngine) -> None:
    engine = open_engine()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: engine.decide("ada", PRODUCTS), range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert len(stored_impressions(engine)) == len(PRODUCTS)


def test_a_product_asked_for_twice_is_one_impression(open_engine: OpenEngine) -> None:
    engine = open_engine()
    first, second = engine.decide("ada", ["mug-a", "mug-a"])
    assert first == second
    assert len(stored_impressions(engine)) == 1


def test_the_same_seed_and_clock_decide_the_same(open_engine: OpenEngine) -> None:
    def styles(seed: int) -> list[str]:
        engine = open_engine(seed)
        with engine.database.begin() as connection:
            connection.execute(sa.text("DELETE FROM slates"))
        return [
            one.impression.style_id for user in range(8) for one in engine.decide(f"user-{user}", PRODUCTS)
        ]

    assert styles(7) == styles(7)
    assert styles(7) != styles(8)


def test_an_unknown_product_records_nothing(open_engine: OpenEngine) -> None:
    engine = open_engine()
    with pytest.raises(UnknownProduct, match="no-such"):
        engine.decide("ada", ["mug-a", "no-such"])
    assert stored_impressions(engine) == []


@pytest.mark.parametrize("user_id", ["", "a\x00b", "x" * 129])
def test_an_impossible_user_id_is_refused(open_engine: OpenEngine, user_id: str) -> None:
    with pytest.raises(InvalidIdentifier, match="user_id"):
        open_engine().decide(user_id, PRODUCTS)


def test_every_variant_is_served_by_its_policy(open_engine: OpenEngine) -> None:
    engine = open_engine(experiment="demo")
    for user in range(30):
        for decision in engine.decide(f"user-{user}", ["mug-a"]):
            shown = decision.impression
            assert shown.experiment == "demo"
            assert shown.variant == shown.policy
            assert (shown.style_id == ORIGINAL) == (shown.variant == "original")
            assert decision.style_weights == ({} if shown.style_id == ORIGINAL else {shown.style_id: 1.0})


def test_assignment_is_the_documented_hash(open_engine: OpenEngine, database_url: str) -> None:
    engine = open_engine(experiment="demo")
    with reading(engine.database) as session:
        plan = read_experiment(session, "demo")
    for user in range(20):
        [decision] = engine.decide(f"user-{user}", ["mug-a"])
        assert decision.impression.variant == variant_of(plan, f"user-{user}")


def test_users_outside_the_traffic_get_the_personal_policy_and_belong_to_no_experiment(
    open_engine: OpenEngine,
) -> None:
    with writing(open_engine().database) as session:
        small = replace(read_experiment(session, "demo"), name="small", traffic=0.3)
        store_experiment(session, small, NOW)
    engine = open_engine(experiment="small")
    shown = [engine.decide(f"user-{n}", ["mug-a"])[0].impression for n in range(60)]
    inside = [one for one in shown if one.experiment is not None]
    assert 5 < len(inside) < 35
    assert all(one.experiment == "small" and one.variant == variant_of(small, one.user_id) for one in inside)
    outside = [one for one in shown if one.experiment is None]
    assert {(one.variant, one.policy) for one in outside} == {(None, "personal")}


def test_logged_propensities_are_the_frequencies(open_engine: OpenEngine) -> None:
    engine = open_engine()
    decisions = [engine.decide(f"user-{user}", ["mug-a"])[0] for user in range(400)]
    counts = Counter(one.style_id for one in decisions)
    for style in STYLES:
        chances = [one.propensities[style] for one in decisions]
        expected, variance = sum(chances), sum(chance * (1 - chance) for chance in chances)
        assert abs(counts[style] - expected) < 5 * variance**0.5
    for one in decisions:
        assert sum(one.propensities.values()) == pytest.approx(1, abs=1e-9)
        assert one.propensities[one.style_id] == one.propensity


def test_a_click_moves_the_same_user_s_next_ranking_at_once(open_engine: OpenEngine) -> None:
    engine = open_engine()
    [decision] = engine.decide("ada", ["mug-a"])
    before = {style.style_id: style.score for style in engine.rank("ada").styles}
    engine.record([make_click(decision.impression)])
    after = {style.style_id: style.score for style in engine.rank("ada").styles}
    assert after[decision.style_id] > before[decision.style_id] + 0.1
    assert engine.rank("ada").styles[0].style_id == decision.style_id


def test_what_was_learned_online_is_learned_again_from_the_log(open_engine: OpenEngine) -> None:
    engine = open_engine()
    for user in range(60):
        now = NOW - timedelta(hours=60 - user)
        decisions = engine.decide(
            f"user-{user % 7}", PRODUCTS, now=now, context={"device": "phone", "age": 0.3}
        )
        clicked = [one.impression for one in decisions if (user + one.impression.position) % 4 == 0]
        engine.record([make_click(one) for one in clicked])
    again = open_engine(seed=3)
    for user in ("user-0", "user-6", "nobody-yet"):
        live, replayed = (
            {style.style_id: style.score for style in one.rank(user, "vase-c").styles}
            for one in (engine, again)
        )
        assert live == pytest.approx(replayed, abs=1e-6)


def test_reasons_sum_to_the_score(open_engine: OpenEngine) -> None:
    engine = open_engine()
    for decision in engine.decide("ada", PRODUCTS, context={"device": "phone"}):
        engine.record([make_click(decision.impression)])
    for decision in engine.decide("ada", PRODUCTS, now=NOW + timedelta(hours=2)):
        assert sum(reason.contribution for reason in decision.reasons) == pytest.approx(
            decision.score, abs=1e-6
        )


def test_an_empty_folder_and_styles_without_a_photo_are_enough(tmp_path: Path) -> None:
    styles = [("snow", [0.0, 1.0]), ("ink", [1.0, 0.0]), ("haze", [0.1, 0.9])]
    settings = Settings(data_dir=tmp_path / "new")
    with Engine.open(settings, styles=styles, clock=lambda: NOW, seed=1) as engine:
        first = engine.decide("ada", ["p-1", "p-2"], context={"category": "mug"})
        assert {one.product.category for one in first} == {"mug"}
        assert all(one.style_id in dict(styles) for one in first)
    with Engine.open(
        settings, styles=styles[:2], products={"q": "vase"}, clock=lambda: NOW, seed=1
    ) as engine:
        assert engine.decide("ada", ["p-1", "p-2"]) == first, "a visit outlives the process"
        assert set(engine.decide("grace", ["q"])[0].propensities) == {"snow", "ink"}
        with pytest.raises(UnknownProduct):
            engine.decide("ada", ["no-such"])


def test_rules_keep_a_style_away_and_a_page_varied(open_engine: OpenEngine, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"max_per_page": 1, "rules": [{"disable": ["waves"], "categories": ["mug"]}]}')
    engine = open_engine(rules=rules)
    for user in range(20):
        shown = [one.style_id for one in engine.decide(f"user-{user}", PRODUCTS)]
        assert len(set(shown)) == 3
        assert "waves" not in shown[:2]


def test_what_a_user_excludes_is_not_shown_again(open_engine: OpenEngine) -> None:
    engine = open_engine()
    [first] = engine.decide("ada", ["mug-a"])
    [second] = engine.decide("ada", ["mug-a"], excluded_styles=[first.style_id])
    assert second.style_id != first.style_id
    assert first.style_id not in second.propensities


def test_a_blend_is_stored_and_kept(open_engine: OpenEngine, database_url: str) -> None:
    database = open_database(database_url)
    with writing(database) as session:
        make_experiment(session, "mix", "blend", "personal")
    database.dispose()
    engine = open_engine(experiment="mix")
    blended = [
        one
        for user in range(12)
        for one in engine.decide(f"user-{user}", ["mug-a"])
        if one.model_version and one.impression.policy == "blend"
    ]
    assert blended
    for one in blended:
        assert len(one.style_weights) == 2
        assert sum(one.style_weights.values()) == pytest.approx(1)
        assert next(iter(one.style_weights)) == one.style_id or one.style_id in one.style_weights
    again = open_engine(seed=5, experiment="mix")
    user = blended[0].impression.user_id
    assert again.decide(user, ["mug-a"])[0].style_weights == pytest.approx(blended[0].style_weights)


def test_events_are_answered_one_by_one(open_engine: OpenEngine) -> None:
    engine = open_engine()
    [decision] = engine.decide("ada", ["mug-a"])
    click = make_click(decision.impression)
    outcomes = engine.record(
        [click, make_purchase(decision.impression), make_click("no-such-impression"), click]
    )
    assert [outcome.status for outcome in outcomes] == [
        EventStatus.ACCEPTED,
        EventStatus.ACCEPTED,
        EventStatus.REJECTED,
        EventStatus.DUPLICATE,
    ]


def test_what_is_recorded_while_the_engine_closes_is_answered_and_on_disk(open_engine: OpenEngine) -> None:
    """The writer still works when the thread that settles beliefs has ended."""
    engine = open_engine()
    engine._knowledge.close()
    decisions = [one for number in range(10) for one in engine.decide(f"user-{number}", PRODUCTS)]
    outcomes = engine.record([make_click(one.impression) for one in decisions])
    assert {outcome.status for outcome in outcomes} == {EventStatus.ACCEPTED}
    with reading(engine.database) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Click)) == len(decisions)


def test_a_style_that_comes_later_is_tried_until_it_was_shown_often_enough(tmp_path: Path) -> None:
    """What it is promised is part of the propensity that is logged; a restart remembers where it stood."""
    first = [("dots", [0.0, 1.0]), ("waves", [1.0, 0.0])]
    both = [*first, ("snow", [1.0, 0.1])]
    moment = NOW

    def opened(styles: list[tuple[str, list[float]]]) -> Engine:
        return Engine.open(Settings(data_dir=tmp_path), styles=styles, clock=lambda: moment, seed=0)

    def new_styles(engine: Engine) -> list[bool]:
        asked = Requests.of(["ada"], ["mug"], moment)
        return engine._knowledge.frame(asked, beliefs_only=True).is_new.tolist()

    with opened(first) as engine:
        engine.decide("ada", ["mug"])
    moment += timedelta(days=1)
    launch, floor = Exploration().launch, Exploration().floor
    with opened(both) as engine:
        assert new_styles(engine) == [False, True, False, False], "in the order of ids, the original last"
        [decision] = engine.decide("grace", ["mug"])
        assert decision.propensities["snow"] >= (1 - floor) * launch / 3
        for number in range(60):
            moment += timedelta(hours=1)
            engine.decide(f"user-{number}", [f"mug-{each}" for each in range(24)])
        assert not any(new_styles(engine))
        shown = sum(row.style_id == "snow" for row in stored_impressions(engine))
    assert shown > LAUNCH_SHOWINGS
    with opened(both) as engine:
        assert not any(new_styles(engine)), "the log remembers"


def test_ranking_is_ordered_and_cut_at_k(open_engine: OpenEngine) -> None:
    engine = open_engine()
    ranking = engine.rank("ada", "mug-a")
    scores = [style.score for style in ranking.styles]
    assert scores == sorted(scores, reverse=True)
    assert {style.style_id for style in ranking.styles} == set(STYLES)
    assert sum(style.propensity for style in ranking.styles) == pytest.approx(1)
    assert engine.rank("ada", "mug-a", k=2).styles == ranking.styles[:2]


def test_ties_fall_to_style_id(open_engine: OpenEngine) -> None:
    assert [style.style_id for style in open_engine().rank("ada").styles] == sorted(STYLES)


def test_an_unknown_experiment_is_refused_at_the_start(open_engine: OpenEngine) -> None:
    with pytest.raises(UnknownExperiment, match="no-such"):
        open_engine(experiment="no-such")


def test_a_database_without_tables_is_refused(bare_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseOutOfDate, match="personalize db upgrade"):
        Engine.open(Settings(data_dir=tmp_path, database_url=bare_database_url))


def test_an_empty_style_table_is_refused(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(NoStylesOnOffer):
        Engine.open(Settings(data_dir=tmp_path, database_url=database_url))
