"""What every scorer owes the policy, run over each of them."""

from dataclasses import replace

import numpy as np
import pytest

from personalize.errors import FeatureMismatch
from personalize.features import FeatureFrame
from personalize.models import Believer, Popularity, Ranker, Scorer
from personalize.retrain.training import Examples


@pytest.fixture(params=["popularity", "online", "ranker"])
def scorer(request: pytest.FixtureRequest, ranker: Ranker) -> Scorer:
    fallbacks: dict[str, Scorer] = {"popularity": Popularity(), "online": Believer()}
    return fallbacks.get(request.param, ranker)


def test_a_score_per_row_finite_and_repeatable(scorer: Scorer, examples: Examples) -> None:
    scores = scorer.score(examples.frame)
    assert scores.shape == (len(examples.frame.values),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, scorer.score(examples.frame))


def test_scores_permute_with_candidates(scorer: Scorer, examples: Examples) -> None:
    order = np.random.default_rng(0).permutation(examples.frame.n_requests)
    np.testing.assert_array_equal(
        scorer.score(examples.frame.take(order)), scorer.score(examples.frame)[order]
    )


def test_a_row_is_scored_by_itself(scorer: Scorer, examples: Examples) -> None:
    some = [5, 17, 401]
    np.testing.assert_array_equal(scorer.score(examples.frame.take(some)), scorer.score(examples.frame)[some])


def test_no_rows_give_no_scores(scorer: Scorer, examples: Examples) -> None:
    assert scorer.score(examples.frame.take([])).shape == (0,)


def test_a_frame_of_other_columns_is_refused_by_name(scorer: Scorer, examples: Examples) -> None:
    needed = "category_style_rate" if isinstance(scorer, Popularity) else "belief"
    kept = [name != needed for name in examples.frame.names]
    names = tuple(name for name in examples.frame.names if name != needed)
    frame = replace(examples.frame, values=examples.frame.values[:, kept], names=names)
    with pytest.raises(FeatureMismatch, match=needed):
        scorer.score(frame)


def test_scores_are_about_log_odds_of_a_click(scorer: Scorer, examples: Examples) -> None:
    mean = (1 / (1 + np.exp(-scorer.score(examples.frame)))).mean()
    assert 0.3 < mean / (examples.relevance > 0).mean() < 3


def test_every_scorer_names_its_version(scorer: Scorer) -> None:
    assert 0 < len(scorer.model_version) <= 64


def test_a_style_that_is_clicked_more_is_more_popular(examples: Examples) -> None:
    frame = first(examples.frame, 2)
    values = frame.values.copy()
    values[:, frame.names.index("category_style_rate")] = [0.1, 0.02]
    scores = Popularity().score(replace(frame, values=values))
    assert scores == pytest.approx([np.log(0.1 / 0.9), np.log(0.02 / 0.98)], rel=1e-5)


def first(frame: FeatureFrame, n: int) -> FeatureFrame:
    return frame.take(list(range(n)))
