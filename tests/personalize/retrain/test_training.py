"""From a log to rows: what is an example, what is compared with what, what is held back."""

from datetime import timedelta

import numpy as np
import pytest
from logs import START, impression, log_of, styles_on_offer

from personalize.features import StyleSpace
from personalize.features.history import microseconds
from personalize.retrain import training
from personalize.retrain.training import Examples, by_slate, holdout_start, read_examples

SPACE = StyleSpace.of(styles_on_offer(4, width=2))


def examples_of(rows: list[dict[str, object]]) -> Examples:
    return read_examples(
        log_of(rows), SPACE, half_life=timedelta(days=14), attribution_window=timedelta(days=1)
    )


def test_the_original_and_retired_styles_are_no_examples() -> None:
    rows = [
        impression("ada", "original", hours=0),
        impression("ada", "retired", hours=1),
        impression("ada", "style-01", hours=2, clicked_after=1),
    ]
    examples = examples_of(rows)
    assert len(examples) == examples.n_clicks == 1
    assert examples.frame.column("user_style_shown").tolist() == [0]


def test_an_example_knows_nothing_of_its_own_click_nor_of_its_slate() -> None:
    rows = [
        impression("ada", "style-00", slate_id="s", clicked_after=0.1, position=0),
        impression("ada", "style-00", slate_id="s", position=1),
    ]
    frame = examples_of(rows).frame
    assert frame.column("user_style_shown").tolist() == [0, 0]


def test_a_group_is_what_was_shown_together() -> None:
    rows = [
        impression(user, "style-00", slate_id=f"{user}-{h}", hours=h, position=p)
        for h in (0, 5)
        for user in ("ada", "grace")
        for p in range(3)
    ]
    grouped = by_slate(examples_of(rows))
    assert grouped.group_sizes.tolist() == [3, 3, 3, 3]
    for group in np.split(np.arange(12), 4):
        assert len(set(grouped.user[group])) == 1
        assert grouped.position[group].tolist() == [0, 1, 2]


def test_slates_of_one_product_are_compared_with_one_another() -> None:
    rows = [impression(f"u{n}", "style-00", slate_id=f"s{n}", hours=n) for n in range(20)]
    rows += [impression("ada", "style-01", slate_id="pair", hours=3.5, position=p) for p in range(2)]
    assert sorted(by_slate(examples_of(rows)).group_sizes.tolist()) == [2, 4, 8, 8]


def test_a_slate_larger_than_lightgbm_takes_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "MAX_GROUP", 4)
    rows = [impression("ada", "style-00", slate_id="s", position=p) for p in range(9)]
    assert by_slate(examples_of(rows)).group_sizes.tolist() == [4, 4, 1]


def test_the_latest_days_are_held_back() -> None:
    examples = examples_of([impression(hours=h) for h in range(0, 96, 2)])
    as_of = START + timedelta(days=4)
    assert holdout_start(examples, as_of=as_of, holdout_days=1) == microseconds(START + timedelta(days=3))


def test_of_a_young_log_the_latest_third_is_held_back() -> None:
    examples = examples_of([impression(hours=h) for h in range(24)])
    split = holdout_start(examples, as_of=START + timedelta(days=1), holdout_days=1)
    assert 14 <= (examples.shown_us < split).sum() <= 17
