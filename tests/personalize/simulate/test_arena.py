"""Seeded simulations with a known answer, small."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from personalize.policy.exploration import sample
from personalize.simulate.arena import Result, run
from personalize.simulate.contestants import NAMES, Online, contestant
from personalize.simulate.latent import WORLDS, LatentWorld
from personalize.simulate.report import draw_curves, summarise

SMALL = replace(WORLDS["plain"], n_shoppers=200, n_styles=8, n_late=1, n_impressions=12_000, base_rate=0.08)


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return {name: run(SMALL, name, 1) for name in ("personal", "popularity", "random")}


def test_the_personal_policy_captures_more_than_popularity_and_random_nothing(
    results: dict[str, Result],
) -> None:
    capture = {name: result.capture or 0.0 for name, result in results.items()}
    assert capture["personal"] > max(capture["popularity"], 0.2)
    assert capture["random"] == pytest.approx(0, abs=0.03)


def test_a_blend_runs_beside_the_others_and_is_never_liked_better_than_its_best_style(
    results: dict[str, Result],
) -> None:
    blend = run(SMALL, "blend", 1)
    assert results["random"].click_rate < blend.click_rate < blend.best_rate
    assert blend.best_rate == results["personal"].best_rate


def test_a_mix_is_clicked_at_the_geometric_mean_of_what_is_mixed() -> None:
    world = LatentWorld(SMALL, 1)
    chances, styles = np.array([[0.04, 0.01, 0.5]]), np.array([0])
    felt = world.felt(chances, styles, np.array([[0.5, 0.5, 0.0]]))
    np.testing.assert_allclose(felt, [[0.02, 0.01, 0.5]])
    assert world.felt(chances, styles, None) is chances


def test_every_policy_lives_in_the_same_world(results: dict[str, Result]) -> None:
    assert len({result.best_rate for result in results.values()}) == 1
    assert results["random"].random_rate == pytest.approx(SMALL.base_rate, rel=0.1)


def test_the_same_seed_gives_the_same_result() -> None:
    short = replace(SMALL, n_impressions=2_000)
    one, two = (run(short, "personal", 3) for _ in range(2))
    assert replace(one, cpu_seconds=0.0) == replace(two, cpu_seconds=0.0)


def test_another_draw_is_another_life_in_the_same_world() -> None:
    short = replace(SMALL, n_impressions=2_000)
    one, other = (run(short, "personal", 3, draw=draw) for draw in (0, 1))
    assert (other.best_rate, other.random_rate) == (one.best_rate, one.random_rate)
    assert other.click_rate != one.click_rate


def test_where_nothing_matters_nothing_is_lost() -> None:
    null = replace(SMALL, taste=0.0, noise=0.0, popularity=0.0, category=0.0, n_impressions=2_000)
    result = run(null, "personal", 1)
    assert result.click_rate == pytest.approx(result.random_rate, rel=1e-9)
    assert result.capture is None


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_keeps_its_base_rate_and_runs(world: str) -> None:
    small = replace(WORLDS[world], n_shoppers=200, n_impressions=1_000)
    result = run(small, "random", 1)
    if not (small.shock or small.position_decay):
        assert result.random_rate == pytest.approx(small.base_rate, rel=0.2)
    assert result.random_rate <= result.best_rate + 1e-12


def test_a_million_served_decisions_are_as_frequent_as_they_say() -> None:
    """Chi-square of style counts against their summed propensities, over policies' own states."""
    world = LatentWorld(replace(SMALL, n_impressions=2_000), 1)
    policy = contestant("personal", world)
    assert isinstance(policy, Online)
    rng, observed, expected = np.random.default_rng(5), np.zeros(8), np.zeros(8)
    for done in range(0, 2_000, 100):
        visits, available = world.visits(done, 100), world.available(done)
        styles = policy.choose(visits, available, rng)
        clicked, _ = world.clicks(world.chances(visits, done), styles)
        policy.learn(visits, styles, clicked, done)
        scores = policy.beliefs.score(policy.views(visits))
        chances = policy.chances(scores, available)
        assert chances.sum(axis=1) == pytest.approx(np.ones(len(chances)), abs=1e-6)
        assert chances[:, available].min() >= 0.03 / 8 - 1e-12
        drawn = sample(np.repeat(chances, 500, axis=0), rng)
        observed += np.bincount(drawn, minlength=8)
        expected += 500 * chances.sum(axis=0)
    assert observed.sum() == 1_000_000
    assert chi2.sf(((observed - expected) ** 2 / expected).sum(), 7) > 1e-3


def test_the_summary_compares_with_the_better_baseline(results: dict[str, Result]) -> None:
    rows = {row["policy"]: row for row in summarise(list(results.values()))}
    assert rows["popularity"]["against_bar"] == 0
    assert rows["personal"]["against_bar"] > 0
    assert rows["personal"]["seeds"] == [1]


def test_the_curves_are_a_picture_of_every_policy(results: dict[str, Result]) -> None:
    picture = draw_curves(list(results.values()), "plain")
    assert picture.startswith("<svg")
    assert picture.count("<polyline") == 3
    assert "nan" not in picture


def test_an_unknown_policy_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=", ".join(NAMES)):
        contestant("psychic", LatentWorld(SMALL, 1))
