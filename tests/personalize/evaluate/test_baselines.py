"""Each baseline by hand or against a second implementation, and logs cut where they should be."""

from pathlib import Path

import numpy as np
import pytest

from personalize.evaluate.baselines import Ease, Factors, Neighbours, Popular, RecentlyPopular, Tastes
from personalize.evaluate.log import EventLog, read_event_log
from personalize.evaluate.split import split_log


def log_of(rows: list[tuple[int, int, int, int]], *, has_impressions: bool = False) -> EventLog:
    """(user, style, moment, grade) each."""
    user, style, at_us, grade = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    style_ids = tuple(f"s{code}" for code in range(style.max() + 1))
    return EventLog(user, style, at_us, grade, style_ids, user.max() + 1, style.max() + 1, has_impressions)


def random_log(seed: int = 0, n: int = 400, **values: bool) -> EventLog:
    rng = np.random.default_rng(seed)
    at_us = np.sort(rng.integers(0, 10_000, n))
    rows = zip(rng.integers(30, size=n), rng.integers(12, size=n), at_us, rng.integers(1, 3, n), strict=True)
    return log_of([tuple(map(int, row)) for row in rows], **values)  # type: ignore[misc]


ONE = np.array([0]), np.array([100])


def test_popularity_counts_likes_or_rates_them_where_impressions_are_known() -> None:
    rows = [(0, 0, 1, 1), (0, 0, 2, 2), (0, 1, 3, 1)]
    np.testing.assert_allclose(Popular(log_of(rows)).scores(*ONE), [[4.0, 1.0]])
    shown = log_of([*rows, (0, 0, 4, 0)], has_impressions=True)
    np.testing.assert_allclose(Popular(shown).scores(*ONE), [[(4 + 25) / 23, (1 + 25) / 21]])


@pytest.mark.parametrize("has_impressions", [False, True])
def test_recent_popularity_is_the_decayed_sum_whatever_moments_are_asked_for(has_impressions: bool) -> None:
    log = random_log(has_impressions=has_impressions)
    recent = RecentlyPopular(log, 500.0)
    moments = np.array([9000, 10, 3000, 9000, 20_000, 0])
    got = recent.scores(np.zeros(len(moments), dtype=np.int64), moments)
    for moment, scores in zip(moments, got, strict=True):
        before = log.take(log.at_us < moment)
        fresh = RecentlyPopular(before, 500.0).scores(np.array([0]), np.array([moment]))[0]
        np.testing.assert_allclose(scores, fresh)
        if not has_impressions:
            worth = np.where(before.grade == 2, 3.0, 1.0) * 0.5 ** ((moment - before.at_us) / 500.0)
            np.testing.assert_allclose(scores, np.bincount(before.style, worth, log.n_styles), atol=1e-12)


def test_neighbours_are_weighed_by_cosine_similarity() -> None:
    tastes = Tastes.of(log_of([(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 3, 1), (1, 2, 4, 1), (2, 2, 5, 1)]))
    scores = Neighbours(tastes, tastes.gram(), 0.0).scores(np.array([2]), np.array([9]))
    np.testing.assert_allclose(scores, [[np.log(2) * 0.5, 0.0, 0.0]])


def test_ease_solves_each_style_from_all_others_by_ridge_regression() -> None:
    log = random_log(1)
    tastes = Tastes.of(log)
    x, l2 = tastes.liked.toarray(), 7.0
    scores = Ease(tastes, tastes.gram(), l2).scores(np.arange(log.n_users), np.zeros(log.n_users))
    for style in range(log.n_styles):
        others = np.delete(np.arange(log.n_styles), style)
        known = x[:, others]
        weights = np.linalg.solve(known.T @ known + l2 * np.eye(len(others)), known.T @ x[:, style])
        np.testing.assert_allclose(scores[:, style], known @ weights, atol=1e-9)


