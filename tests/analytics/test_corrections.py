"""Holm's adjustment against statsmodels."""

import numpy as np
import pytest

from analytics.corrections import holm


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
