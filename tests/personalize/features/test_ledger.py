"""Events in runs: whatever was merged, dropped and asked in between, the sums are those of the rows."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.features import ledger as ledger_module
from personalize.features import running as running_module
from personalize.features.ledger import Ledger, Merger, Row, _table_of
from personalize.features.running import RunningSums
from personalize.features.runs import Family, Kind, Run, Tally

HALF_LIFE_US = 50.0
ANY = np.zeros(1, dtype=np.int64)

ROWS = st.builds(
    lambda at_us, user, style, kind: (at_us, user, 0, style, kind, 1.0),
    st.integers(0, 100),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
)
STEPS = st.lists(st.one_of(ROWS, st.sampled_from(["begin", "adopt", "drop", "ask"])), max_size=40)


@pytest.fixture
def small() -> Iterator[None]:
    with patch.multiple(ledger_module, MAX_PENDING=4, MERGE_RATIO=2):
        yield


def asked(ledger: Ledger, style: int, at_us: int, family: Family = Family.STYLE, user: int = 0) -> Tally:
    return ledger.tally(family, np.array([user]), ANY, np.array([style]), np.array([at_us]))


def expected(rows: list[Row], style: int, at_us: int) -> tuple[list[float], list[int]]:
    mine = [row for row in rows if row[3] == style and row[0] < at_us]
    amounts = [sum(2 ** ((row[0] - at_us) / HALF_LIFE_US) for row in mine if row[4] == kind) for kind in Kind]
    return amounts, [sum(row[4] == kind for row in mine) for kind in Kind]


def shown(number: int, user: int = 0) -> Row:
    return number, user, 0, 0, int(Kind.SHOWN), 1.0


@settings(max_examples=200, deadline=None)
@given(
    steps=STEPS,
    max_pending=st.integers(1, 5),
    max_comparisons=st.integers(1, 8),
    max_runs=st.integers(1, 4),
)
def test_whatever_happens_in_between_the_sums_are_those_of_the_rows(
    steps: list[Row | str], max_pending: int, max_comparisons: int, max_runs: int
) -> None:
    ledger, rows = Ledger(HALF_LIFE_US), list[Row]()
    begun: tuple[Merger, Run] | None = None
    bounds = {"MAX_PENDING": max_pending, "MAX_COMPARISONS": max_comparisons, "MAX_RUNS": max_runs}
    with patch.multiple(ledger_module, MERGE_RATIO=2, **bounds):
        for step in steps:
            if isinstance(step, tuple):
                ledger.append(step)
                rows.append(step)
            elif step == "begin" and (merger := ledger.merger()):
                begun = merger, merger.run()
            elif step == "adopt" and begun is not None:
                ledger.adopt(*begun)
            elif step == "drop":
                ledger.drop(1)
                rows = [row for row in rows if row[1] != 1]
            for style in range(3) if step == "ask" else ():
                asked(ledger, style, 50)
        assert len(ledger) == len(rows)
        for style in range(3):
            one = asked(ledger, style, 60)  # from the running sums, where nothing later was asked before
            two = ledger.tally(Family.STYLE, ANY, ANY, np.array([style, style]), np.array([60, 70]))
            for row, (tally, at_us) in enumerate([(one, 60), (two, 60), (two, 70)]):
                amounts, counts = expected(rows, style, at_us)
                assert tally.amounts[max(row - 1, 0)] == pytest.approx(amounts)
                assert tally.counts[max(row - 1, 0)].tolist() == counts
            assert one.last_us[0].tolist() == two.last_us[0].tolist()


@given(rows=st.lists(ROWS, min_size=1, max_size=20), moments=st.lists(st.integers(0, 120), min_size=1))
def test_what_is_asked_moment_by_moment_is_what_the_runs_say(rows: list[Row], moments: list[int]) -> None:
    live, looked_up = Ledger(HALF_LIFE_US), Ledger(HALF_LIFE_US)
    for number, moment in enumerate(moments):
        if number < len(rows):
            live.append(rows[number])
            looked_up.append(rows[number])
        for style in range(3):
            ours = asked(live, style, moment)
            with patch.object(RunningSums, "tally", return_value=None):
                theirs = asked(looked_up, style, moment)
            assert ours.amounts == pytest.approx(theirs.amounts)
            assert ours.counts.tolist() == theirs.counts.tolist()
            assert ours.last_us.tolist() == theirs.last_us.tolist()


@pytest.mark.usefixtures("small")
def test_a_run_made_meanwhile_takes_the_place_of_what_it_was_made_of_alone() -> None:
    ledger = Ledger(HALF_LIFE_US)
    for number in range(4):
        ledger.append(shown(number))
    merger = ledger.merger()
    assert merger is not None
    for number in range(4, 9):
        ledger.append(shown(number))
    assert ledger.adopt(merger, merger.run())
    assert not ledger.adopt(merger, merger.run()), "it stands there already"
    assert asked(ledger, 0, 20).counts[0, 0] == len(ledger) == 9


@pytest.mark.usefixtures("small")
def test_events_become_runs_while_longer_ones_are_merged() -> None:
    ledger = Ledger(HALF_LIFE_US)
    for number in range(8):
        ledger.append(shown(number))
        if number % 4 == 3:
            waiting = ledger.merger()
            assert waiting is not None
            ledger.adopt(waiting, waiting.run())
    merging = ledger.merger()
    assert merging is not None
    for number in range(8, 12):
        ledger.append(shown(number))
    waiting = ledger.merger()
    assert waiting is not None
    assert ledger.adopt(waiting, waiting.run())
    assert ledger.adopt(merging, merging.run())
    assert asked(ledger, 0, 20).counts[0, 0] == len(ledger) == 12


@pytest.mark.usefixtures("small")
def test_a_run_made_while_a_user_was_dropped_is_not_taken() -> None:
    ledger = Ledger(HALF_LIFE_US)
    for number in range(4):
        ledger.append(shown(number, user=number % 2))
    merger = ledger.merger()
    assert merger is not None
    ledger.drop(1)
    assert not ledger.adopt(merger, merger.run())
    assert asked(ledger, 0, 20).counts[0, 0] == len(ledger) == 2


@pytest.mark.usefixtures("small")
def test_a_run_made_beside_has_the_indexes_that_will_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever asks first would make them, while a shopper waits."""
    ledger = Ledger(HALF_LIFE_US)
    asked(ledger, 0, 20)
    for number in range(8):
        if number == 5:
            ledger.expect([Family.USER_STYLE])
        ledger.append(shown(number))
        while merger := ledger.merger():
            ledger.adopt(merger, merger.run())
    with monkeypatch.context() as patched:
        patched.setattr("personalize.features.runs._Index.__init__", pytest.fail)
        assert asked(ledger, 0, 20).counts[0, 0] == 8
        assert asked(ledger, 0, 20, Family.USER_STYLE).counts[0, 0] == 8
    assert asked(ledger, 0, 4).counts[0, 0] == 4


