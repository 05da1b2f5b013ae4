"""Beliefs: what a showing and a click teach, and to whom."""

from dataclasses import replace

import numpy as np
import pytest

from personalize.features.beliefs import BASE_RATE, BeliefPrior, Beliefs, Views
from personalize.features.levels import Level, Spread
from personalize.features.runs import Floats

HALF_LIFE_US = 1e15
SIMILARITY: Floats = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])


def view(user: int, n: int = 1, *, category: int = 0) -> Views:
    full = np.full(n, user), np.full(n, category), np.zeros((n, 0), dtype=np.int64)
    return Views(*full, np.zeros((n, 0)), np.zeros(n, dtype=np.int64))


def beliefs_after(
    user: int, style: int, shown: int, clicked: int, prior: BeliefPrior | None = None
) -> Beliefs:
    beliefs = Beliefs(SIMILARITY, half_life_us=HALF_LIFE_US, prior=prior)
    for number in range(shown):
        seen, styles, position = view(user), np.array([style]), np.zeros(1, dtype=np.int64)
        beliefs.show(seen, beliefs.parts_of(seen, styles), styles, position)
        if number < clicked:
            beliefs.click(seen, styles, position, np.zeros(1, dtype=np.int64))
    return beliefs


def test_a_shop_that_knows_nothing_believes_the_base_rate_of_every_style() -> None:
    scores = Beliefs(SIMILARITY, half_life_us=HALF_LIFE_US).score(view(0))
    assert scores.log_odds[0] == pytest.approx(np.log(BASE_RATE / (1 - BASE_RATE)))
    assert (scores.spread > 0).all()


def test_a_click_speaks_for_the_style_for_what_looks_like_it_and_for_its_user_most() -> None:
    beliefs = beliefs_after(user=1, style=0, shown=4, clicked=2)
    mine, others = beliefs.score(view(1)).parts[3, 0], beliefs.score(view(2)).parts[3, 0]
    assert mine[0] > mine[1] > mine[2]
    assert (others == 0).all()


def test_showings_without_clicks_speak_against_a_style() -> None:
    scores = beliefs_after(user=1, style=0, shown=60, clicked=0).score(view(1)).log_odds[0]
    assert scores[0] < scores[2]


def test_the_spread_of_what_is_known_shrinks_and_that_of_a_new_style_does_not() -> None:
    spread = beliefs_after(user=1, style=0, shown=400, clicked=40).score(view(1)).spread[0]
    assert spread[0] < 0.9 * spread[2]


def test_settling_early_changes_nothing() -> None:
    patient, eager = (Beliefs(SIMILARITY, half_life_us=HALF_LIFE_US) for _ in range(2))
    settled = 0
    for number in range(300):
        seen, styles, position = view(number % 7), np.array([number % 3]), np.zeros(1, dtype=np.int64)
        for beliefs in (patient, eager):
            beliefs.show(seen, beliefs.parts_of(seen, styles), styles, position)
            if number % 5 == 0:
                beliefs.click(seen, styles, position, np.zeros(1, dtype=np.int64))
        settled += eager.is_due
        eager.settle()
        assert not eager.is_due
    assert settled > 3
    assert np.array_equal(patient.score(view(1)).parts, eager.score(view(1)).parts)


def test_the_parts_of_one_style_are_those_of_its_score() -> None:
    beliefs = Beliefs(SIMILARITY, half_life_us=HALF_LIFE_US)
    at = np.arange(60, dtype=np.int64)
    names = [f"user-{number % 5}" for number in at]
    contexts = [{"device": ("phone", "desk")[number % 2]} for number in at]
    views = beliefs.views(names, ["mug", "hat", "bowl"] * 20, contexts, at, learn=True)
    styles = np.arange(60) % 3
    for _ in range(20):
        beliefs.show(views, beliefs.parts_of(views, styles), styles, np.arange(60) % 4)
    beliefs.click(views, styles, np.zeros(60, dtype=np.int64), at)
    parts = beliefs.parts_of(views, styles)
    assert np.array_equal(parts, beliefs.score(views).parts_of(styles))
    assert (np.abs(parts).max(axis=1) > 0).all()


def test_where_nobody_differs_the_tastes_are_no_longer_believed() -> None:
    """Users who click all styles alike, against users of whom each clicks one style alone."""
    alike, unlike = (learned_variance(has_taste=has_taste) for has_taste in (False, True))
    assert alike < 0.5 * unlike


def learned_variance(*, has_taste: bool) -> float:
    rng = np.random.default_rng(0)
    beliefs = Beliefs(SIMILARITY, half_life_us=HALF_LIFE_US)
    users = np.arange(40)
    for _ in range(250):
        styles = rng.integers(3, size=40)
        views = Views(
            users,
            np.zeros(40, dtype=np.int64),
            np.zeros((40, 0), dtype=np.int64),
            np.zeros((40, 0)),
            np.zeros(40, dtype=np.int64),
        )
        position = np.zeros(40, dtype=np.int64)
        beliefs.show(views, beliefs.parts_of(views, styles), styles, position)
        rate = np.where(styles == users % 3, 0.28, 0.01) if has_taste else np.full(40, 0.1)
        hit = np.flatnonzero(rng.random(40) < rate)
        if len(hit):
            beliefs.click(views.take(hit), styles[hit], position[hit], np.zeros(len(hit), dtype=np.int64))
    return float(beliefs.variances["user"][1:].sum())


