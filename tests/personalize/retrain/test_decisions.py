"""Decisions with all their candidates, and what two policies would have done in them."""

from datetime import timedelta

import numpy as np
from logs import START, impression, log_of, styles_on_offer

from personalize.features import StyleSpace
from personalize.features.history import microseconds
from personalize.models import load_scorer
from personalize.models.calibration import AS_IS
from personalize.policy import Exploration, Rules
from personalize.policy.candidates import Rule
from personalize.retrain import decisions as decisions_module
from personalize.retrain.decisions import Decisions, choices, decision_rows, read_decisions
from personalize.retrain.training import play
from personalize.settings import Settings

SPACE = StyleSpace.of(styles_on_offer(8, width=4))
NO_RULES = Rules()
WINDOWS = {"half_life": timedelta(days=14), "attribution_window": timedelta(days=1)}


def read(rows: list[dict], *, hours: float = 0.0, rules: Rules = NO_RULES) -> Decisions:
    log = log_of(rows)
    since = log["shown_at"].min() + timedelta(hours=hours)
    is_read = decision_rows(log, SPACE, since_us=microseconds(since.to_pydatetime()), rules=rules)
    played = play(log, SPACE, **WINDOWS, keep=is_read)
    window = WINDOWS["attribution_window"]
    return read_decisions(log, SPACE, played, is_read, attribution_window=window, rules=rules)


def test_only_held_back_decisions_that_had_a_choice_count() -> None:
    rows = [
        impression(hours=0.0),
        impression(hours=5.0, style_id="style-03", propensity=0.25, clicked_after=0.1),
        impression(hours=6.0, propensity=1.0),
        impression(hours=7.0, style_id="retired"),
    ]
    seen = read(rows, hours=4.0)
    assert seen.shown.tolist() == [3]
    assert seen.propensity.tolist() == [0.25]
    assert seen.reward.tolist() == [1.0]
    assert seen.frame.n_candidates == len(SPACE)
    assert seen.allowed.tolist() == [[True] * 8 + [False]]
    assert not len(read(rows, hours=8.0))


def test_past_the_bound_whole_users_are_left_out(monkeypatch: object) -> None:
    rows = [impression(f"user-{n % 10}", hours=n) for n in range(100)]
    everybody = read(rows)
    monkeypatch.setattr(decisions_module, "MAX_DECISIONS", 50)  # type: ignore[attr-defined]
    some = read(rows)
    assert len(everybody) == 100
    assert len(some) == 50
    assert len(set(some.user)) == 5


def test_probabilities_are_those_of_the_policy_and_average_the_reward_model(
    trained_shop: Settings,
) -> None:
    [version, *_] = (folder.name for folder in trained_shop.models_dir.iterdir())
    ranker = load_scorer(trained_shop.models_dir, version)
    seen = read([impression(f"user-{n % 3}", f"style-{n % 8:02d}", hours=n) for n in range(40)])
    chosen = choices(seen, ranker, None, exploration=Exploration(floor=1.0), calibration=AS_IS)
    np.testing.assert_allclose(chosen.challenger, 1 / 8)
    np.testing.assert_allclose(chosen.champion, 1 / 8)
    np.testing.assert_allclose(chosen.challenger_value, chosen.champion_value)
    greedy = choices(seen, ranker, None, exploration=Exploration(), calibration=AS_IS)
    least = Exploration().floor / 8 - 1e-12
    assert np.all((greedy.challenger >= least) & (greedy.challenger <= 1))
    assert np.all((greedy.champion >= least) & (greedy.champion <= 1))


def test_what_the_rules_and_the_shopper_did_not_allow_is_no_candidate() -> None:
    days = {"first_day": START.date(), "last_day": START.date()}
    rules = Rules((Rule(frozenset({"style-01"}), **days),), offers_original=True)
    rows = [
        impression("ada", "style-01", hours=0.0, context={"excluded_styles": ["style-02"]}),
        impression("ada", "original", hours=30.0, clicked_after=0.1),
        impression("ada", "style-01", hours=31.0),
    ]
    seen = read(rows, rules=rules)
    assert seen.shown.tolist() == [1, 8], "style-01 is not allowed on the second day, so the last is left out"
    assert np.flatnonzero(~seen.allowed[0]).tolist() == [2]
    assert np.flatnonzero(~seen.allowed[1]).tolist() == [1]
    assert seen.reward.tolist() == [0.0, 1.0]


def test_a_style_that_stands_on_the_page_often_enough_is_no_candidate_below() -> None:
    rows = [
        impression("ada", f"style-0{style}", slate_id="page", position=place)
        for place, style in enumerate((3, 3, 5, 4))
    ]
    seen = read(rows, rules=Rules(max_per_page=2))
    barred = [np.flatnonzero(~allowed[:-1]).tolist() for allowed in seen.allowed]
    assert barred == [[], [], [3], [3]]


def test_a_mixture_says_nothing_of_a_single_style() -> None:
    assert not len(read([impression(policy="blend")]))


def test_the_original_takes_part_where_it_is_offered(trained_shop: Settings) -> None:
    [version, *_] = (folder.name for folder in trained_shop.models_dir.iterdir())
    ranker = load_scorer(trained_shop.models_dir, version)
    rows = [impression("ada", "original" if n % 2 else "style-00", hours=n) for n in range(40)]
    for offered in (False, True):
        seen = read(rows, rules=Rules(offers_original=offered))
        assert len(seen) == (40 if offered else 20)
        chosen = choices(seen, ranker, None, exploration=Exploration(floor=1.0), calibration=AS_IS)
        np.testing.assert_allclose(chosen.champion, 1 / (9 if offered else 8))
