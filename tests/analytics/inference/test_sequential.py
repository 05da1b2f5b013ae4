"""The any-time interval: its formula, its price, and that daily looks do not break it."""

import math

import numpy as np
import pytest

from analytics import CTR, Metric, Moments, contrast_variants, simulate_days
from analytics.inference.sequential import anytime_critical, anytime_p


def test_the_formula_worked_by_hand() -> None:
    # alpha 0.05: rho^2 = (5.991465 + log 6.991465) / 5000 = 0.001587218, n rho^2 = 1.587218 at n = 1000
    width = math.sqrt(2 * 2.587218 / 1.587218 * math.log(math.sqrt(2.587218) / 0.05))
    assert anytime_critical(1000, planned_users=10_000) == pytest.approx(width, rel=1e-5)


def test_it_is_narrowest_near_half_of_the_planned_users() -> None:
    def width(n: int) -> float:
        return anytime_critical(n, planned_users=10_000) / math.sqrt(n)

    def relative_to_best_tuning(n: int) -> float:
        return width(n) / min(
            anytime_critical(n, planned_users=p) / math.sqrt(n) for p in range(200, 100_000, 200)
        )

    assert relative_to_best_tuning(5_000) == pytest.approx(1.0, abs=1e-3)
    assert relative_to_best_tuning(200) > 1.1


def test_it_is_wider_than_a_single_look_at_any_time() -> None:
    for n in (1, 10, 1000, 10**6, 10**9):
        assert anytime_critical(n, alpha=0.05) > 1.96


@pytest.mark.parametrize("bad", [{"n_users": 0}, {"planned_users": 0}, {"alpha": 0.0}, {"alpha": 1.0}])
def test_impossible_requests_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="wanted users and alpha"):
        anytime_critical(**{"n_users": 10, **bad})  # type: ignore[arg-type]


def test_fourteen_daily_looks_at_nothing_break_the_plain_interval_but_not_this_one() -> None:
    rng = np.random.default_rng(8)
    n_runs, plain, anytime = 300, 0, 0
    for _ in range(n_runs):
        world = simulate_days(rng, 700, {"a": 0.08, "b": 0.08})
        looks = world.cumulative_moments()
        daily = [
            contrast_variants({n: looks[n][day] for n in looks}, CTR, [("b", "a")], planned_users=700)[0]
            for day in looks["a"]
        ]
        plain += any((c.p or 1.0) < 0.05 for c in daily)
        anytime += any((c.anytime_low or 0.0) > 0 or (c.anytime_high or 0.0) < 0 for c in daily)
    assert plain / n_runs > 0.12
    assert anytime / n_runs <= 0.05


@pytest.mark.parametrize("n_users", [50, 5_000, 10**6])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_the_anytime_p_is_alpha_where_the_interval_ends(n_users: int, alpha: float) -> None:
    end = anytime_critical(n_users, alpha=alpha)
    assert anytime_p(end, n_users, alpha=alpha) == pytest.approx(alpha, rel=1e-9)
    assert anytime_p(-1.01 * end, n_users, alpha=alpha) < alpha
    assert anytime_p(0.0, n_users, alpha=alpha) == 1.0


def test_looks_from_the_first_few_users_on_are_safe_although_their_errors_are_not() -> None:
    rng = np.random.default_rng(9)
    n_runs, wrong, plain = 150, 0, 0
    for _ in range(n_runs):
        clicks = rng.binomial(20, 0.05, size=(2, 100))
        found = [
            contrast_variants(
                {"a": Moments.of({"clicks": clicks[0, :n]}), "b": Moments.of({"clicks": clicks[1, :n]})},
                Metric.mean("clicks"),
                [("b", "a")],
                planned_users=200,
            )[0]
            for n in [*range(2, 12), *range(12, 101, 8)]
        ]
        wrong += any((c.anytime_p or 1) < 0.05 for c in found)
        plain += any((c.p or 1) < 0.05 for c in found)
    assert plain / n_runs > 0.2
    assert wrong / n_runs <= 0.05
