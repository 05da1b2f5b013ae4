"""The interaction test against two other libraries, and how often it is wrong."""

import numpy as np
import pytest

from analytics import (
    CTR,
    Estimate,
    Metric,
    Moments,
    Units,
    difference,
    interaction,
    ratio_of_means,
    simulate_units,
)
from analytics.inference.segments import segment_interaction

SEGMENTS = ("phone", "desk", "tv")


def world(rng: np.random.Generator, lift: tuple[float, ...], n_users: int = 600) -> dict[str, Units]:
    """Each segment with a lift of its own."""
    return {
        name: simulate_units(rng, n_users, {"a": 0.08, "b": 0.08 * (1 + more)})
        for name, more in zip(SEGMENTS, lift, strict=True)
    }


def effects(segments: dict[str, Units], denominator: str) -> dict[str, Estimate]:
    found = {}
    for name, units in segments.items():
        ones = np.ones(len(units), int)
        x = ones if denominator == "users" else units[denominator]
        arms = [
            ratio_of_means(units["clicks"][units.variant == v], x[units.variant == v]) for v in ("b", "a")
        ]
        found[name] = difference(*arms)
    return found


def test_statsmodels_agrees_on_cochrans_q_and_the_common_effect() -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    found = effects(world(np.random.default_rng(1), (0.0, 0.2, 0.5)), "impressions")
    ours = interaction(found)
    theirs = combine_effects(
        np.array([e.value for e in found.values()]), np.array([e.standard_error**2 for e in found.values()])
    )
    assert ours.statistic == pytest.approx(theirs.q, rel=1e-9)
    assert ours.p == pytest.approx(theirs.test_homogeneity().pvalue, rel=1e-9)
    assert ours.common == pytest.approx(theirs.mean_effect_fe, rel=1e-9)


def test_it_is_the_wald_test_of_a_robust_regression_with_interactions() -> None:
    import statsmodels.api as sm

    segments = world(np.random.default_rng(2), (0.0, 0.3, 0.1))
    clicks = np.concatenate([units["clicks"] for units in segments.values()])
    treated = np.concatenate([units.variant == "b" for units in segments.values()]).astype(float)
    dummies = np.repeat(np.eye(3), [len(units) for units in segments.values()], axis=0)
    design = np.column_stack([dummies, dummies * treated[:, None]])
    fit = sm.OLS(clicks, design).fit(cov_type="HC2")
    theirs = fit.wald_test(np.array([[0, 0, 0, 1, -1, 0], [0, 0, 0, 1, 0, -1]]), use_f=False, scalar=True)
    ours = interaction(effects(segments, "users"))
    assert ours.statistic == pytest.approx(float(theirs.statistic), rel=1e-9)
    assert ours.p == pytest.approx(float(theirs.pvalue), rel=1e-9)


def test_the_same_effect_everywhere_is_called_different_one_time_in_twenty() -> None:
    rng = np.random.default_rng(3)
    wrong = sum(
        (interaction(effects(world(rng, (0.2, 0.2, 0.2)), "impressions")).p or 1) < 0.05 for _ in range(800)
    )
    # the lift is relative, and the segments are alike, so the effect is the same
    assert 0.03 <= wrong / 800 <= 0.07


def test_an_effect_in_one_segment_alone_is_seen() -> None:
    segments = world(np.random.default_rng(4), (0.0, 0.0, 0.6), n_users=4000)
    moments = {name: units.moments() for name, units in segments.items()}
    found = segment_interaction(moments, CTR, "b", "a")
    assert (found.p or 1) < 0.001
    assert found.segments == SEGMENTS
    assert found.p == pytest.approx(interaction(effects(segments, "impressions")).p, rel=1e-9)


def test_segments_with_too_little_are_left_out_with_the_reason() -> None:
    some = Moments.of({"clicks": np.array([1, 2, 5]), "impressions": np.array([9, 9, 9])})
    same = Moments.of({"clicks": np.array([1, 1]), "impressions": np.array([9, 9])})
    moments = {"phone": {"a": some, "b": some}, "tv": {"a": some}, "fridge": {"a": same, "b": same}}
    found = segment_interaction(moments, Metric.mean("clicks"), "b", "a")
    assert found.p is None
    assert "not two segments" in (found.why_none or "")
    assert "no users" in found.left_out["tv"]
    assert "behave alike" in found.left_out["fridge"]


def test_nobody_anywhere_is_no_exception() -> None:
    assert interaction({}).why_none is not None
    assert segment_interaction({"tv": {}}, CTR, "b", "a").left_out == {"tv": "in “b”, there are no users"}
