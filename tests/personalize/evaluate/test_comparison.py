"""On logs whose structure is known, the known order of rankers; on one without, no claim at all."""

import json
from itertools import pairwise
from pathlib import Path

import event_worlds
import pytest
from typer.testing import CliRunner

from personalize.__main__ import app
from personalize.errors import EventFileError
from personalize.evaluate import Comparison, compare_rankers
from personalize.evaluate import comparison as comparison_module


def claimed(comparison: Comparison) -> set[tuple[str, str]]:
    return {(claim.better, claim.worse) for claim in comparison.claims}


@pytest.mark.parametrize("split", ["time", "last"])
def test_where_styles_are_liked_together_the_models_of_pairs_win(split: str, tmp_path: Path) -> None:
    log = event_worlds.co_occurring(tmp_path / "log.parquet", n_users=250, n_styles=150)
    order = claimed(compare_rankers(log, split=split))  # type: ignore[arg-type]
    popular = ("popularity", "recent_popularity")
    assert {(pairs, each) for pairs in ("ease", "item_knn") for each in popular} <= order
    assert {("personalize", each) for each in ("ease", "item_knn", *popular)} <= order


@pytest.mark.parametrize("split", ["time", "last"])
def test_where_popularity_drifts_what_was_popular_lately_wins(split: str, tmp_path: Path) -> None:
    log = event_worlds.drifting(tmp_path / "log.parquet", n_users=250)
    order = claimed(compare_rankers(log, split=split))  # type: ignore[arg-type]
    assert {("recent_popularity", each) for each in ("popularity", "ease", "item_knn")} <= order
    assert ("recent_popularity", "personalize") not in order


@pytest.mark.parametrize("split", ["time", "last"])
def test_where_users_have_tastes_ours_wins(split: str, tmp_path: Path) -> None:
    log = event_worlds.tasteful(tmp_path / "log.parquet")
    order = claimed(compare_rankers(log, split=split))  # type: ignore[arg-type]
    others = ("popularity", "recent_popularity", "item_knn", "ease")
    assert {("personalize", each) for each in others} <= order


@pytest.mark.parametrize("split", ["time", "last"])
def test_where_there_is_nothing_to_know_nothing_is_claimed(split: str, tmp_path: Path) -> None:
    log = event_worlds.without_structure(tmp_path / "log.parquet", n_users=250)
    comparison = compare_rankers(log, split=split)  # type: ignore[arg-type]
    assert comparison.claims == ()
    for means in comparison.models.values():
        assert means["auc"].low < 0.52
        assert means["auc"].high > 0.48


def test_thousands_of_styles_without_impressions_are_coped_with_and_the_report_says_how(
    tmp_path: Path,
) -> None:
    log = event_worlds.co_occurring(tmp_path / "log.parquet", n_users=300, n_styles=1500)
    answer = compare_rankers(log).to_dict()
    assert answer["n_styles"] > 1400
    assert any("no impressions" in note and "sampled negatives" in note for note in answer["notes"])
    assert any("out of reach" in note for note in answer["notes"])
    json.dumps(answer, allow_nan=False)


def test_the_same_log_and_seed_give_the_same_answer(tmp_path: Path) -> None:
    log = event_worlds.tasteful(tmp_path / "log.parquet", n_users=60)
    first, again = (compare_rankers(log, seed=3) for _ in range(2))
    assert first.models == again.models


def test_past_the_bound_users_are_drawn_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison_module, "MAX_CASES", 50)
    log = event_worlds.without_structure(tmp_path / "log.parquet", n_users=120)
    comparison = compare_rankers(log)
    assert comparison.n_cases == 50
    assert any(note.startswith("50 of 1") and "judged by" in note for note in comparison.notes)


def test_few_users_are_measured_but_nothing_is_claimed(tmp_path: Path) -> None:
    log = event_worlds.co_occurring(tmp_path / "log.parquet", n_users=20, n_styles=30)
    comparison = compare_rankers(log)
    assert comparison.claims == ()
    assert set(comparison.models) == {"popularity", "recent_popularity", "item_knn", "ease"}
    assert any("personalize was left out" in note for note in comparison.notes)
    assert any("nothing is claimed" in note for note in comparison.notes)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "not one of its 0 rows is an event"),
        (["ada,waves,mug,look,2026-03-01"], "not one of its 1 rows is an event"),
        (["ada,waves,mug,click,2026-03-01"], "nothing to learn from or nobody to judge by"),
        (["ada,waves,mug,impression,2026-03-01"] * 9, "nothing to learn from or nobody to judge by"),
    ],
)
def test_a_log_that_leaves_nothing_is_one_sentence(rows: list[str], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["user_id,style_id,product_id,type,occurred_at", *rows]))
    for split in ("time", "last"):
        with pytest.raises(EventFileError, match=reason):
            compare_rankers(path, split=split)  # type: ignore[arg-type]


def test_the_command_prints_a_table_or_json_and_needs_no_shop(tmp_path: Path) -> None:
    log = event_worlds.tasteful(tmp_path / "log.parquet", n_users=60)
    command = ["evaluate", "--events", str(log), "--k", "5"]
    printed = CliRunner().invoke(app, command, env={"COLUMNS": "200"}).output
    assert "ndcg_at_5" in printed
    assert "users judged by" in printed
    answer = json.loads(CliRunner().invoke(app, [*command, "--json", "--split", "last"]).output)
    assert (answer["k"], answer["split"]) == (5, "last")
    assert answer["rows"]["n_rows"] == answer["rows"]["n_used"] + answer["rows"]["n_folded"]
    values = [answer["models"]["ease"][name]["value"] for name in ("recall_at_5", "hit_at_5")]
    assert all(0 <= value <= 1 for value in values)
    assert all(a["difference"] >= b["difference"] for a, b in pairwise(answer["claims"]))
