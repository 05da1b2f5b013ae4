"""Adjusted p-values against statsmodels, their order, and how often nothing wins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from analytics.inference.corrections import adjust, benjamini_hochberg, holm


def test_statsmodels_agrees() -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 12):
        p_values = rng.choice([0.0, 1.0, 0.01, *rng.random(10) ** 3], size=n)
        assert holm(p_values.tolist()) == pytest.approx(
            list(multipletests(p_values, method="holm")[1]), rel=1e-9
        )


def test_a_finding_is_one_that_holms_steps_reject() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        p_values, alpha = rng.random(6) ** 4, rng.random()
        rejected = set()
        for step, index in enumerate(np.argsort(p_values)):
            if p_values[index] > alpha / (6 - step):
                break
            rejected.add(int(index))
        assert {i for i, p in enumerate(holm(p_values.tolist())) if p <= alpha} == rejected


def test_no_comparisons_have_no_p_values() -> None:
    assert holm([]) == []


def test_statsmodels_agrees_on_benjamini_and_hochberg() -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(2)
    for n in (1, 2, 5, 12):
        p_values = rng.choice([0.0, 1.0, 0.01, *rng.random(10) ** 3], size=n)
        assert benjamini_hochberg(p_values.tolist()) == pytest.approx(
            list(multipletests(p_values, method="fdr_bh")[1]), rel=1e-9
        )


@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusting_only_ever_raises_and_holm_raises_most(p_values: list[float]) -> None:
    for raw, bh, strict in zip(p_values, benjamini_hochberg(p_values), holm(p_values), strict=True):
        assert raw <= bh * (1 + 1e-12)
        assert bh <= strict * (1 + 1e-12)
        assert strict <= 1.0


def test_comparisons_without_a_p_value_count_for_nothing() -> None:
    assert adjust([0.04, None, 0.01], "holm") == [0.04, None, 0.02]
    assert adjust([None], "bh") == [None]
    assert adjust([0.04, None, 0.01], "none") == [0.04, None, 0.01]
    with pytest.raises(ValueError, match="none, holm, bh"):
        adjust([0.1], "sidak")  # type: ignore[arg-type]


def test_of_eight_variants_that_do_nothing_some_win_one_time_in_twenty() -> None:
    rng = np.random.default_rng(3)
    control, variants = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 8))
    p_values = 2 * norm.sf(np.abs(variants - control) / 2**0.5)
    raw, strict, bh = (
        np.mean([min(adjust(row.tolist(), method)) < 0.05 for row in p_values])
        for method in ("none", "holm", "bh")
    )
    assert raw > 0.2
    assert 0.02 < strict <= bh <= 0.05