def test_with_all_factors_taste_is_what_was_liked() -> None:
    log = random_log(2)
    tastes = Tastes.of(log)
    few, many = (Factors(tastes, n).scores(np.arange(log.n_users), np.zeros(log.n_users)) for n in (2, 99))
    x = tastes.liked.toarray()
    assert np.linalg.norm(few - x) > np.linalg.norm(many - x)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(few, (u[:, :2] * s[:2]) @ vt[:2], atol=1e-9)


def test_a_log_of_one_style_has_no_directions() -> None:
    tastes = Tastes.of(log_of([(0, 0, 1, 1), (1, 0, 2, 1)]))
    np.testing.assert_array_equal(Factors(tastes, 4).scores(*ONE), [[0.0]])


def test_a_cut_in_time_is_the_same_for_all() -> None:
    log = random_log(3)
    split = split_log(log, "time", 0.25)
    assert len(split.earlier) == pytest.approx(300, abs=3)
    assert len({case.at_us for case in split.cases}) == 1
    assert split.earlier.at_us.max() < split.cases[0].at_us


def test_the_last_like_is_held_back_of_users_who_have_another() -> None:
    rows = [(0, 0, 1, 1), (0, 1, 2, 1), (1, 1, 3, 1), (2, 0, 4, 1), (2, 0, 4, 1)]
    split = split_log(log_of(rows), "last", 0.2)
    assert [(case.user, case.at_us, case.relevant.tolist()) for case in split.cases] == [(0, 2, [1])]
    assert len(split.earlier) == 4


def test_shown_styles_are_ordered_only_if_liked_and_not_liked_ones_are_among_them() -> None:
    rows = [(0, 0, 1, 1), (0, 1, 1, 0), (0, 0, 9, 0), (0, 1, 9, 1), (1, 0, 9, 1), (2, 1, 9, 0)]
    [case] = split_log(log_of(rows, has_impressions=True), "time", 4 / 6).cases
    assert case.user == 0
    assert case.rows is not None
    assert case.rows.tolist() == [0, 1]
    assert case.relevant.tolist() == [False, True]


def test_likes_of_styles_never_seen_before_are_counted_not_judged() -> None:
    split = split_log(log_of([(0, 0, 1, 1), (0, 0, 2, 1), (0, 1, 3, 1), (0, 0, 3, 1)]), "time", 0.5)
    assert split.n_unreachable == 1
    assert [case.relevant.tolist() for case in split.cases] == [[0]]


def test_a_file_is_read_with_every_row_accounted_for(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "user_id,style_id,product_id,type,occurred_at,impression_id\n"
        "ada,waves,mug,impression,2026-03-01T10:00:00Z,i1\n"
        "ada,waves,mug,impression,2026-03-01T10:00:00Z,i1\n"
        "ada,waves,vase,impression,2026-03-01T10:00:01Z,\n"
        "ada,woodcut,mug,impression,2026-03-01T10:00:02Z,i3\n"
        "ada,waves,mug,click,2026-03-01T10:00:09Z,i1\n"
        "ada,waves,vase,click,2026-03-01T10:00:09Z,\n"
        "ada,waves,vase,purchase,2026-03-01T10:00:19Z,\n"
        "ada,waves,lamp,click,2026-03-01T10:00:09Z,\n"
        "ada,waves,vase,click,2026-03-09T10:00:09Z,\n"
        "ada,waves,vase,look,2026-03-09T10:00:09Z,\n"
    )
    log, report = read_event_log(path)
    assert log.grade.tolist() == [1, 2, 0]
    assert log.has_impressions
    assert (report.n_used, report.n_duplicates, report.n_refused) == (3, 1, 1)
    assert (report.n_folded, report.n_unmatched) == (3, 2)
    assert report.n_rows == 3 + 1 + 1 + 3 + 2
    assert report.to_dict()["refused"] == {"type: it is one of impression, click, purchase": 1}
