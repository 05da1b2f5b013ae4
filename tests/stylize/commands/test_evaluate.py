import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stylize.__main__ import app
from stylize.checkpoint import StyleCheckpoint, read_checkpoint, write_checkpoint

Evaluate = Callable[..., Result]


@pytest.fixture
def evaluate(
    tmp_path: Path, shop: Path, style_folder: Path, small_checkpoint: StyleCheckpoint, vgg_file: Path
) -> Evaluate:
    """The command on a small shop, a small network and a narrow VGG."""
    write_checkpoint(small_checkpoint, tmp_path / "net.safetensors")

    def run(*options: str | Path, photos: Path = shop) -> Result:
        fixed = ("--checkpoint", tmp_path / "net.safetensors", "--vgg", vgg_file)
        small = (
            "--photos",
            2,
            "--hold-back",
            4,
            "--size",
            64,
            "--device",
            "cpu",
            "--work",
            tmp_path / "work",
        )
        arguments = ("evaluate", photos, style_folder, *fixed, *small, *options)
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "140"})

    return run


def test_one_command_measures_reports_and_writes_the_default(evaluate: Evaluate, tmp_path: Path) -> None:
    files = ("--json", tmp_path / "figures.json", "--html", tmp_path / "report.html")
    choice = ("--strengths", "0.3,1 0.6,1", "--least-recognised", "0", "--write-default")
    result = evaluate(*files, *choice)
    assert result.exit_code == 0, result.output
    assert "strength 0 against the photo" in result.output
    assert "half-and-half mixtures" in result.output
    figures = json.loads((tmp_path / "figures.json").read_text())
    rewritten = read_checkpoint(tmp_path / "net.safetensors")
    assert list(figures["styles"]) == ["dots", "stripes", "waves"]
    assert figures["default_strengths"] == list(rewritten.default_strengths)
    assert figures["checkpoint"] == rewritten.sha256
    best = max(trial["identified_rate"] for trial in figures["strengths"])
    assert figures["overall"]["identified_default_rate"] == best
    html = (tmp_path / "report.html").read_text()
    assert html.count("<img") >= 2 + 3 * 3
    assert "http" not in html.replace("http-equiv", "")


def test_where_no_pair_is_recognised_enough_the_checkpoint_stays(evaluate: Evaluate, tmp_path: Path) -> None:
    before = (tmp_path / "net.safetensors").read_bytes()
    result = evaluate("--no-mixes", "--least-recognised", "9", "--write-default")
    assert result.exit_code == 0, result.output
    assert "the default stays 1 / 1" in result.output
    assert (tmp_path / "net.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--strengths", "half"), "strengths are `grid` or pairs"),
        (("--checkpoint", "missing.safetensors"), "missing.safetensors does not exist"),
        (("--vgg", "missing.bin"), "missing.bin cannot be read as VGG19 weights"),
    ],
)
def test_slips_are_answered_in_one_sentence(
    evaluate: Evaluate, options: tuple[str, ...], sentence: str
) -> None:
    result = evaluate(*options)
    assert result.exit_code == 1
    assert sentence in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_folder_without_photos_is_answered_in_one_sentence(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = evaluate(photos=tmp_path / "empty")
    assert result.exit_code == 1
    assert "empty holds no photos" in result.output
