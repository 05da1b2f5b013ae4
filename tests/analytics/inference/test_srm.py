"""The sample-ratio check alarms when users are lost, and knows what it cannot see."""

import numpy as np
import pytest

from analytics import sample_ratio, sample_ratio_by
from analytics.inference.srm import detectable_loss


def test_scipy_agrees_for_three_uneven_shares() -> None:
    from scipy.stats import chisquare

    users, shares = {"a": 480, "b": 260, "c": 290}, {"a": 0.5, "b": 0.25, "c": 0.25}
    expected = [1030 * share for share in shares.values()]
    assert sample_ratio(users, shares).p == pytest.approx(
        chisquare(list(users.values()), expected).pvalue, rel=1e-9
    )


def test_shares_are_weights_of_any_size() -> None:
    users = {"a": 40, "b": 60}
    assert sample_ratio(users, {"a": 1, "b": 1}).p == sample_ratio(users, {"a": 0.5, "b": 0.5}).p


def test_a_split_of_50_2_to_49_8_alarms_only_among_many_users() -> None:
    assert not sample_ratio({"a": 5_020, "b": 4_980}, {"a": 1, "b": 1}).is_alarm
    assert sample_ratio({"a": 5_020_000, "b": 4_980_000}, {"a": 1, "b": 1}).is_alarm


def test_users_in_a_variant_nobody_planned_always_alarm() -> None:
    check = sample_ratio({"a": 50, "b": 50, "typo": 1}, {"a": 1, "b": 1})
    assert check.p == 0.0
    assert check.is_alarm
    assert check.expected["typo"] == 0


def test_a_planned_variant_without_users_alarms() -> None:
    assert sample_ratio({"a": 100}, {"a": 1, "b": 1}).is_alarm


@pytest.mark.parametrize(
    ("users", "shares", "reason"),
    [
        ({"a": 9, "b": 9}, None, "planned shares are not known"),
        ({"a": 0, "b": 0}, {"a": 1, "b": 1}, "no users yet"),
        ({"a": 4, "b": 1}, {"a": 1, "b": 1}, "fewer than 5"),
        ({"a": 90}, {"a": 1}, "only one variant"),
    ],
)
def test_a_check_that_cannot_be_made_says_why(
    users: dict[str, int], shares: dict[str, float] | None, reason: str
) -> None:
    check = sample_ratio(users, shares)
    assert check.p is None
    assert not check.is_alarm
    assert reason in (check.why_none or "")


@pytest.mark.parametrize("shares", [{"a": -1.0, "b": 2.0}, {"a": 0.0, "b": 0.0}, {"a": float("nan")}])
def test_shares_that_cannot_be_shares_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="planned shares"):
        sample_ratio({"a": 1, "b": 1}, shares)


def test_a_sound_split_alarms_no_more_often_than_the_threshold() -> None:
    rng = np.random.default_rng(5)
    draws = rng.multinomial(3000, [0.2, 0.3, 0.5], size=4000)
    shares = {"a": 2, "b": 3, "c": 5}
    p = [sample_ratio(dict(zip(shares, map(int, draw), strict=True)), shares).p or 0.0 for draw in draws]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.01)
    assert np.mean(np.array(p) < 0.0005) < 0.002


def test_the_detectable_loss_is_seen_four_times_in_five() -> None:
    rng = np.random.default_rng(6)
    shares, n_left = np.array([0.3, 0.7]), 20_000
    loss = detectable_loss({"a": 0.3 * n_left, "b": 0.7 * n_left}, threshold=0.0005)
    assert loss is not None
    left = shares * [1 - loss, 1]
    draws = rng.multinomial(n_left, left / left.sum(), size=3000)
    alarms = [sample_ratio({"a": int(a), "b": int(b)}, {"a": 3, "b": 7}).is_alarm for a, b in draws]
    assert np.mean(alarms) == pytest.approx(0.8, abs=0.03)


def test_a_handful_of_users_cannot_show_even_the_loss_of_a_variant() -> None:
    assert sample_ratio({"a": 6, "b": 6}, {"a": 1, "b": 1}).detectable_loss is None


def test_a_split_that_broke_on_one_day_drowns_in_the_total_and_shows_by_day() -> None:
    sound = {"a": 10_000, "b": 10_000}
    days = {f"2030-01-{day:02}": sound for day in range(1, 31)} | {"2030-01-31": {"a": 10_000, "b": 9_000}}
    total = {name: sum(users[name] for users in days.values()) for name in "ab"}
    assert not sample_ratio(total, {"a": 1, "b": 1}).is_alarm
    found = sample_ratio_by(days, {"a": 1, "b": 1})
    assert found.alarms == ("2030-01-31",)
    assert found.is_alarm
    assert found.to_dict()["groups"]["2030-01-31"]["adjusted_p"] == found.adjusted_p["2030-01-31"]


def test_looking_at_many_groups_raises_no_more_false_alarms() -> None:
    rng = np.random.default_rng(7)
    draws = rng.binomial(1000, 0.5, size=(2000, 20))
    alarms = [
        sample_ratio_by(
            {str(i): {"a": int(a), "b": 1000 - int(a)} for i, a in enumerate(row)},
            {"a": 1, "b": 1},
            threshold=0.05,
        ).is_alarm
        for row in draws
    ]
    assert 0.03 < np.mean(alarms) < 0.065


def test_groups_that_cannot_be_checked_say_why_and_raise_no_alarm() -> None:
    found = sample_ratio_by({"tv": {"a": 1, "b": 0}, "phone": {"a": 500, "b": 510}}, {"a": 1, "b": 1})
    assert "fewer than 5" in (found.groups["tv"].why_none or "")
    assert found.adjusted_p["tv"] is None
    assert found.adjusted_p["phone"] == found.groups["phone"].p
    assert not found.is_alarm


def test_tea_tasting_agrees() -> None:
    import pandas as pd
    import tea_tasting as tt

    frame = pd.DataFrame({"variant": ["a"] * 5200 + ["b"] * 4900})
    inference = tt.SampleRatio(1, method="norm", correction=False)
    theirs = tt.Experiment({"r": inference}, variant="variant").analyze(frame, control="a")["r"]
    assert sample_ratio({"a": 5200, "b": 4900}, {"a": 1, "b": 1}).p == pytest.approx(theirs.pvalue, rel=1e-9)