def test_a_level_s_mean_is_the_gaussian_posterior_by_hand() -> None:
    """One style, prior variance 2, precision 0.5, information 0.3: mean = 2 / (1 + 0.5 * 2) * 0.3."""
    level = Level(np.zeros((1, 1)), Spread(0.0, 0.0, 2.0), HALF_LIFE_US)
    zero = np.zeros(1, dtype=np.int64)
    level.add(zero, zero, zero, precision=np.array([0.5]), information=np.array([0.3]))
    assert level.means(zero, zero)[0, 0] == pytest.approx(0.3)
    assert level.variances_of(zero, zero)[0, 0] == pytest.approx(2 / (1 + 0.5 * 2))
    assert level.means(np.array([7]), zero)[0, 0] == 0, "a group never seen is as expected"


def test_evidence_halves_every_half_life_whenever_it_arrives() -> None:
    zero, later = np.zeros(1, dtype=np.int64), np.array([1000])
    one, other = (Level(np.zeros((1, 1)), Spread(0.0, 0.0, 1.0), 1000.0) for _ in range(2))
    for level, order in ((one, (zero, later)), (other, (later, zero))):
        for at_us in order:
            level.add(zero, zero, at_us, precision=np.array([1.0]), information=np.array([1.0]))
    assert one.evidence(zero) == pytest.approx(1.5)
    assert other.evidence(zero) == pytest.approx(1.5)
    assert one.means(zero, later) == pytest.approx(other.means(zero, later))


def test_a_showing_is_refused_only_as_far_as_its_click_would_have_come() -> None:
    """One lag after it was shown a share 1 - 1 / e counts, and its mean by hand; the variance counts all."""
    zero, lag = np.zeros(1, dtype=np.int64), 1_000_000
    level = Level(np.zeros((1, 1)), Spread(0.0, 0.0, 2.0), 1e15, knows_waiting=True)
    level.lag_us = float(lag)
    level.add(zero, zero, zero, precision=np.array([0.5]), information=np.array([-0.3]))
    seen = 1 - np.exp(-1)
    assert level.means(zero, zero)[0, 0] == pytest.approx(0)
    assert level.means(zero, zero + lag)[0, 0] == pytest.approx(2 / (1 + 2 * 0.5 * seen) * -0.3 * seen)
    assert level.variances_of(zero, zero)[0, 0] == pytest.approx(2 / (1 + 2 * 0.5))


def test_a_new_style_is_not_given_up_while_its_clicks_are_on_their_way() -> None:
    """Clicks of this shop take a day. After an hour's showings of a new style nothing speaks against it."""
    day_us, zero = 86_400_000_000, np.zeros(1, dtype=np.int64)
    beliefs = Beliefs(SIMILARITY, half_life_us=100.0 * day_us)
    for number in range(200):
        seen = replace(view(number % 40), at_us=zero + number * day_us)
        beliefs.show(seen, beliefs.parts_of(seen, zero), zero, zero)
        if number % 10 == 0:
            beliefs.click(seen, zero, zero, seen.at_us + day_us)
    before = beliefs.score(view(99)).parts[0, 0, 2]
    for number in range(60):
        seen = replace(view(number % 40), at_us=zero + 200 * day_us + number * day_us // 1440)
        beliefs.show(seen, beliefs.parts_of(seen, zero + 2), zero + 2, zero)
    after = beliefs.score(view(99)).parts[0, 0, 2]
    assert after > before - 0.15, "60 showings that were refused would cost 0.7"


def test_a_context_of_which_little_is_known_leaves_hope() -> None:
    beliefs = Beliefs(SIMILARITY, half_life_us=HALF_LIFE_US)
    plain = beliefs.score(view(0)).spread
    one = np.ones((1, 1))
    in_context = replace(view(0), contexts=one.astype(np.int64), weights=one)
    assert (beliefs.score(in_context).spread > plain).all()


def test_forgetting_a_user_leaves_what_strangers_get() -> None:
    beliefs = Beliefs(SIMILARITY, half_life_us=HALF_LIFE_US)
    seen = beliefs.views(["ada"], ["mug"], [{}], np.zeros(1, dtype=np.int64), learn=True)
    position = np.zeros(1, dtype=np.int64)
    beliefs.show(seen, beliefs.parts_of(seen, np.array([0])), np.array([0]), position)
    beliefs.click(seen, np.array([0]), position, position)
    beliefs.forget("ada")
    assert (beliefs.score(seen).parts[3] == 0).all()
