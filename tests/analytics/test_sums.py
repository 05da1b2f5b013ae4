"""Sums are exact, add, and do not care about the order of users."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import CTR, Metric, Moments, Sums

counts = st.integers(0, 10**6)
users = st.lists(st.tuples(counts, counts), min_size=0, max_size=30)


def sums_of(pairs: list[tuple[int, int]]) -> Sums:
    y, x = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Sums.of(y, x)


def test_the_six_sums_of_three_users_by_hand() -> None:
    assert Sums.of(np.array([1, 0, 2]), np.array([4, 3, 5])) == Sums(n=3, y=3, x=12, yy=5, xy=14, xx=50)


@given(users, users)
def test_sums_of_two_groups_add(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    assert sums_of(first) + sums_of(second) == sums_of(first + second)


@given(users.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
def test_the_order_of_users_does_not_matter(
    both: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    pairs, shuffled = both
    assert sums_of(pairs) == sums_of(shuffled)


@given(users, users)
def test_moments_add_and_hold_the_sums_of_every_metric(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    def moments(pairs: list[tuple[int, int]]) -> Moments:
        y, x = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return Moments.of({"clicks": y, "impressions": x})

    total = moments(first) + moments(second)
    assert total.sums(CTR) == sums_of(first + second)
    assert total.sums(Metric("clicks", "clicks", "users")) == sums_of([(y, 1) for y, _ in first + second])


def test_squares_beyond_64_bits_stay_exact() -> None:
    huge = np.array([10**15, 10**15 + 1], dtype=np.int64)
    assert Sums.of(huge, huge).yy == 10**30 + (10**15 + 1) ** 2


def test_booleans_count_as_zero_and_one() -> None:
    assert Sums.of(np.array([True, False, True]), np.array([1, 1, 1])).y == 2


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        Sums.of(np.zeros(2), np.zeros(3))
