"""Users for an uplift and uplifts for users: against statsmodels, each other and simulation."""

import numpy as np
import pytest

from analytics import CTR, compare, simulate_units
from analytics.errors import InsufficientData
from analytics.power import Baseline, detectable_uplift, plan, users_needed
from analytics.sums import Sums

BASELINE = Baseline(value=0.05, user_variance=0.009, n_users=1000)


def test_statsmodels_agrees() -> None:
    from statsmodels.stats.power import NormalIndPower

    effect = 0.05 * 0.1 / np.sqrt(0.009)
    in_control = NormalIndPower().solve_power(
        effect, alpha=0.025, power=0.9, ratio=0.25, alternative="larger"
    )
    expected = in_control * 1.25
    found = detectable_uplift(BASELINE, expected, alpha=0.05, power=0.9, treatment_share=0.2)
    assert found == pytest.approx(0.1, rel=1e-9)


@pytest.mark.parametrize("uplift", [0.01, -0.05, 0.3])
def test_the_two_questions_are_inverse_to_each_other(uplift: float) -> None:
    users = users_needed(BASELINE, uplift)
    assert detectable_uplift(BASELINE, users) <= abs(uplift) < detectable_uplift(BASELINE, users - 1)


def test_as_many_users_as_planned_find_the_uplift_four_times_in_five() -> None:
    rng = np.random.default_rng(9)
    history = simulate_units(rng, 40_000, {"past": 0.10}).moments()["past"]
    n_users = users_needed(Baseline.of(history.sums(CTR)), 0.15)
    found = 0
    for _ in range(400):
        units = simulate_units(rng, n_users, {"a": 0.10, "b": 0.115})
        found += (compare(units, control="a")["b"].p or 1.0) < 0.05
    assert found / 400 == pytest.approx(0.8, abs=0.06)


def test_a_plan_without_a_question_answers_the_usual_ones() -> None:
    assert [row.relative_uplift for row in plan(BASELINE).rows] == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert [row.users for row in plan(BASELINE, users=[500]).rows] == [500]


def test_history_without_spread_cannot_be_planned_from() -> None:
    with pytest.raises(InsufficientData, match="above zero"):
        Baseline.of(Sums.of(np.zeros(9, int), np.ones(9, int)))


@pytest.mark.parametrize("bad", [{"alpha": 0.0}, {"power": 1.0}, {"treatment_share": 1.0}])
def test_chances_outside_0_and_1_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        users_needed(BASELINE, 0.1, **bad)


def test_an_uplift_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="never be found"):
        users_needed(BASELINE, 0.0)
