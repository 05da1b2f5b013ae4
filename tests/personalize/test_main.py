"""The command line: one sentence when something is wrong, and commands that may be run again."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from personalize.__main__ import app, main


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two good photos, one text file called .jpg."""
    folder = tmp_path / "my photos"
    (folder / "mug").mkdir(parents=True)
    Image.new("RGB", (48, 64), "teal").save(folder / "mug" / "teal.jpg")
    Image.new("RGB", (64, 48), "coral").save(folder / "mug" / "coral.png")
    (folder / "mug" / "notes.jpg").write_text("not a picture")
    return folder


def run(*arguments: str, data_dir: Path) -> str:
    result = CliRunner().invoke(app, [*arguments, "--data-dir", str(data_dir)], env={"COLUMNS": "400"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_upgrade_then_current_is_head(tmp_path: Path) -> None:
    assert "run `personalize db upgrade`" in run("db", "current", data_dir=tmp_path)
    assert "16 styles on offer" in run("db", "upgrade", data_dir=tmp_path)
    assert "(head)" in run("db", "current", data_dir=tmp_path)


def test_adding_a_catalogue_twice_doubles_nothing(photos: Path, tmp_path: Path) -> None:
    first = run("catalog", "add", str(photos), data_dir=tmp_path)
    assert "2 added, 0 updated, 0 unchanged, 1 skipped" in first
    assert "notes.jpg" in first
    second = run("catalog", "add", str(photos), data_dir=tmp_path)
    assert "0 added, 0 updated, 2 unchanged, 1 skipped" in second


def test_ranking_a_newcomer_falls_back_to_popularity(photos: Path, tmp_path: Path) -> None:
    run("catalog", "add", str(photos), data_dir=tmp_path)
    ranking = json.loads(run("rank", "ada", "--product", "mug-teal", "--k", "3", "--json", data_dir=tmp_path))
    assert ranking["model_version"] == "online"
    assert len(ranking["styles"]) == 3


def test_retraining_without_data_is_refused_with_the_reason(photos: Path, tmp_path: Path) -> None:
    run("catalog", "add", str(photos), data_dir=tmp_path)
    report = json.loads(run("retrain", "--json", data_dir=tmp_path))
    assert report["verdict"] == "refused"
    assert "too few" in report["reasons"][0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rank", "ada"], "personalize db upgrade"),
        (["catalog", "add", "no/such/folder"], "no/such/folder"),
    ],
)
def test_errors_are_one_sentence_on_stderr(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["personalize", *arguments, "--data-dir", str(tmp_path / "data")])
    with pytest.raises(SystemExit) as ended:
        main()
    stderr = capsys.readouterr().err
    assert ended.value.code == 1
    assert sentence in stderr
    assert stderr.startswith("personalize: ")
    assert stderr.count("\n") == 1


def test_a_setting_out_of_range_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["serve", "--strength", "2", "--data-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "strength" in result.output
