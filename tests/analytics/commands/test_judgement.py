"""`analytics prefer` and `analytics opinions`: the library's numbers from a file, one sentence for a slip."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.__main__ import main
from analytics.judgement import opinions, prefer, simulate_pairs, simulate_scores

PAIRS = simulate_pairs(
    np.random.default_rng(6), {"007": 0.0, "a": 1.0, "ü": 0.4}, n_raters=12, side=0.5, tie_rate=0.1
)
SCORES = simulate_scores(np.random.default_rng(7), {"007": 2.0, "a": 3.0}, n_raters=12)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def pairs_frame() -> pd.DataFrame:
    preferred = np.select([PAIRS.outcome == 1, PAIRS.outcome == 0], [PAIRS.left, PAIRS.right], "neither")
    return pd.DataFrame(
        {"left": PAIRS.left, "right": PAIRS.right, "preferred": preferred, "judge": PAIRS.rater}
    )


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_prefer_prints_what_the_library_returns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"pairs.{suffix}"
    frame = pairs_frame()
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    assert run(monkeypatch, "prefer", "--pairs", str(path), "--column", "rater=judge", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    agreement = printed.pop("agreement")
    assert printed == json.loads(json.dumps(prefer(PAIRS).to_dict()))
    assert agreement["n_units"] == 3


def test_a_side_may_be_named_instead_of_the_style(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "pairs.csv"
    words = np.select([PAIRS.outcome == 1, PAIRS.outcome == 0], ["Left", "right"], "TIE")
    pairs_frame().assign(preferred=words, rater=PAIRS.rater).to_csv(path, index=False)
    assert run(monkeypatch, "prefer", "--pairs", str(path), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["styles"] == json.loads(json.dumps(prefer(PAIRS).to_dict()))["styles"]


def test_opinions_prints_what_the_library_returns_and_reads_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "scores.csv"
    pd.DataFrame({"style": SCORES.style, "rater": SCORES.rater, "score": SCORES.score}).to_csv(path)
    assert run(monkeypatch, "opinions", "--scores", str(path), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["styles"]["007"]["score"] == pytest.approx(opinions(SCORES)["007"].score)
    assert run(monkeypatch, "opinions", "--scores", str(path)) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "144 scores by 12 raters. “a” leads" in shown
    assert "Krippendorff" in shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("left,right\na,b\n", "has no column 'preferred'"),
        ("left,right,preferred\na,a,a\n", "1 row with a style beside itself"),
        ("left,right,preferred\na,b,c\na,b,d\n", "2 rows whose 'preferred' is neither of their styles"),
        ("left,right,preferred\na,,a\n", "1 row without a 'right'"),
    ],
)
def test_a_file_that_says_no_preference_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    text: str,
    sentence: str,
) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    assert run(monkeypatch, "prefer", "--pairs", str(path)) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("opinions", "--scores", "nowhere.csv"), "there is no such file"),
        (("prefer", "--pairs", "x.csv", "--column", "loser=b"), "--column wants OURS=THEIRS"),
    ],
)
def test_other_slips_get_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert sentence in capsys.readouterr().err


def test_a_score_that_is_no_number_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("style,rater,score\na,x,4\nb,x,good\nb,y,inf\n", encoding="utf-8")
    assert run(monkeypatch, "opinions", "--scores", str(path)) == 2
    assert "2 rows with a score that is no number" in capsys.readouterr().err


def test_an_empty_file_gives_a_reason_and_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("left,right,preferred\n", encoding="utf-8")
    assert run(monkeypatch, "prefer", "--pairs", str(path)) == 0
    assert "Nothing was compared yet." in capsys.readouterr().out
