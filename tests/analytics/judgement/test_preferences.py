"""Bradley-Terry: the same numbers as statsmodels, known answers, and data that carry none."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.errors import UnknownStyle
from analytics.judgement import Pairs, prefer, simulate_pairs

STRENGTHS = {"acrylic": 0.0, "batik": 0.4, "chalk": 0.9, "doodle": -0.6}


def pairs_of(*rows: tuple[str, str, float]) -> Pairs:
    left, right, outcome = zip(*rows, strict=True)
    return Pairs(np.array(left), np.array(right), np.array(outcome))


def oracle_fit(pairs: Pairs, *, has_side: bool, **options: object) -> tuple[pd.Series, pd.DataFrame]:
    """statsmodels' logistic GLM with the first style as the reference."""
    names = pairs.styles
    design = pd.DataFrame(
        {name: (pairs.left == name).astype(float) - (pairs.right == name).astype(float) for name in names[1:]}
    )
    if has_side:
        design["side"] = 1.0
    fit = sm.GLM(pairs.outcome, design, family=sm.families.Binomial()).fit(tol=1e-12, **options)
    return fit.params, fit.cov_params()


@pytest.mark.parametrize("side", [True, False])
def test_strengths_and_errors_are_those_of_a_second_library(side: bool) -> None:
    pairs = simulate_pairs(np.random.default_rng(1), STRENGTHS, n_raters=60, side=0.4, tie_rate=0.1)
    anonymous = Pairs(pairs.left, pairs.right, pairs.outcome)
    preference = prefer(anonymous, side=side)
    values, covariance = oracle_fit(pairs, has_side=side)
    for name in pairs.styles[1:]:
        duel = preference[name, "acrylic"]
        assert duel.difference == pytest.approx(values[name], rel=1e-9)
        assert duel.standard_error == pytest.approx(np.sqrt(covariance.loc[name, name]), rel=1e-6)
    if side:
        assert preference.side is not None
        assert preference.side.log_odds == pytest.approx(values["side"], rel=1e-9)
        assert preference.side.standard_error == pytest.approx(
            np.sqrt(covariance.loc["side", "side"]), rel=1e-6
        )


def test_errors_clustered_by_rater_are_those_of_a_second_library() -> None:
    pairs = simulate_pairs(np.random.default_rng(2), STRENGTHS, n_raters=25, spread=0.5)
    assert pairs.rater is not None
    raters = np.unique(pairs.rater, return_inverse=True)[1]
    options = {"cov_type": "cluster", "cov_kwds": {"groups": raters, "use_correction": False}}
    values, covariance = oracle_fit(pairs, has_side=True, **options)
    preference = prefer(pairs)
    assert preference.errors_from == "raters"
    for name in pairs.styles[1:]:
        duel = preference[name, "acrylic"]
        assert duel.difference == pytest.approx(values[name], rel=1e-9)
        expected = np.sqrt(covariance.loc[name, name] * 25 / 24)  # G / (G - 1), and no n in it
        assert duel.standard_error == pytest.approx(expected, rel=1e-6)


def test_the_weak_prior_is_a_tie_with_an_average_rival() -> None:
    """With statsmodels: one more row a style, half won, whose only entry is that style."""
    pairs = pairs_of(("a", "b", 1), ("b", "c", 1), ("a", "c", 1), ("c", "a", 0))
    preference = prefer(pairs, side=False)
    assert preference.is_shrunk
    design = np.array([[1, -1, 0], [0, 1, -1], [1, 0, -1], [-1, 0, 1], *np.eye(3).tolist()], dtype=float)
    won = np.array([1, 1, 1, 0, 0.5, 0.5, 0.5])
    fit = sm.GLM(won, design, family=sm.families.Binomial()).fit(tol=1e-12)
    assert preference["a", "c"].difference == pytest.approx(fit.params[0] - fit.params[2], rel=1e-9)
    assert "“a” never lost and “c” never won" in preference.conclusion


def test_two_styles_without_a_side_are_a_coin_worked_by_hand() -> None:
    preference = prefer(pairs_of(*[("a", "b", 1)] * 30, *[("b", "a", 1)] * 10), side=False)
    duel = preference["a", "b"]
    assert duel.probability == pytest.approx(0.75)
    assert duel.difference == pytest.approx(np.log(3))
    assert duel.standard_error == pytest.approx(np.sqrt(1 / 30 + 1 / 10))
    assert preference["b", "a"].probability == pytest.approx(0.25)


def test_a_tie_counts_as_half_a_win_for_both() -> None:
    tied = prefer(pairs_of(*[("a", "b", 0.5)] * 4, *[("a", "b", 1)] * 2), side=False)
    split = prefer(pairs_of(*[("a", "b", 1)] * 4, *[("a", "b", 0)] * 2), side=False)
    assert tied["a", "b"].difference == pytest.approx(split["a", "b"].difference)
    assert tied.n_ties == 4


def test_swapping_the_sides_turns_the_side_effect_and_nothing_else() -> None:
    pairs = simulate_pairs(np.random.default_rng(3), STRENGTHS, n_raters=30, side=0.7)
    there, back = prefer(pairs), prefer(Pairs(pairs.right, pairs.left, 1.0 - pairs.outcome, pairs.rater))
    assert there.side is not None
    assert back.side is not None
    assert back.side.log_odds == pytest.approx(-there.side.log_odds)
    for name in STRENGTHS:
        assert back[name].strength == pytest.approx(there[name].strength)
        assert back[name].standard_error == pytest.approx(there[name].standard_error)


