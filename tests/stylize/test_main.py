import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from stylize.__main__ import app
from stylize.checkpoint import read_checkpoint, shipped_checkpoint_path

NAMES = read_checkpoint(shipped_checkpoint_path()).style_names


def stylize(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def photo(tmp_path: Path, make_photo: Callable[..., Image.Image]) -> Path:
    make_photo().save(tmp_path / "mug.png")
    return tmp_path / "mug.png"


def test_one_photo_in_two_styles(photo: Path, tmp_path: Path) -> None:
    result = stylize(
        "render", photo, "--style", f"{NAMES[0]},{NAMES[1]}", "-o", tmp_path / "out", "--size", 48
    )
    assert result.exit_code == 0, result.output
    assert "wrote 2 pictures" in result.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"mug__{NAMES[0]}.png", f"mug__{NAMES[1]}.png"]
    with Image.open(tmp_path / "out" / names[0]) as picture:
        assert min(picture.size) == 48


def test_all_styles_at_once(photo: Path, tmp_path: Path) -> None:
    assert stylize("render", photo, "-s", "all", "-o", tmp_path / "out").exit_code == 0
    assert len(list((tmp_path / "out").glob("mug__*.png"))) == len(NAMES)


def test_strength_zero_writes_the_photo_itself(photo: Path, tmp_path: Path) -> None:
    result = stylize("render", photo, "-s", NAMES[0], "--strength", 0, "-o", tmp_path / "same.png")
    assert result.exit_code == 0, result.output
    with Image.open(photo) as original, Image.open(tmp_path / "same.png") as copy:
        assert np.array_equal(np.asarray(original), np.asarray(copy))


def test_a_folder_with_a_broken_photo_renders_the_rest_and_says_so(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("I am a text file")
    result = stylize("render", tmp_path, "-s", NAMES[0], "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "text.jpg cannot be read as a picture" in result.output
    assert (tmp_path / "out" / f"mug__{NAMES[0]}.png").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-s", "nosuchstyle"), "there is no style 'nosuchstyle'"),
        (("-s", f"{NAMES[0]}=-1"), "must be zero or more"),
        (("-s", f"{NAMES[0]}=0"), "more than zero"),
        (("-s", NAMES[0], "--checkpoint", "missing.safetensors"), "missing.safetensors does not exist"),
    ],
)
def test_slips_are_answered_in_one_sentence(
    photo: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = stylize("render", photo, *arguments, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert sentence in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [("--strength", "2"), ("--size", "-1"), ("--size", "x")])
def test_values_out_of_range_are_usage_errors(
    photo: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert stylize("render", photo, "-s", "all", "-o", tmp_path, *arguments).exit_code == 2


def test_a_damaged_checkpoint_is_refused(photo: Path, tmp_path: Path) -> None:
    damaged = bytearray(shipped_checkpoint_path().read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(damaged)
    result = stylize("styles", "--checkpoint", tmp_path / "bad.safetensors")
    assert result.exit_code == 1
    assert "SHA-256" in result.output


def test_styles_are_listed_as_a_table_as_json_and_as_a_sheet(photo: Path, tmp_path: Path) -> None:
    table = stylize("styles", "-o", tmp_path / "sheet.png")
    assert all(name in table.output for name in NAMES)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 4 * 96
    listed = json.loads(stylize("styles", "--json").output)
    assert [style["name"] for style in listed["styles"]] == list(NAMES)
    assert {len(style["content_vector"]) for style in listed["styles"]} == {16}
