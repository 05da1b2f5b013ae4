"""Opinion scores: the same as least squares elsewhere, severity taken out, honest intervals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.errors import UnknownStyle
from analytics.judgement import Scores, opinions, simulate_scores

LEVELS = {"acrylic": 3.0, "batik": 3.4, "chalk": 2.2}


def scores_of(*rows: tuple[str, str, float]) -> Scores:
    style, rater, score = zip(*rows, strict=True)
    return Scores(np.array(style), np.array(rater), np.array(score, dtype=float))


def test_levels_and_errors_are_those_of_a_second_library() -> None:
    """Nine raters, so that the errors come from the residuals: an OLS with both factors."""
    scores = simulate_scores(np.random.default_rng(1), LEVELS, n_raters=9)
    frame = pd.DataFrame({"style": scores.style, "rater": scores.rater, "score": scores.score})
    fit = smf.ols("score ~ C(style) + C(rater)", frame).fit()
    raters = sorted(set(scores.rater))
    result = opinions(scores)
    for name in LEVELS:
        rows = np.array([row_of(fit.params.index, name, rater) for rater in raters])
        at_average = fit.t_test(rows.mean(axis=0))
        assert result[name].score == pytest.approx(float(np.squeeze(at_average.effect)), rel=1e-9)
        assert result[name].standard_error == pytest.approx(float(np.squeeze(at_average.sd)), rel=1e-9)
        low, high = np.squeeze(at_average.conf_int())
        assert (result[name].ci_low, result[name].ci_high) == pytest.approx((low, high), rel=1e-9)


def row_of(terms: pd.Index, style: str, rater: str) -> list[float]:
    wanted = {"Intercept", f"C(style)[T.{style}]", f"C(rater)[T.{rater}]"}
    return [float(term in wanted) for term in terms]


def test_differences_clustered_by_rater_are_those_of_a_second_library() -> None:
    scores = simulate_scores(np.random.default_rng(2), LEVELS, n_raters=40)
    frame = pd.DataFrame({"style": scores.style, "rater": scores.rater, "score": scores.score})
    groups = frame["rater"].astype("category").cat.codes
    options = {"cov_type": "cluster", "cov_kwds": {"groups": groups, "use_correction": False}}
    fit = smf.ols("score ~ C(style) + C(rater)", frame).fit(**options)
    row = row_of(fit.params.index, "batik", "") - np.array(row_of(fit.params.index, "chalk", ""))
    expected = fit.t_test(row)
    [difference] = [one for one in opinions(scores).differences if one.second == "chalk"]
    assert difference.first == "batik"
    assert difference.difference == pytest.approx(float(np.squeeze(expected.effect)), rel=1e-9)
    assert difference.standard_error == pytest.approx(
        float(np.squeeze(expected.sd)) * np.sqrt(40 / 39), rel=1e-6
    )


def test_a_severe_rater_does_not_drag_a_style_down() -> None:
    """Worked by hand: y always gives two less, and saw b more often."""
    result = opinions(
        scores_of(("a", "x", 4), ("b", "x", 5), ("a", "y", 2), ("b", "y", 3), ("b", "y", 3), ("b", "y", 3))
    )
    assert result["b"].mean == pytest.approx(3.5)
    assert result["b"].score - result["a"].score == pytest.approx(1.0)
    assert (result["a"].score, result["b"].score) == pytest.approx((3.0, 4.0))
    assert result.severity == pytest.approx({"x": 1.0, "y": -1.0})
    assert result["a"].why_none == "all scores agree, so there is no error to state"


@pytest.mark.parametrize("n_raters", [12, 60])
def test_intervals_hold_for_other_raters_too(n_raters: int) -> None:
    """The level that raters in general would give lies in 95 % of the intervals."""
    runs = 400
    inside = 0
    for seed in range(runs):
        scores = simulate_scores(np.random.default_rng(seed), LEVELS, n_raters=n_raters)
        batik = opinions(scores)["batik"]
        assert batik.ci_low is not None
        assert batik.ci_high is not None
        inside += batik.ci_low <= LEVELS["batik"] <= batik.ci_high
    assert 0.92 < inside / runs < 0.98


def test_raters_who_saw_one_style_each_give_plain_means_and_a_note() -> None:
    result = opinions(scores_of(("a", "x", 4), ("a", "y", 2), ("b", "z", 5), ("b", "w", 3)))
    assert (result["a"].score, result["b"].score) == (3.0, 4.0)
    assert result.severity == {}
    assert "cannot be told from poor styles" in result.conclusion


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([*"uvwxyz", *"UVWXYZ"]), st.integers(1, 5)),
        max_size=30,
    )
)
def test_any_scores_give_finite_numbers_or_a_reason(rows: list[tuple[str, str, int]]) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    scores = Scores(np.array(columns[0], str), np.array(columns[1], str), np.array(columns[2], float))
    result = opinions(scores)
    json.dumps(result.to_dict(), allow_nan=False)
    assert result.conclusion
    for one in result.styles.values():
        assert (one.ci_low is None) == (one.why_none is not None)
    for difference in result.differences:
        assert (difference.p is None) == (difference.why_none is not None)


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        scores_of(("a", "x", float("nan")))
    with pytest.raises(ValueError, match="one value per score"):
        Scores(np.array(["a"]), np.array(["x"]), np.array([1.0, 2.0]))
    with pytest.raises(UnknownStyle):
        opinions(scores_of(("a", "x", 1)))["b"]