def test_known_strengths_and_side_are_found() -> None:
    pairs = simulate_pairs(np.random.default_rng(4), STRENGTHS, n_raters=1500, side=0.3)
    preference = prefer(pairs)
    mean = np.mean(list(STRENGTHS.values()))
    for name, strength in STRENGTHS.items():
        assert preference[name].strength == pytest.approx(strength - mean, abs=0.06)
    assert preference.side is not None
    assert preference.side.log_odds == pytest.approx(0.3, abs=0.05)
    assert list(preference.styles) == ["chalk", "batik", "acrylic", "doodle"]


def test_raters_who_differ_in_taste_are_not_mistaken_for_certainty() -> None:
    """Equal styles, raters with tastes of their own: clustered intervals miss zero about 5 % of the time."""
    equal = dict.fromkeys("abcd", 0.0)
    missed = {"raters": 0, "comparisons": 0}
    runs = 200
    for seed in range(runs):
        pairs = simulate_pairs(np.random.default_rng(seed), equal, n_raters=30, per_rater=30, spread=0.8)
        for source, data in (
            ("raters", pairs),
            ("comparisons", Pairs(pairs.left, pairs.right, pairs.outcome)),
        ):
            missed[source] += (prefer(data)["a", "b"].p or 1.0) < 0.05
    assert 0.015 < missed["raters"] / runs < 0.095
    assert missed["comparisons"] / runs > 0.2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcde"), st.sampled_from("abcde"), st.sampled_from([0.0, 0.5, 1.0])
        ).filter(lambda row: row[0] != row[1]),
        max_size=14,
    ),
    st.booleans(),
)
def test_any_few_comparisons_give_finite_numbers_or_a_reason(
    rows: list[tuple[str, str, float]], side: bool
) -> None:
    """Most such data are separated or fall apart; where they are not, the likelihood has its maximum."""
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    pairs = Pairs(np.array(columns[0], dtype=str), np.array(columns[1], dtype=str), np.array(columns[2]))
    preference = prefer(pairs, side=side)
    json.dumps(preference.to_dict(), allow_nan=False)
    assert preference.conclusion
    for one in preference.styles.values():
        assert abs(one.strength) < 12
        assert 0 < one.preferred_low <= one.preferred <= one.preferred_high < 1
    for duel in preference.duels:
        assert (duel.p is None) == (duel.why_none is not None)


def test_styles_of_groups_that_never_met_have_no_duel_and_say_why() -> None:
    met = [
        ("a", "b", 1),
        ("b", "a", 1),
        ("a", "b", 0.5),
        ("c", "d", 1),
        ("d", "c", 1),
        ("c", "d", 0),
        ("b", "a", 0),
    ]
    preference = prefer(pairs_of(*met))
    assert preference["a", "b"].probability is not None
    assert preference["a", "c"].probability is None
    assert "never compared" in str(preference["a", "c"].why_none)
    assert "2 groups" in preference.conclusion
    assert not preference.is_shrunk


@pytest.mark.parametrize("outcome", [1.0, 0.0])
def test_a_side_that_always_wins_is_bounded_by_the_prior(outcome: float) -> None:
    rows = [(one, other, outcome) for one in "abc" for other in "abc" if one != other] * 5
    preference = prefer(pairs_of(*rows))
    assert preference.is_shrunk
    assert "the side alone explains" in preference.conclusion
    assert preference.side is not None
    assert 0 < preference.side.left_rate < 1
    assert (preference.side.left_rate > 0.5) == (outcome == 1.0)
    assert prefer(pairs_of(*rows), side=False).is_shrunk is False


def test_a_style_that_is_always_on_the_left_leaves_the_side_unknown() -> None:
    preference = prefer(pairs_of(*[("a", "b", 1)] * 3, *[("a", "b", 0)] * 2))
    assert preference.is_shrunk
    assert "never changed" in preference.conclusion


def test_nothing_and_few_raters_are_said_plainly() -> None:
    nothing = prefer(Pairs(np.array([], str), np.array([], str), np.array([])))
    assert nothing.why_none == "nothing was compared yet"
    assert nothing.conclusion == "Nothing was compared yet."
    pairs = simulate_pairs(np.random.default_rng(5), STRENGTHS, n_raters=3)
    assert prefer(pairs).errors_from == "comparisons"
    assert "With 3 raters" in prefer(pairs).conclusion


def test_what_is_no_comparison_is_refused() -> None:
    with pytest.raises(ValueError, match="compared with itself"):
        pairs_of(("a", "a", 1))
    with pytest.raises(ValueError, match="an outcome is"):
        pairs_of(("a", "b", 0.7))
    with pytest.raises(ValueError, match="one value per comparison"):
        Pairs(np.array(["a"]), np.array(["b", "c"]), np.array([1.0]))
    with pytest.raises(UnknownStyle, match="nobody judged 'z'"):
        prefer(pairs_of(("a", "b", 1)))["a", "z"]
