"""Open showings against a dict of rows, whatever is done to them in whatever order."""

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.features.showings import BLOCK, OpenShowings

Steps = list[tuple[str, int, int]]


def blank() -> OpenShowings:
    return OpenShowings(at_us=0, user=7, groups=np.array([-1]), is_clicked=False)


def rows_of(showings: OpenShowings) -> list[tuple[Any, ...]]:
    groups = [tuple(n for n in row if n >= 0) for row in showings["groups"].tolist()]
    names = ("at_us", "user", "is_clicked")
    return [*zip(*(showings[name].tolist() for name in names), groups, strict=True)]


STEP = st.tuples(st.sampled_from(["add", "go", "drop", "click"]), st.integers(1, 150), st.integers(0, 4))


@given(st.lists(STEP, max_size=25))
def test_they_hold_what_a_dict_of_rows_would(steps: Steps) -> None:
    showings, expected, made = blank(), {}, 0
    for step, n, width in steps:
        if step == "add":
            ids = [f"i-{made + k}" for k in range(n)]
            user, groups = np.arange(n) % 5, np.tile(np.arange(width), (n, 1))
            at_us = np.arange(made, made + n)
            showings.add(ids, at_us=at_us, user=user, groups=groups)
            for k, one in enumerate(ids):
                expected[one] = [made + k, k % 5, False, tuple(range(width))]
            made += n
        elif step == "go":
            showings.let_go_before(made - n)
            expected = {one: row for one, row in expected.items() if row[0] >= made - n}
        elif step == "drop":
            showings.drop(showings["user"] == width)
            expected = {one: row for one, row in expected.items() if row[1] != width}
        else:
            row = showings.find(f"i-{made - n}")
            assert (row is None) == (f"i-{made - n}" not in expected)
            if row is not None:
                showings["is_clicked"][row] = True
                expected[f"i-{made - n}"][2] = True
        assert len(showings) == len(expected)
        assert rows_of(showings) == [tuple(row) for row in expected.values()]
        assert [showings.find(one) for one in expected] == [*range(len(expected))]


def test_values_that_are_not_given_are_blank_also_where_other_rows_were() -> None:
    showings = blank()
    showings.add(
        ["a", "b"], user=np.array([1, 2]), groups=np.array([[3, 4], [5, 6]]), is_clicked=np.ones(2, bool)
    )
    showings.drop(np.array([False, True]))
    showings.add(["c"], groups=np.zeros((1, 0), dtype=np.int64))
    assert rows_of(showings) == [(0, 1, True, (3, 4)), (0, 7, False, ())]


def test_only_the_first_of_an_id_is_fresh() -> None:
    showings = blank()
    showings.add(["b"])
    assert showings.fresh(["a", "b", "c", "a", "d", "b"]) == [0, 2, 4]
    assert "b" in showings
    assert "a" not in showings


@pytest.mark.parametrize("n", [1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_a_row_out_of_order_holds_those_behind_it(n: int) -> None:
    showings = blank()
    at_us = np.arange(n + 1)
    at_us[-1] = -5
    showings.add([f"i-{k}" for k in range(n + 1)], at_us=at_us)
    showings.let_go_before(n - 1)
    assert showings["at_us"].tolist() == [n - 1, -5]
    showings.let_go_before(n)
    assert len(showings) == 0


def test_the_collector_has_nothing_to_look_through() -> None:
    showings = blank()
    gc.collect()
    before = len(gc.get_objects())
    showings.add([f"i-{k}" for k in range(5_000)], at_us=np.arange(5_000))
    assert len(gc.get_objects()) - before < 50