@pytest.mark.usefixtures("small")
def test_a_long_run_is_ready_for_questions_about_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pages at once may ask in another order than they came, and a long index takes seconds to make."""
    monkeypatch.setattr(ledger_module, "MAX_UNINDEXED", 3)
    ledger = Ledger(HALF_LIFE_US)
    ledger.expect(Family)
    for number in range(8):
        ledger.append(shown(number))
        while merger := ledger.merger():
            ledger.adopt(merger, merger.run())
    assert [len(run) for run in ledger._runs] == [8]
    assert asked(ledger, 0, 20).counts[0, 0] == 8
    monkeypatch.setattr("personalize.features.runs._Index.__init__", pytest.fail)
    assert asked(ledger, 0, 4).counts[0, 0] == 4


@pytest.mark.usefixtures("small")
def test_sums_are_kept_up_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else they would pile up in a shop without a ranker, and its first page with one would sum them all."""
    summed: list[int] = []
    add = running_module._Sums.add

    def counting(self: Any, keys: Any, *rest: Any) -> None:
        summed.append(len(keys))
        add(self, keys, *rest)

    ledger = Ledger(HALF_LIFE_US)
    ledger.extend(_table_of([shown(number) for number in range(100)]))
    for number in range(100, 140):
        ledger.append(shown(number))
        while merger := ledger.merger():
            ledger.adopt(merger, merger.run())
    monkeypatch.setattr(running_module._Sums, "add", counting)
    assert asked(ledger, 0, 200).counts[0, 0] == 140
    assert 0 < max(summed) <= 4


OWN = (Family.USER_STYLE, Family.USER_CATEGORY_STYLE)
OWN_ROWS = st.lists(
    st.builds(
        lambda at_us, user, category, style, kind: (at_us, user, category, style, kind, 0.5),
        st.integers(0, 60),
        st.integers(0, 2),
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(rows=OWN_ROWS, moment=st.integers(0, 80), max_own=st.integers(0, 30))
def test_what_one_user_did_is_what_the_runs_say(rows: list[Row], moment: int, max_own: int) -> None:
    """Also of a pair that is asked about twice, of codes that nobody has, and of a user of many events."""
    ours, theirs = Ledger(HALF_LIFE_US), Ledger(HALF_LIFE_US)
    user, category = np.array([[1]] * 4), np.array([[0], [1], [0], [-1]])
    asked_about = user, category, np.array([[0, 1, 2, -1, 7]]), np.array([[moment]])
    with patch.multiple(ledger_module, MAX_PENDING=4, MERGE_RATIO=2):
        for row in rows:
            for ledger, bound in ((ours, max_own), (theirs, -1)):
                ledger.append(row)
                while merger := ledger.merger():
                    ledger.adopt(merger, merger.run())
                with patch.object(ledger_module, "MAX_OWN", bound):
                    tallies = [ledger.tally(family, *asked_about) for family in OWN]
                if ledger is ours:
                    found = tallies
            for one, other in zip(found, tallies, strict=True):
                assert one.amounts == pytest.approx(other.amounts)
                assert one.counts.tolist() == other.counts.tolist()
                assert one.last_us.tolist() == other.last_us.tolist()


def test_what_a_user_does_is_known_on_their_next_page_and_forgotten_when_they_are() -> None:
    ledger = Ledger(HALF_LIFE_US)
    ledger.append(shown(1))
    assert asked(ledger, 0, 20, Family.USER_STYLE).counts[0, 0] == 1
    ledger.append(shown(2))
    assert asked(ledger, 0, 20, Family.USER_STYLE).counts[0, 0] == 2
    ledger.extend(_table_of([shown(3)]))
    assert asked(ledger, 0, 20, Family.USER_STYLE).counts[0, 0] == 3
    ledger.drop(0)
    assert asked(ledger, 0, 20, Family.USER_STYLE).counts[0, 0] == 0
