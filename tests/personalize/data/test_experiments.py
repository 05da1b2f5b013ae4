"""Stored experiments: assignment for good, versions, traffic that only grows, layers without overlap."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from factories import NOW, make_experiment, make_purchase, make_slate, make_styles
from sqlalchemy import Engine, text

from analytics import Experiment as Comparing
from analytics.errors import SeveralCurrencies
from analytics.reading import Database
from analytics.rollup import Rollup
from analytics.sql.database import stored_definition
from personalize.data.database import reading, writing
from personalize.data.events import record_events
from personalize.data.experiments import (
    ExperimentPlan,
    apply_experiment,
    assign,
    change_experiment,
    create_experiment,
    may_join,
    read_experiment,
    read_experiments,
    store_experiment,
    variant_of,
)
from personalize.data.schema import Experiment
from personalize.errors import InvalidIdentifier, UnknownExperiment

THIRDS = {"original": 1 / 3, "popular": 1 / 3, "personal": 1 / 3}


def plan(name: str = "demo", shares: Mapping[str, float] = THIRDS, **settings: object) -> ExperimentPlan:
    policies = {variant: variant for variant in shares}
    return ExperimentPlan(name, shares, "salt", policies=policies, **settings)  # type: ignore[arg-type]


def test_an_experiment_is_read_as_it_was_created(engine: Engine) -> None:
    policies = {name: name for name in THIRDS}
    with writing(engine) as session:
        created = create_experiment(session, "demo", THIRDS, policies, "salt", NOW)
    with reading(engine) as session:
        assert read_experiment(session, "demo") == created
    assert created == ExperimentPlan("demo", THIRDS, "salt", started_at=NOW, policies=policies)
    assert list(created.variants) == ["original", "personal", "popular"]


def test_a_currency_and_rates_are_stored_as_they_were_written(engine: Engine) -> None:
    rates = {"USD": "0.925", "JPY": "0.006123456", "KWD": "123456789.123456789"}
    with writing(engine) as session:
        store_experiment(session, plan(currency="EUR", rates=rates), NOW)
    with reading(engine) as session:
        [stored] = read_experiments(session)
        row = session.get_one(Experiment, "demo")
    assert stored == plan(currency="EUR", rates=rates, started_at=NOW)
    assert (row.currency, row.rates) == ("EUR", rates)
    with reading(engine) as session:
        found = stored_definition(session.connection(), "experiments", "demo")
    assert found is not None
    assert (found.currency, found.rates) == (stored.currency, stored.rates)
    assert found.to_dict() | {"policies": stored.policies} == stored.to_dict()


def test_an_experiment_without_a_currency_stores_none(engine: Engine) -> None:
    without = text("SELECT name FROM experiments WHERE currency IS NULL AND rates IS NULL")
    with writing(engine) as session:
        make_experiment(session)
        assert session.scalar(without) == "demo"


def test_a_comparison_counts_in_the_currency_that_is_stored(engine: Engine) -> None:
    with writing(engine) as session:
        make_styles(session)
        stored = make_experiment(session)
        for variant, value, currency in (
            ("original", "10", "EUR"),
            ("original", "10", "USD"),
            ("personal", "100", "USD"),
            ("personal", "50", "GBP"),
        ):
            [shown] = make_slate(session, experiment="demo", variant=variant)
            record_events(session, [make_purchase(shown, value, currency=currency)], NOW + timedelta(hours=1))
    wanted = Comparing("demo", Database(engine), ["spend=revenue/users"], "original")
    with pytest.raises(SeveralCurrencies):
        wanted.analyze()
    with writing(engine) as session:
        apply_experiment(session, replace(stored, currency="EUR", rates={"USD": "0.925"}), NOW)
    from_logs = wanted.analyze()
    assert from_logs["personal", "spend"].effect == pytest.approx(92.5 / 2 - (10 + 9.25) / 2)
    assert from_logs.funnel is not None
    assert from_logs.funnel["purchases"].dropped["other_currency"] == 1
    with reading(engine) as session:
        definition = stored_definition(session.connection(), "experiments", "demo")
    assert definition is not None
    Rollup(definition).refresh(engine)
    from_rollup = wanted.analyze()
    assert from_rollup.came_from == "rollup"
    assert from_rollup["personal", "spend"].effect == from_logs["personal", "spend"].effect


def test_a_currency_moves_nobody_so_it_may_change_within_a_version(engine: Engine) -> None:
    with writing(engine) as session:
        plain = make_experiment(session)
        priced = replace(plain, currency="EUR", rates={"USD": "0.92"})
        for wanted in (priced, replace(priced, rates={"USD": "0.93"}), replace(priced, rates={}), plain):
            assert apply_experiment(session, wanted, NOW) == (wanted, True)
            assert apply_experiment(session, wanted, NOW) == (wanted, False)


def test_creating_the_same_experiment_again_changes_nothing(engine: Engine) -> None:
    with writing(engine) as session:
        first = make_experiment(session)
        assert make_experiment(session, now=NOW.replace(year=2030)) == first


def test_an_experiment_cannot_be_redefined(engine: Engine) -> None:
    with writing(engine) as session:
        make_experiment(session, "demo", "control", "treatment")
        with pytest.raises(ValueError, match="'demo' exists with other variants"):
            make_experiment(session, "demo", "control", "treatment", salt="another")


@pytest.mark.parametrize(
    ("variants", "complaint"),
    [
        ({"a": 0.5, "b": 0.4}, "sum to 1"),
        ({"a": 1.5, "b": -0.5}, "positive shares"),
        ({"a": float("nan"), "b": 1.0}, "positive shares"),
        ({}, "sum to 1"),
    ],
)
def test_shares_must_be_positive_and_sum_to_one(
    sqlite_engine: Engine, variants: dict[str, float], complaint: str
) -> None:
    with writing(sqlite_engine) as session, pytest.raises(ValueError, match=complaint):
        create_experiment(session, "demo", variants, dict.fromkeys(variants, "personal"), "salt", NOW)


def test_every_variant_needs_a_policy(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session, pytest.raises(ValueError, match="one policy for each"):
        create_experiment(session, "demo", {"a": 0.5, "b": 0.5}, {"a": "personal"}, "salt", NOW)


def test_names_are_checked(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session, pytest.raises(InvalidIdentifier):
        create_experiment(session, "", {"a": 1.0}, {"a": "personal"}, "salt", NOW)


def test_an_unknown_experiment_is_an_error(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session, pytest.raises(UnknownExperiment, match="'nope'"):
        read_experiment(session, "nope")


def test_a_user_keeps_the_variant_for_good(engine: Engine) -> None:
    users = [f"user-{n}" for n in range(300)]
    with writing(engine) as session:
        experiment = make_experiment(session)
        first = assign(session, experiment, users[:200], NOW)
    reshuffled = replace(experiment, salt="reshuffled")
    with writing(engine) as session:
        second = assign(session, reshuffled, users, NOW)
    assert {user: second[user] for user in users[:200]} == first
    assert first == {user: variant_of(experiment, user) for user in users[:200]}
    newcomers = users[200:]
    assert [second[user] for user in newcomers] == [variant_of(reshuffled, user) for user in newcomers]


def test_only_a_new_version_moves_a_user(engine: Engine) -> None:
    users = [f"user-{n}" for n in range(300)]
    tomorrow = NOW + timedelta(days=1)
    with writing(engine) as session:
        first_plan = make_experiment(session)
        first = assign(session, first_plan, users, NOW)
        raised = change_experiment(session, replace(first_plan, version=2), tomorrow)
        second = assign(session, raised, users, tomorrow)
        assert assign(session, raised, users, tomorrow) == second
        assert assign(session, first_plan, users, tomorrow) == second
    assert raised.started_at == tomorrow
    moved = sum(first[user] != second[user] for user in users)
    assert 100 < moved < 200
    assert second == {user: variant_of(raised, user) for user in users}


def test_within_a_version_the_traffic_may_grow_and_nobody_moves(engine: Engine) -> None:
    users = [f"user-{n}" for n in range(400)]
    with writing(engine) as session:
        small = store_experiment(session, plan(traffic=0.25), NOW)
        first = assign(session, small, users, NOW)
        ramped = change_experiment(session, replace(small, traffic=0.75), NOW)
        second = assign(session, ramped, users, NOW)
    assert 60 < len(first) < 140 < len(second) < 340
    assert first.items() <= second.items()
    assert set(second) == {user for user in users if may_join(ramped, user, NOW)}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"traffic": 0.5}, "less traffic would move users of 'demo'; raise its version"),
        ({"salt": "other"}, "salt would move users"),
        ({"version": 3}, "is at version 1; the next is 2"),
    ],
)
def test_a_change_that_would_move_users_wants_a_new_version(
    sqlite_engine: Engine, change: dict[str, object], complaint: str
) -> None:
    with writing(sqlite_engine) as session:
        stored = make_experiment(session)
        with pytest.raises(ValueError, match=complaint):
            change_experiment(session, replace(stored, **change), NOW)  # type: ignore[arg-type]


def test_experiments_of_a_layer_share_no_user(engine: Engine) -> None:
    users = [f"user-{n}" for n in range(2000)]
    with writing(engine) as session:
        one = store_experiment(session, plan("one", layer="page", traffic=0.4), NOW)
        two = store_experiment(session, plan("two", layer="page", traffic=0.5), NOW)
        with pytest.raises(ValueError, match=r"'page' has no room for 20% of the users beside one, two"):
            store_experiment(session, plan("three", layer="page", traffic=0.2), NOW)
        in_one, in_two = (set(assign(session, e, users, NOW)) for e in (one, two))
    assert (one.layer_start, two.layer_start) == (0, 4000)
    assert not in_one & in_two
    assert 700 < len(in_one) < 900 < len(in_two) < 1100


def test_a_stopped_experiment_leaves_its_layer_and_takes_nobody(engine: Engine) -> None:
    later = NOW + timedelta(days=7)
    with writing(engine) as session:
        one = store_experiment(session, plan("one", layer="page"), NOW)
        stopped = change_experiment(session, replace(one, stopped_at=later), later)
        assert assign(session, stopped, ["ada"], later) == {}
        assert store_experiment(session, plan("two", layer="page"), later).layer_start == 0


def test_nobody_joins_before_the_start(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        tomorrow = store_experiment(session, plan(started_at=NOW + timedelta(days=1)), NOW)
        assert assign(session, tomorrow, ["ada"], NOW) == {}


def test_assigning_nobody_is_harmless(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        assert assign(session, make_experiment(session), [], NOW) == {}
