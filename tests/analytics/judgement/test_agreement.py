"""Agreement: a published worked example, limits by hand, and rank correlation against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analytics.judgement import (
    Pairs,
    Scores,
    agreement_on_pairs,
    agreement_on_scores,
    krippendorff_alpha,
    rank_agreement,
    simulate_scores,
)

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), part C: four observers, twelve units
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)
JUDGED = [(u, v) for row in OBSERVERS for u, v in enumerate(row) if v is not None]
UNIT, VALUE = (np.array(column) for column in zip(*JUDGED, strict=True))


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("interval", 0.849)])
def test_alpha_is_that_of_the_published_example(level: str, published: float) -> None:
    found = krippendorff_alpha(UNIT, VALUE, level=level)  # type: ignore[arg-type]
    assert found.value == pytest.approx(published, abs=0.0005)
    assert found.n_units == 11  # the twelfth was judged once
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_low < published < found.ci_high


def test_full_agreement_is_one_and_chance_is_about_zero() -> None:
    assert krippendorff_alpha(np.repeat(range(9), 2), np.repeat(range(9), 2), level="interval").value == 1.0
    rng = np.random.default_rng(0)
    guessed = krippendorff_alpha(np.repeat(range(4000), 2), rng.integers(1, 6, 8000), level="nominal")
    assert guessed.value == pytest.approx(0.0, abs=0.03)
    assert guessed.ci_low is not None
    assert guessed.ci_high is not None
    assert guessed.ci_low < 0 < guessed.ci_high


def test_what_cannot_agree_or_disagree_says_why() -> None:
    once = krippendorff_alpha(np.array([1, 2]), np.array([1, 2]), level="nominal")
    assert (once.value, once.why_none) == (None, "nothing was judged twice")
    same = krippendorff_alpha(np.array([1, 1]), np.array([3, 3]), level="interval")
    assert "all judgements are the same" in str(same.why_none)
    assert agreement_on_pairs(Pairs(np.array(["a"]), np.array(["b"]), np.array([1.0]))).why_none


def test_a_pair_agrees_whichever_side_it_was_shown_on() -> None:
    left, right = np.array(["a", "b", "a", "c"]), np.array(["b", "a", "c", "a"])
    rater = np.array(["x", "y", "x", "y"])
    alike = agreement_on_pairs(Pairs(left, right, np.array([1.0, 0.0, 0.0, 1.0]), rater))
    assert alike.value == 1.0
    apart = agreement_on_pairs(Pairs(left, right, np.array([1.0, 1.0, 0.0, 0.0]), rater))
    assert apart.value is not None
    assert apart.value < 0


def test_a_rater_who_changes_their_mind_counts_once() -> None:
    style, rater = np.array(["a", "a", "a", "b", "b"]), np.array(["x", "x", "y", "x", "y"])
    scores = Scores(style, rater, np.array([1.0, 5.0, 5.0, 2.0, 2.0]))
    assert agreement_on_scores(scores).value == 1.0


def test_raters_of_one_taste_agree_more() -> None:
    levels = {"a": 1.5, "b": 3.0, "c": 4.5}
    together, apart = (
        agreement_on_scores(
            simulate_scores(np.random.default_rng(3), levels, n_raters=40, severity=s, spread=s, noise=0.3)
        ).value
        for s in (0.1, 1.5)
    )
    assert together is not None
    assert apart is not None
    assert together > 0.9 > 0.6 > apart


def test_rank_correlation_is_scipys_with_ties_too() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 6, 30).astype(float), rng.normal(size=30)
    names = [f"style-{i}" for i in range(30)]
    found = rank_agreement(dict(zip(names, x, strict=True)), dict(zip(names, y, strict=True)) | {"more": 1.0})
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
    assert found.n_units == 30
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert -1 < found.ci_low < found.value < found.ci_high < 1  # type: ignore[operator]


def test_rank_correlation_of_too_little_says_why() -> None:
    assert "takes at least 4" in str(rank_agreement({"a": 1.0, "b": None}, {"a": 2.0, "b": 1.0}).why_none)
    flat = dict.fromkeys("abcd", 1.0)
    assert "all styles are equal" in str(
        rank_agreement(flat, dict(zip("abcd", range(4), strict=True))).why_none
    )
    rising = dict(zip("abcd", range(4), strict=True))
    assert rank_agreement(rising, rising).value == 1.0
