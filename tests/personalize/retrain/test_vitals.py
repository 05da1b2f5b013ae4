"""What a broken pipeline or a bot leaves in a log, worked out by hand on small numbers."""

from datetime import timedelta

import numpy as np
import pandas as pd
from logs import START, impression, log_of

from personalize.retrain.vitals import Vitals, ailments, vitals

DAYS = 8
AS_OF = START + timedelta(days=DAYS)


def sound(**changes: object) -> Vitals:
    values = {"days": {}, "latest": ((1000, 50),) * DAYS, "suspects": (), "suspect_share": 0.0}
    return Vitals(**values | changes)  # type: ignore[arg-type]


def shop(per_day: int = 30, clicks_per_day: int = 3) -> pd.DataFrame:
    rows = [
        impression(
            f"user-{n % 40}", hours=24 * day + n / 2, clicked_after=0.01 if n < clicks_per_day else None
        )
        for day in range(DAYS)
        for n in range(per_day)
    ]
    return log_of(rows)


def test_a_log_is_counted_by_whole_days_and_by_24_hours_back_from_the_night() -> None:
    half_past = START + timedelta(days=2, hours=12)
    seen = vitals(shop(), since=START + timedelta(hours=1), as_of=half_past)
    assert seen.days == {"2026-03-03": (30, 3)}
    log = shop()
    seen = vitals(log[log["shown_at"] < half_past], since=START, as_of=half_past)
    assert seen.days == {"2026-03-02": (30, 3), "2026-03-03": (30, 3)}
    assert seen.latest == ((24 + 6, 3), (24 + 6, 3), (24, 3))


def test_a_sound_log_has_no_ailments() -> None:
    assert ailments(sound(), {}) == ()
    steady = vitals(shop(), since=START, as_of=AS_OF)
    assert ailments(steady, steady.days) == ()


def test_days_that_shrank_since_the_night_before_are_missed() -> None:
    before = {"2026-03-02": (1000, 50), "2026-03-03": (1000, 50)}
    tonight = sound(days={"2026-03-02": (1000, 50), "2026-03-03": (100, 50), "2026-03-04": (9, 0)})
    [reason] = ailments(tonight, before)
    assert "of 2,000 impressions from 2026-03-02 to 2026-03-03" in reason
    assert "1,100 are left" in reason
    [reason] = ailments(sound(days={"2026-03-02": (1000, 5), "2026-03-03": (1000, 5)}), before)
    assert "of 100 clicks" in reason


def test_an_erased_user_is_no_hole() -> None:
    assert ailments(sound(days={"2026-03-02": (900, 40)}), {"2026-03-02": (1000, 50)}) == ()


def test_a_quiet_day_is_compared_with_the_slowest_of_the_week_before() -> None:
    week = [(1000, 50)] * 6
    assert ailments(sound(latest=((400, 20), (600, 30), *week)), {}) == ()
    [reason] = ailments(sound(latest=((300, 15), (600, 30), *week)), {})
    assert "300 impressions in 24 hours, never fewer than 600" in reason


def test_missing_clicks_are_told_from_few_impressions() -> None:
    week = [(2000, 100)] * 7
    assert ailments(sound(latest=((2000, 70), *week)), {}) == ()
    [reason] = ailments(sound(latest=((2000, 50), *week)), {})
    assert "50 on 2,000 impressions, at least 100" in reason


def test_a_young_or_small_shop_is_not_judged_by_its_days() -> None:
    assert ailments(sound(latest=((10, 0), (1000, 50), (1000, 50))), {}) == ()
    assert ailments(sound(latest=((10, 0), *[(150, 9)] * 7)), {}) == ()


def test_users_who_click_like_machines_are_named_and_weighed() -> None:
    bot = [impression("bot", hours=2 * n, clicked_after=0.01 if n % 10 else None) for n in range(60)]
    log = pd.concat([shop(per_day=200, clicks_per_day=8), log_of(bot)], ignore_index=True)
    seen = vitals(log, since=START, as_of=AS_OF)
    assert seen.suspects == (("bot", 54, 0.9),)
    assert np.isclose(seen.suspect_share, 54 / (54 + DAYS * 8))
    [reason] = ailments(seen, {})
    assert "user 'bot' clicked 90% of what it saw, 54 times" in reason
    assert "personalize erase-user bot" in reason


def test_a_bot_that_hardly_counts_is_let_be() -> None:
    assert ailments(sound(suspects=(("bot", 54, 0.9),), suspect_share=0.01), {}) == ()


def test_an_empty_log_has_no_vitals_to_speak_of() -> None:
    empty = shop().iloc[:0]
    assert ailments(vitals(empty, since=START, as_of=AS_OF), {}) == ()
