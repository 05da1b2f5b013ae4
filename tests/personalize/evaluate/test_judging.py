"""One case's metrics, against every order of tied entries and against scikit-learn."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from personalize.evaluate.judging import judge_case, mean_of


def over_all_orders(scores: np.ndarray, relevant: np.ndarray, k: int) -> tuple[float, float]:
    """NDCG@k and recall@k averaged over all orders of the entries that the scores allow."""
    ndcg, recall = [], []
    discount = 1 / np.log2(np.arange(len(scores)) + 2)
    best = discount[: min(k, relevant.sum())].sum()
    for order in permutations(range(len(scores))):
        if all(scores[a] >= scores[b] for a, b in pairwise(order)):
            hits = relevant[list(order)][:k]
            ndcg.append((hits * discount[:k]).sum() / best)
            recall.append(hits.sum() / relevant.sum())
    return float(np.mean(ndcg)), float(np.mean(recall))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6).filter(
        lambda rows: any(relevant for _, relevant in rows)
    ),
    st.integers(1, 7),
)
def test_ties_count_as_the_mean_over_all_orders(rows: list[tuple[int, bool]], k: int) -> None:
    scores = np.array([score for score, _ in rows], dtype=float)
    relevant = np.array([is_relevant for _, is_relevant in rows])
    got = judge_case(scores, relevant, k)
    assert (got.ndcg, got.recall) == pytest.approx(over_all_orders(scores, relevant, min(k, len(scores))))
    assert 0 <= got.hit <= 1 + 1e-12


@pytest.mark.parametrize("levels", [3, 1000])
def test_auc_and_ndcg_are_scikit_learns(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for _ in range(20):
        scores = rng.integers(levels, size=40).astype(float)
        relevant = rng.random(40) < 0.2
        relevant[:2] = True, False
        got = judge_case(scores, relevant, 10)
        assert got.auc == pytest.approx(roc_auc_score(relevant, scores))
        assert got.ndcg == pytest.approx(ndcg_score([relevant], [scores], k=10))


def test_relevant_entries_may_be_given_by_number() -> None:
    scores = np.array([0.1, 0.9, 0.5])
    assert judge_case(scores, np.array([2]), 2) == judge_case(scores, np.array([False, False, True]), 2)


def test_a_case_with_nothing_but_relevant_entries_has_no_auc() -> None:
    got = judge_case(np.array([1.0, 2.0]), np.array([True, True]), 1)
    assert np.isnan(got.auc)
    assert (got.ndcg, got.recall, got.hit) == (1.0, 0.5, 1.0)


def test_intervals_widen_with_the_number_of_comparisons_and_cover() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        values = rng.random(50)
        one, many = mean_of(values), mean_of(values, n_comparisons=10)
        assert many.low < one.low < one.value < one.high < many.high
        covered += one.low < 0.5 < one.high
    assert covered / 400 == pytest.approx(0.95, abs=0.03)


def test_nothing_and_one_user_have_no_interval() -> None:
    assert mean_of(np.array([np.nan])).value is None
    assert (mean_of(np.array([0.5])).value, mean_of(np.array([0.5])).low) == (0.5, None)
