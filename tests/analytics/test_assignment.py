"""Assignment: a documented hash, even shares, traffic and layers; the vectors are for every language."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from scipy import stats

from analytics.assignment import N_BUCKETS, bucket, free_range, variant_of
from analytics.definition import Definition, parse_definition

VECTORS = json.loads(Path(__file__).with_name("assignment_vectors.json").read_text(encoding="utf-8"))
THIRDS = {"original": 1 / 3, "popular": 1 / 3, "personal": 1 / 3}


def definition(variants: dict[str, float], **settings: object) -> Definition:
    return parse_definition({"name": "demo", "salt": "salt", "variants": variants, **settings})


@pytest.mark.parametrize("vector", VECTORS["buckets"])
def test_the_bucket_is_the_documented_hash(vector: dict[str, object]) -> None:
    assert bucket(str(vector["salt"]), str(vector["unit"])) == vector["bucket"]


@pytest.mark.parametrize("vector", VECTORS["variants"])
def test_variants_are_those_of_the_vectors(vector: dict[str, dict[str, object]]) -> None:
    experiment = parse_definition(vector["definition"])
    assert {unit: variant_of(experiment, unit) for unit in vector["units"]} == vector["units"]


def test_buckets_are_uniform() -> None:
    counts = [0] * 100
    for n in range(100_000):
        counts[bucket("demo", f"user-{n}") // 100] += 1
    assert stats.chisquare(counts).pvalue > 0.001


def test_two_experiments_split_users_independently() -> None:
    table = [[0, 0], [0, 0]]
    for user in map("user-{}".format, range(40_000)):
        table[bucket("one", user) < 5000][bucket("two", user) < 5000] += 1
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_the_traffic_says_nothing_about_the_variant() -> None:
    half = definition({"a": 0.5, "b": 0.5}, traffic=0.5)
    found = [variant_of(half, f"user-{n}") for n in range(20_000)]
    assert stats.chisquare([found.count("a"), found.count("b")]).pvalue > 0.001
    assert stats.binomtest(found.count(None), len(found), 0.5).pvalue > 0.001


def test_variants_take_ranges_of_buckets_in_the_order_of_their_names() -> None:
    shares = definition({"b": 0.5, "a": 0.25, "c": 0.25})
    variants = {bucket("salt", user): variant_of(shares, user) for user in map(str, range(30_000))}
    assert {variants[place] for place in variants if place < 2500} == {"a"}
    assert {variants[place] for place in variants if 2500 <= place < 7500} == {"b"}
    assert {variants[place] for place in variants if place >= 7500} == {"c"}


def test_shares_that_do_not_fall_on_whole_buckets_leave_nobody_out() -> None:
    thirds = definition(THIRDS)
    found = [variant_of(thirds, f"user-{n}") for n in range(30_000)]
    assert stats.chisquare([found.count(name) for name in THIRDS]).pvalue > 0.001
    ordered = sorted((bucket("salt", f"user-{n}"), str(variant)) for n, variant in enumerate(found))
    assert sum(left[1] != right[1] for left, right in pairwise(ordered)) == 2
    assert ordered[-1][0] > 0.999 * N_BUCKETS


def test_the_variant_does_not_depend_on_the_order_of_the_definition() -> None:
    one, two = definition({"x": 0.3, "y": 0.7}), definition({"y": 0.7, "x": 0.3})
    assert all(variant_of(one, str(n)) == variant_of(two, str(n)) for n in range(500))


def test_a_layer_gives_the_first_gap_that_is_wide_enough() -> None:
    assert free_range([], N_BUCKETS) == 0
    assert free_range([(0, 6000)], 4000) == 6000
    assert free_range([(0, 6000)], 4001) is None
    assert free_range([(2000, 3000), (0, 1000)], 1000) == 1000
