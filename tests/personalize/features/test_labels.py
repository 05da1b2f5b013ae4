from datetime import timedelta

from logs import impression, log_of

from personalize.features import relevance


def test_a_purchase_beats_a_click_beats_nothing() -> None:
    log = log_of(
        [
            impression(hours=0),
            impression(hours=1, clicked_after=0.5),
            impression(hours=2, clicked_after=0.5, purchased_after=3),
            impression(hours=3, purchased_after=0),
        ]
    )
    assert relevance(log, attribution_window=timedelta(days=1)).tolist() == [0, 1, 2, 2]


def test_only_what_happens_inside_the_window_counts() -> None:
    log = log_of(
        [
            impression(hours=0, clicked_after=24),
            impression(hours=1, clicked_after=24.01),
            impression(hours=2, clicked_after=1, purchased_after=30),
        ]
    )
    assert relevance(log, attribution_window=timedelta(days=1)).tolist() == [1, 0, 1]
