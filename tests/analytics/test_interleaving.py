"""Team-draft interleaving: fair lists, the same in every process, and an honest reading."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import compare
from analytics.interleaving import Credits, compare_interleaved, team_draft
from analytics.simulate_rankers import RankerWorld, simulate_interleaved, simulate_split

rankings = st.lists(st.sampled_from("abcdefghij"), unique=True)


@given(rankings, rankings, st.text(max_size=8), st.none() | st.integers(0, 12))
def test_a_draft_holds_the_best_of_both_and_each_item_once(
    a: list[str], b: list[str], key: str, length: int | None
) -> None:
    draft = team_draft(a, b, key=key, length=length)
    assert len(draft.items) == len(draft.teams) == len(set(draft.items))
    everything = set(a) | set(b)
    assert len(draft.items) == min(len(everything) if length is None else length, len(everything))
    for ranking, team in ((a, "a"), (b, "b")):
        chosen = [item for item, of in zip(draft.items, draft.teams, strict=True) if of == team]
        assert chosen == [item for item in ranking if item in chosen]


@given(rankings, rankings, st.text(max_size=8))
def test_no_team_is_ever_more_than_one_choice_ahead_while_both_can_choose(
    a: list[str], b: list[str], key: str
) -> None:
    size = min(len(a), len(b))
    draft = team_draft(a, b, key=key, length=size)
    counts = Counter(team for team in draft.teams if team)
    assert abs(counts["a"] - counts["b"]) <= 1


def test_what_both_put_first_earns_nobody_credit() -> None:
    draft = team_draft(["x", "y", "p", "q"], ["x", "y", "q", "p"], key="k")
    assert draft.items[:2] == ("x", "y")
    assert draft.teams[:2] == (None, None)
    assert set(draft.teams[2:]) == {"a", "b"}
    assert set(team_draft(list("xyz"), list("xyz"), key="k").teams) == {None}


def test_a_draft_is_the_same_in_every_process() -> None:
    a, b = [f"i{n}" for n in range(9)], [f"i{n}" for n in reversed(range(9))]
    code = (
        f"from analytics.interleaving import team_draft; print(team_draft({a}, {b}, key='salt:ädä:7').items)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert said == [str(team_draft(a, b, key="salt:ädä:7").items)] * 2


def test_the_first_place_goes_to_either_ranker_equally_often() -> None:
    drafts = [team_draft(["x", "y"], ["y", "x"], key=f"request-{n}") for n in range(10_000)]
    first = Counter(draft.teams[0] for draft in drafts)
    assert first["a"] == pytest.approx(5000, abs=200)  # four standard errors


def test_long_lists_do_not_run_out_of_coins() -> None:
    n = 2500
    draft = team_draft(list(range(n)), list(range(n, 2 * n)), key="long")
    assert len(draft.items) == 2 * n
    leads = list(draft.teams[::2])
    assert leads.count("a") == pytest.approx(n / 2, abs=100)


def test_what_is_no_ranking_is_refused() -> None:
    with pytest.raises(ValueError, match="an item twice"):
        team_draft(["x", "x"], ["y"], key="k")
    with pytest.raises(ValueError, match="0 or more"):
        team_draft(["x"], ["y"], key="k", length=-1)


def test_the_reading_is_the_delta_method_by_hand() -> None:
    credits_ = Credits(np.arange(5), np.array([0, 1, 0, 1, 0]), np.array([2, 1, 3, 0, 0]))
    result = compare_interleaved(credits_)
    d, n = np.array([2, 0, 3, -1]), np.array([2, 2, 3, 1])
    residual = d - 0.5 * n
    error = np.sqrt(residual @ residual / 3 * 4) / n.sum()
    assert result.n_users == 4  # one never clicked
    assert result.preference == 0.5
    assert result.share_b == 0.75
    assert result.standard_error == pytest.approx(error)


def test_credits_from_clicks_leave_out_items_without_a_team() -> None:
    user = np.array(["ada", "ada", "bob", "ada", "eve"])
    team = np.array(["a", "b", "b", "", "shared"])
    credits_ = Credits.of(user, team)
    assert credits_.user.tolist() == ["ada", "bob", "eve"]
    assert credits_.clicks_a.tolist() == [1, 0, 0]
    assert credits_.clicks_b.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("clicks_a", "clicks_b", "reason"),
    [
        ([], [], "nobody clicked"),
        ([0, 0], [0, 0], "nobody clicked"),
        ([1], [0], "one user alone"),
        ([0, 0, 0], [2, 1, 4], "split their clicks alike"),
    ],
)
def test_too_little_says_why(clicks_a: list[int], clicks_b: list[int], reason: str) -> None:
    credits_ = Credits(np.arange(len(clicks_a)), np.array(clicks_a, int), np.array(clicks_b, int))
    result = compare_interleaved(credits_)
    assert reason in str(result.why_none)
    assert result.p is None
    assert reason in result.conclusion
    json.dumps(result.to_dict(), allow_nan=False)


def test_credits_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Credits(np.arange(1), np.array([-1]), np.array([0]))
    with pytest.raises(ValueError, match="one value per user"):
        Credits(np.arange(2), np.array([1]), np.array([0]))
    with pytest.raises(ValueError, match="alpha"):
        compare_interleaved(Credits(np.arange(1), np.array([1]), np.array([0])), alpha=1.0)


def test_equal_rankers_are_told_apart_as_often_as_alpha_says() -> None:
    equal = replace(RankerWorld(), noise_b=RankerWorld().noise_a, n_items=20)
    runs = 300
    found = 0
    for seed in range(runs):
        result = compare_interleaved(
            simulate_interleaved(np.random.default_rng(seed), 250, equal, salt=f"aa-{seed}")
        )
        found += result.p is not None and result.p < 0.05
    assert 0.02 < found / runs < 0.085


def test_the_better_ranker_shows_more_clearly_than_in_a_split_of_as_many_users() -> None:
    better = replace(RankerWorld(), noise_b=0.3)
    interleaved = compare_interleaved(simulate_interleaved(np.random.default_rng(1), 3000, better))
    split = compare(simulate_split(np.random.default_rng(1), 3000, better), control="a")["b"]
    assert interleaved.p is not None
    assert interleaved.preference is not None
    assert interleaved.p < 0.001
    assert interleaved.preference > 0
    assert interleaved.conclusion.startswith("B is the better ranker")
    assert split.p is not None
    assert split.p > interleaved.p
