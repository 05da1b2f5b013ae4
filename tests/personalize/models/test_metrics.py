"""Ranking metrics: by hand, against scikit-learn, and as properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import ndcg_score

from personalize.models.metrics import log_loss, ndcg, recall, reciprocal_rank

GROUPS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=8), min_size=1, max_size=6
)


def arrays(drawn: list[list[tuple[int, int]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores = np.array([float(score) for group in drawn for score, _ in group])
    relevance = np.array([label for group in drawn for _, label in group])
    return scores, relevance, np.array([len(group) for group in drawn])


def test_ndcg_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    relevance = np.array([1, 0, 2, 0])
    dcg = 1 + 3 / np.log2(4)
    best = 3 + 1 / np.log2(3)
    assert ndcg(scores, relevance, np.array([4]), k=4)[0] == pytest.approx(dcg / best)
    assert ndcg(scores, relevance, np.array([4]), k=2)[0] == pytest.approx(1 / best)


def test_mrr_and_recall_by_hand() -> None:
    scores = np.array([5.0, 4.0, 3.0, 2.0, 9.0, 1.0])
    relevance = np.array([0, 0, 1, 2, 0, 1])
    sizes = np.array([4, 2])
    assert reciprocal_rank(scores, relevance, sizes).tolist() == pytest.approx([1 / 3, 1 / 2])
    assert recall(scores, relevance, sizes, k=3).tolist() == [0.5, 1.0]


def test_a_group_without_a_click_says_nothing() -> None:
    zero = np.zeros(3, dtype=int)
    for values in (
        ndcg(np.arange(3.0), zero, np.array([3]), k=3),
        reciprocal_rank(np.arange(3.0), zero, np.array([3])),
        recall(np.arange(3.0), zero, np.array([3]), k=3),
    ):
        assert np.isnan(values).all()


def test_a_scorer_that_knows_nothing_gets_the_mean_over_all_orders() -> None:
    first, last = np.array([1, 0, 0, 0]), np.array([0, 0, 0, 1])
    for metric in (
        lambda relevance: ndcg(np.zeros(4), relevance, np.array([4]), k=2)[0],
        lambda relevance: reciprocal_rank(np.zeros(4), relevance, np.array([4]))[0],
        lambda relevance: recall(np.zeros(4), relevance, np.array([4]), k=1)[0],
    ):
        assert metric(first) == metric(last) < 1


@settings(max_examples=30, deadline=None)
@given(GROUPS)
def test_ndcg_agrees_with_a_second_implementation(drawn: list[list[tuple[int, int]]]) -> None:
    scores, relevance, sizes = arrays(drawn)
    ours = ndcg(scores, relevance, sizes, k=5)
    start = 0
    for value, size in zip(ours, sizes, strict=True):
        rows = slice(start, start + size)
        start += size
        if size > 1 and relevance[rows].any():
            theirs = ndcg_score([2.0 ** relevance[rows] - 1], [scores[rows]], k=5)
            assert value == pytest.approx(theirs)


@settings(max_examples=30, deadline=None)
@given(GROUPS)
def test_metrics_stay_between_0_and_1(drawn: list[list[tuple[int, int]]]) -> None:
    scores, relevance, sizes = arrays(drawn)
    for values in (
        ndcg(scores, relevance, sizes, k=3),
        reciprocal_rank(scores, relevance, sizes),
        recall(scores, relevance, sizes, k=3),
    ):
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1 + 1e-12)).all()


def test_the_perfect_order_has_ndcg_1() -> None:
    relevance = np.array([0, 2, 1, 0, 1])
    assert ndcg(relevance.astype(float), relevance, np.array([5]), k=5)[0] == pytest.approx(1)


def test_log_loss_is_that_of_the_probabilities() -> None:
    log_odds = np.array([-3.0, 0.2, 40.0, -40.0])
    clicked = np.array([True, False, True, False])
    probabilities = 1 / (1 + np.exp(-log_odds))
    assert log_loss(log_odds, clicked).mean() == pytest.approx(sklearn_log_loss(clicked, probabilities))


def test_metrics_refuse_rows_that_do_not_fill_their_groups() -> None:
    with pytest.raises(ValueError, match="expected scores and relevance of 5 rows"):
        ndcg(np.zeros(4), np.zeros(4, dtype=int), np.array([3, 2]), k=3)
