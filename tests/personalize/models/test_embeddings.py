"""Towers: histories as of a moment, the same bits again, and a taste found that popularity cannot know."""

import numpy as np
import pytest

from personalize.features.runs import Floats, Ints
from personalize.models.embeddings import MAX_HISTORY, Likes, Towers, TowerSettings

HALF_LIFE_US = 1e6
NO_LOOKS: Floats = np.zeros((6, 0))


def likes_of(user: list[int], style: list[int], at_us: list[int]) -> Likes:
    return Likes.of(*(np.array(column) for column in (user, style, at_us)), np.ones(len(user)))


def test_a_history_is_what_was_liked_strictly_before_and_fades() -> None:
    likes = likes_of([1, 0, 1, 1], [2, 5, 3, 4], [0, 0, 1_000_000, 2_000_000])
    histories = likes.before(np.array([1, 0, 7]), np.array([2_000_000, 0, 9]), HALF_LIFE_US)
    assert histories.length.tolist() == [2, 0, 0]
    assert histories.style.tolist() == [2, 3]
    assert histories.weight == pytest.approx(np.array([0.25, 0.5]) / np.sqrt(3))


def test_of_a_long_history_the_latest_are_looked_at() -> None:
    n = MAX_HISTORY + 9
    likes = likes_of([0] * n, list(range(n)), list(range(n)))
    histories = likes.before(np.array([0]), np.array([n]), HALF_LIFE_US)
    assert histories.style.tolist() == list(range(9, n))


def test_histories_can_be_taken_in_any_order() -> None:
    likes = likes_of([0, 0, 1, 2], [0, 1, 2, 3], [0, 1, 0, 0])
    histories = likes.before(np.arange(4), np.full(4, 9), HALF_LIFE_US)
    taken = histories.take(np.array([3, 0, 2]))
    assert taken.length.tolist() == [0, 2, 1]
    assert taken.style.tolist() == [0, 1, 3]


def liked_in_pairs(rng: np.random.Generator, n: int = 600) -> tuple[Likes, Ints, Ints, Ints]:
    """Users who like one of two styles (0 or 1, 2 or 3, 4 or 5) like the other next; all are as popular."""
    first = rng.integers(6, size=n)
    user = np.repeat(np.arange(n), 2)
    style = np.stack([first, first ^ 1], axis=1).ravel()
    at_us = np.tile([0, 1], n)
    return Likes.of(user, style, at_us, np.ones(2 * n)), user, style, at_us


def fitted(*, shown: bool, seed: int = 0, looks: Floats = NO_LOOKS) -> tuple[Towers, Likes]:
    rng = np.random.default_rng(1)
    likes, user, style, at_us = liked_in_pairs(rng)
    weight = np.ones(len(style))
    if shown:  # beside each like another style that came to nothing
        other = (style + 2 * rng.integers(1, 3, size=len(style))) % 6
        user, at_us = np.tile(user, 2), np.tile(at_us, 2)
        style, weight = np.append(style, other), np.append(weight, 0 * weight)
    histories = likes.before(user, at_us, HALF_LIFE_US)
    return Towers(histories, style, weight, looks, TowerSettings(epochs=8, batch=64), seed=seed), likes


@pytest.mark.parametrize("shown", [False, True])
def test_what_is_liked_together_is_found_with_and_without_impressions(shown: bool) -> None:
    towers, likes = fitted(shown=shown)
    after_one = likes.before(np.arange(600), np.ones(600, dtype=np.int64), HALF_LIFE_US)
    best = towers.scores(after_one).argmax(axis=1)
    partner = after_one.style ^ 1
    assert (best // 2 == partner // 2).mean() > 0.95


def test_the_same_rows_and_seed_give_the_same_bits_and_another_seed_does_not() -> None:
    one, again, other = (fitted(shown=True, seed=seed)[0].tensors for seed in (0, 0, 1))
    assert all(bool((one[name] == again[name]).all()) for name in one)
    assert not bool((one["W"] == other["W"]).all())


def test_a_style_that_nobody_has_seen_is_placed_by_its_look() -> None:
    looks = np.repeat(np.eye(3), 2, axis=0)
    looks = np.vstack([looks, looks[:1]])  # style 6 looks like 0 and 1
    towers, likes = fitted(shown=False, looks=looks)
    likers = np.flatnonzero((likes.style[::2] < 2) & (likes.at_us[::2] == 0))
    scores = towers.scores(likes.before(likers, np.full(len(likers), 9), HALF_LIFE_US))
    assert (scores[:, 6] > scores[:, 2:6].max(axis=1)).mean() > 0.9
