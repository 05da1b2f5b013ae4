"""Assignment: a documented hash, even shares, and for good."""

from dataclasses import replace
from itertools import pairwise

import pytest
from factories import NOW, make_experiment
from scipy import stats
from sqlalchemy import Engine

from personalize.data.database import reading, writing
from personalize.data.experiments import (
    N_BUCKETS,
    ExperimentPlan,
    assign,
    bucket,
    create_experiment,
    read_experiment,
    variant_of,
)
from personalize.errors import InvalidIdentifier, UnknownExperiment

VECTORS = [
    ("demo", "ada", 6217),
    ("demo", "grace", 5572),
    ("demo", "", 378),
    ("", "ada", 6738),
    ("s-1", "007", 6053),
    ("s-1", "7", 1433),
    ("salt", "Zo\u00eb", 871),
    ("salt", "Zoe\u0308", 5630),
    ("salt", "\u7528\u6237", 5548),
]
THIRDS = {"original": 1 / 3, "popular": 1 / 3, "personal": 1 / 3}


def plan(variants: dict[str, float], salt: str = "salt") -> ExperimentPlan:
    return ExperimentPlan("demo", salt, variants, {name: name for name in variants}, NOW)


@pytest.mark.parametrize(("salt", "unit", "expected"), VECTORS)
def test_the_bucket_is_the_documented_hash(salt: str, unit: str, expected: int) -> None:
    assert bucket(salt, unit) == expected


def test_buckets_are_uniform() -> None:
    counts = [0] * 100
    for n in range(200_000):
        counts[bucket("demo", f"user-{n}") // 100] += 1
    assert stats.chisquare(counts).pvalue > 0.001


def test_two_experiments_split_users_independently() -> None:
    users = [f"user-{n}" for n in range(40_000)]
    table = [[0, 0], [0, 0]]
    for user in users:
        table[bucket("one", user) < 5000][bucket("two", user) < 5000] += 1
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_variants_take_ranges_of_buckets_in_the_order_of_their_names() -> None:
    shares = {"b": 0.5, "a": 0.25, "c": 0.25}
    variants = {bucket("salt", user): variant_of(plan(shares), user) for user in map(str, range(50_000))}
    assert {variants[place] for place in variants if place < 2500} == {"a"}
    assert {variants[place] for place in variants if 2500 <= place < 7500} == {"b"}
    assert {variants[place] for place in variants if place >= 7500} == {"c"}


def test_shares_that_do_not_fall_on_whole_buckets_leave_nobody_out() -> None:
    found = [variant_of(plan(THIRDS), f"user-{n}") for n in range(30_000)]
    counts = [found.count(name) for name in THIRDS]
    assert stats.chisquare(counts).pvalue > 0.001
    ordered = sorted((bucket("salt", f"user-{n}"), variant) for n, variant in enumerate(found))
    assert sum(left[1] != right[1] for left, right in pairwise(ordered)) == 2
    assert ordered[-1][0] > 0.999 * N_BUCKETS


def test_the_variant_does_not_depend_on_the_order_of_the_definition() -> None:
    one, two = plan({"x": 0.3, "y": 0.7}), plan({"y": 0.7, "x": 0.3})
    assert all(variant_of(one, str(n)) == variant_of(two, str(n)) for n in range(500))


def test_an_experiment_is_read_as_it_was_created(engine: Engine) -> None:
    policies = {name: name for name in THIRDS}
    with writing(engine) as session:
        created = create_experiment(session, "demo", THIRDS, policies, "salt", NOW)
    with reading(engine) as session:
        assert read_experiment(session, "demo") == created
    assert created == ExperimentPlan("demo", "salt", THIRDS, policies, NOW, None)
    assert list(created.variants) == ["original", "personal", "popular"]


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


def test_assigning_nobody_is_harmless(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        assert assign(session, make_experiment(session), [], NOW) == {}
