"""LambdaRank on a prior: deterministic, additive, and better than where it started."""

from dataclasses import replace

import numpy as np
import pytest

from personalize.features import FeatureFrame
from personalize.models import Ranker
from personalize.models.boosting import (
    FALLING,
    RISING,
    BoostingSettings,
    TrainingRows,
    grow_trees,
    grow_until_useless,
    telling,
)
from personalize.models.calibration import AS_IS
from personalize.models.metrics import ndcg
from personalize.models.prior import prior_log_odds
from personalize.models.reasons import FEATURE_WORDS
from personalize.retrain.training import Examples, by_slate

SETTINGS = BoostingSettings(min_rows_per_leaf=30)


def test_the_same_rows_and_seed_give_the_same_model(examples: Examples, ranker: Ranker) -> None:
    assert grow_trees(by_slate(examples), SETTINGS, n_trees=20, seed=7) == ranker.model_text


def test_a_score_is_the_calibrated_prior_plus_the_trees(examples: Examples, ranker: Ranker) -> None:
    frame = examples.frame
    expected = -0.4 + 0.8 * (prior_log_odds(frame) + ranker.tree_scores(frame))
    np.testing.assert_allclose(ranker.score(frame), expected)


def test_trees_never_hold_a_click_against_a_style(examples: Examples, ranker: Ranker) -> None:
    rows = examples.frame.take(list(range(200)))
    for names, sign in ((RISING, 1), (FALLING, -1)):
        for name in names:
            column = rows.names.index(name)
            raised = rows.values.copy()
            raised[:, column] = np.nan_to_num(raised[:, column]) + 5
            lowered = raised.copy()
            lowered[:, column] -= 4
            gain = ranker.tree_scores(replace(rows, values=raised)) - ranker.tree_scores(
                replace(rows, values=lowered)
            )
            assert (sign * gain >= -1e-12).all(), name


def test_trees_learn_what_the_prior_does_not_know() -> None:
    """A shop where what was seen lately is never clicked, which no prior believes."""
    rng = np.random.default_rng(0)
    rows = planted(rng, 600)
    watched = planted(rng, 200)
    text, n_trees = grow_until_useless(rows, watched, SETTINGS, seed=1)
    ranker = Ranker("planted", text, AS_IS)
    assert n_trees > 20
    assert max(ranker.importances(), key=ranker.importances().__getitem__) == "hours_since_shown"
    before = ndcg(prior_log_odds(watched.frame), watched.relevance, watched.group_sizes, k=5)
    after = ndcg(ranker.score(watched.frame), watched.relevance, watched.group_sizes, k=5)
    assert np.nanmean(after) > np.nanmean(before) + 0.2


def test_trees_stop_at_once_where_there_is_nothing_to_learn() -> None:
    rng = np.random.default_rng(2)
    rows, watched = planted(rng, 600), planted(rng, 200)
    shuffled = replace(rows, relevance=rng.permutation(rows.relevance))
    _, n_trees = grow_until_useless(
        shuffled, replace(watched, relevance=rng.permutation(watched.relevance)), SETTINGS, seed=1
    )
    assert n_trees < 20


def planted(rng: np.random.Generator, n_slates: int) -> TrainingRows:
    names = tuple(FEATURE_WORDS)
    n = n_slates * 8
    values = rng.random((n, len(names))).astype(np.float32)
    values[:, names.index("belief")] = -3 + rng.normal(0, 0.1, n)
    hours = rng.choice([1.0, 100.0], n).astype(np.float32)
    values[:, names.index("hours_since_shown")] = hours
    clicked = (rng.random(n) < np.where(hours > 50, 0.3, 0.02)).astype(np.int64)
    frame = FeatureFrame(values, names, ("s",), np.zeros((n, 1), dtype=np.int64))
    return TrainingRows(
        frame, clicked, np.tile(np.arange(8), n_slates), np.arange(n) // 8, np.full(n_slates, 8)
    )


def test_rows_that_do_not_fill_their_groups_are_refused(examples: Examples) -> None:
    with pytest.raises(ValueError, match="groups of 3 rows"):
        replace(by_slate(examples), group_sizes=np.array([3]))


def test_every_feature_has_words(examples: Examples) -> None:
    assert set(FEATURE_WORDS) == set(examples.frame.names)


def test_pages_without_a_click_teach_no_order_and_are_left_out(examples: Examples) -> None:
    rows = by_slate(examples)
    told = telling(rows)
    pages = np.split(rows.relevance, np.cumsum(rows.group_sizes)[:-1])
    kept = [page for page in pages if len(set(page.tolist())) > 1]
    assert 0 < len(kept) < len(pages)
    assert told.relevance.tolist() == np.concatenate(kept).tolist()
    assert told.group_sizes.tolist() == [len(page) for page in kept]
    assert told.position.shape == told.user.shape == told.relevance.shape
