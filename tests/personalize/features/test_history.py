"""What was known when: against sums worked out row by row."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from factories import make_click, make_purchase
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import START, impression, log_of

from personalize.data.records import ClickEvent, Event, ShownStyle
from personalize.features import ledger as ledger_module
from personalize.features.history import REFERENCE_PROPENSITY, History, microseconds
from personalize.features.runs import NEVER, Family, Tally

HALF_LIFE = timedelta(days=2)
WINDOW = timedelta(days=1)
HOUR_US = 3_600_000_000


def history_of(rows: list[dict[str, Any]], **values: Any) -> History:
    return History.from_log(log_of(rows), half_life=HALF_LIFE, attribution_window=WINDOW, **values)


def known(history: History, family: Family, user: str, category: str, style: str, hours: float) -> Tally:
    return history.tally(
        family,
        history.users.find([user]),
        history.categories.find([category]),
        history.styles.find([style]),
        np.array([microseconds(START + timedelta(hours=hours))]),
    )


def test_sums_decay_as_worked_by_hand() -> None:
    history = history_of(
        [
            impression(hours=0, clicked_after=1),
            impression(hours=24, clicked_after=None),
            impression(hours=48, clicked_after=2),
            impression(hours=48, user_id="grace", clicked_after=2),
        ]
    )
    tally = known(history, Family.USER_STYLE, "ada", "", "style-00", 96)
    assert tally.amounts[0] == pytest.approx([0.25 + 2**-1.5 + 0.5, 2 ** (-95 / 48) + 2 ** (-46 / 48), 0.0])
    assert tally.counts[0].tolist() == [3, 2, 0]
    assert tally.last_us[0].tolist() == [
        microseconds(START) + 48 * HOUR_US,
        microseconds(START) + 50 * HOUR_US,
    ]


def test_what_happens_at_the_moment_itself_is_not_known_yet() -> None:
    history = history_of([impression(hours=5, clicked_after=1)])
    before = known(history, Family.STYLE, "", "", "style-00", 5)
    between = known(history, Family.STYLE, "", "", "style-00", 6)
    after = known(history, Family.STYLE, "", "", "style-00", 6.001)
    assert [tally.counts[0, :2].tolist() for tally in (before, between, after)] == [[0, 0], [1, 0], [1, 1]]
    assert before.last_us[0].tolist() == [NEVER, NEVER]


def test_a_click_counts_inside_the_attribution_window_only() -> None:
    history = history_of([impression(clicked_after=24), impression(clicked_after=24.01)])
    assert known(history, Family.STYLE, "", "", "style-00", 100).counts[0].tolist() == [2, 1, 0]


def test_a_style_shown_to_its_lovers_by_a_personal_policy_does_not_look_popular() -> None:
    lovers = [impression(f"lover-{i}", policy="personal", propensity=0.5, clicked_after=1) for i in range(4)]
    explored = [impression(f"other-{i}", policy="personal", propensity=0.01) for i in range(4)]
    tally = known(history_of([*lovers, *explored]), Family.STYLE, "", "", "style-00", 2)
    decayed = 2 ** (-2 / 48)
    weight = REFERENCE_PROPENSITY / 0.5
    assert tally.amounts[0, 0] == pytest.approx(4 * (weight + 1) * decayed)
    assert tally.amounts[0, 1] == pytest.approx(4 * weight * 2 ** (-1 / 48))
    own = known(history_of(lovers), Family.USER_STYLE, "lover-0", "", "style-00", 2)
    assert own.amounts[0, 0] == pytest.approx(decayed)


def test_unknown_keys_know_nothing() -> None:
    history = history_of([impression()])
    for user, category, style in (("bob", "category-0", "style-00"), ("ada", "none", "style-00")):
        assert known(history, Family.USER_CATEGORY_STYLE, user, category, style, 9).counts.sum() == 0
    assert known(history, Family.STYLE, "", "", "style-77", 9).counts.sum() == 0


def test_products_without_a_category_do_not_share_one() -> None:
    history = history_of([impression(category=None)])
    assert known(history, Family.STYLE, "", "", "style-00", 9).counts[0, 0] == 1
    assert known(history, Family.CATEGORY_STYLE, "", "nowhere", "style-00", 9).counts.sum() == 0


def test_an_empty_history_answers_zero() -> None:
    history = History(half_life=HALF_LIFE, attribution_window=WINDOW)
    assert known(history, Family.STYLE, "", "", "style-00", 9).amounts.tolist() == [[0.0, 0.0, 0.0]]
    assert len(history) == 0


def test_a_forgotten_user_leaves_no_trace_in_any_rate() -> None:
    rows = [impression(user, hours=h, clicked_after=1) for h in range(5) for user in ("ada", "grace")]
    history = history_of(rows)
    history.forget("ada")
    expected = history_of([row for row in rows if row["user_id"] == "grace"])
    for family in Family:
        for user in ("ada", "grace"):
            ours = known(history, family, user, "category-0", "style-00", 50)
            theirs = known(expected, family, user, "category-0", "style-00", 50)
            assert ours.amounts == pytest.approx(theirs.amounts)


@pytest.mark.parametrize("half_life", [timedelta(0), timedelta(days=-1)])
def test_a_half_life_must_be_positive(half_life: timedelta) -> None:
    with pytest.raises(ValueError, match="positive durations"):
        History(half_life=half_life, attribution_window=WINDOW)


def test_a_history_of_years_under_a_half_life_of_minutes_does_not_overflow() -> None:
    rows = [impression(hours=h, clicked_after=0.01) for h in (0, 24 * 365, 24 * 730, 24 * 1095)]
    history = History.from_log(log_of(rows), half_life=timedelta(minutes=5), attribution_window=WINDOW)
    early = known(history, Family.STYLE, "", "", "style-00", 1 / 12)
    late = known(history, Family.STYLE, "", "", "style-00", 24 * 1095 + 1 / 12)
    assert early.amounts[0, 0] == pytest.approx(0.5)
    assert late.amounts[0, 0] == pytest.approx(0.5)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "grace", "linus"]),
        st.sampled_from(["style-00", "style-01"]),
        st.sampled_from(["mug", "vase"]),
        st.integers(0, 200),
        st.none() | st.integers(0, 30),
        st.none() | st.integers(0, 30),
    ),
    min_size=1,
    max_size=40,
)


def rows_of(drawn: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [
        impression(
            user, style, category=category, hours=hours / 2, clicked_after=clicked, purchased_after=bought
        )
        for user, style, category, hours, clicked, bought in drawn
    ]


@settings(max_examples=15, deadline=None)
@given(drawn=ROWS, asked=st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_any_question_is_answered_as_by_going_through_the_rows(
    drawn: list[tuple[Any, ...]], asked: list[int]
) -> None:
    rows = rows_of(drawn)
    history = history_of(rows)
    for hours in asked:
        now = START + timedelta(hours=hours / 2)
        for user, style in (("ada", "style-00"), ("grace", "style-01")):
            tally = known(history, Family.USER_STYLE, user, "", style, hours / 2)
            mine = [row for row in rows if row["user_id"] == user and row["style_id"] == style]
            assert tally.amounts[0, 0] == pytest.approx(decayed(mine, "shown_at", now))
            assert tally.amounts[0, 1] == pytest.approx(decayed(mine, "clicked_at", now))
            assert tally.amounts[0, 2] == pytest.approx(decayed(mine, "purchased_at", now))


def decayed(rows: list[dict[str, Any]], column: str, now: Any) -> float:
    return sum(
        0.5 ** ((now - row[column]) / HALF_LIFE)
        for row in rows
        if row[column] < now and row[column] - row["shown_at"] <= WINDOW
    )


@settings(max_examples=15, deadline=None)
@given(drawn=ROWS, max_pending=st.sampled_from([1, 2, 7, ledger_module.MAX_PENDING]))
def test_arriving_bit_by_bit_equals_being_read_at_once(
    drawn: list[tuple[Any, ...]], max_pending: int
) -> None:
    """Whatever waits one by one and whatever was made a run already."""
    rows = rows_of(drawn)
    live = History(half_life=HALF_LIFE, attribution_window=WINDOW)
    with patch.object(ledger_module, "MAX_PENDING", max_pending):
        for _, _, happened in sorted(timeline(rows), key=lambda item: item[:2]):
            if isinstance(happened, dict):
                live.append_shown([shown_of(happened)], [happened["category"]])
            else:
                live.append_events([happened])
            while merger := live.ledger.merger():
                assert live.ledger.adopt(merger, merger.run())
    read = history_of(rows)
    assert len(live) == len(read)
    for family in Family:
        ours = known(live, family, "ada", "mug", "style-00", 120)
        theirs = known(read, family, "ada", "mug", "style-00", 120)
        assert ours.amounts == pytest.approx(theirs.amounts)
        assert ours.counts.tolist() == theirs.counts.tolist()
        assert ours.last_us.tolist() == theirs.last_us.tolist()


def timeline(rows: list[dict[str, Any]]) -> Iterator[tuple[Any, int, Any]]:
    """(when, number, row or event): a showing comes before the events of its own moment."""
    for number, row in enumerate(rows):
        yield row["shown_at"], number, row
        yield from ((event.occurred_at, len(rows) + number, event) for event in events_of(row))


def shown_of(row: dict[str, Any]) -> ShownStyle:
    return ShownStyle(**{name: row[name] for name in ShownStyle.__dataclass_fields__ if name in row})


def events_of(row: dict[str, Any]) -> list[Event]:
    makers: tuple[tuple[str, Callable[..., Event]], ...] = (
        ("clicked_at", make_click),
        ("purchased_at", make_purchase),
    )
    return [
        make(shown_of(row), after=row[column] - row["shown_at"])
        for column, make in makers
        if row[column] == row[column]
    ]


def test_an_event_may_arrive_a_whole_window_late() -> None:
    live = History(half_life=HALF_LIFE, attribution_window=WINDOW)
    shown = shown_of(impression())
    live.append_shown([shown], ["mug"])
    live.append_shown([shown_of(impression(hours=47))], ["mug"])
    live.append_events([make_click(shown)])
    live.append_shown([shown_of(impression(hours=49))], ["mug"])
    live.append_events([make_purchase(shown)])
    assert known(live, Family.STYLE, "", "", "style-00", 99).counts[0].tolist() == [3, 1, 0]


def test_repeated_late_and_stray_events_change_nothing() -> None:
    live = History(half_life=HALF_LIFE, attribution_window=WINDOW)
    shown = shown_of(impression())
    live.append_shown([shown], ["mug"])
    click = make_click(shown)
    live.append_events([click, click, make_click(shown), make_click("nothing-shown")])
    live.append_events([ClickEvent("late", shown.impression_id, shown.shown_at + 2 * WINDOW)])
    live.append_events([ClickEvent("early", shown.impression_id, shown.shown_at - WINDOW)])
    assert len(live) == 2
