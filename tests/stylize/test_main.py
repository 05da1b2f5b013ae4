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


def test_background_only_and_subject_only_leave_the_other_as_it_is(photo: Path, tmp_path: Path) -> None:
    mask = Image.new("L", (96, 80))
    mask.paste(255, (0, 0, 48, 80))
    mask.save(tmp_path / "mask.png")
    with Image.open(photo) as opened:
        original = np.asarray(opened, dtype=int)
    for option, kept, painted in (
        ("--background-only", slice(0, 40), slice(56, 96)),
        ("--subject-only", slice(56, 96), slice(0, 40)),
    ):
        result = stylize(
            "render",
            photo,
            "-s",
            NAMES[0],
            "-o",
            tmp_path / "out.png",
            option,
            "--mask",
            tmp_path / "mask.png",
        )
        assert result.exit_code == 0, result.output
        with Image.open(tmp_path / "out.png") as picture:
            changed = np.abs(np.asarray(picture, dtype=int) - original)
        assert changed[:, kept].max() <= 1
        assert changed[:, painted].mean() > 5


@pytest.mark.parametrize(
    "options",
    [
        ("--subject-strength", "0.3", "--background-strength", "0.9"),
        ("--keep-colors",),
        ("--strength", "1", "--stroke-size", "2"),
        ("--background-only", "--strength", "0.8", "--keep-white"),
    ],
)
def test_every_control_changes_the_picture(photo: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    pictures = []
    for extra in ((), options):
        result = stylize("render", photo, "-s", NAMES[0], "-o", tmp_path / "out.png", *extra)
        assert result.exit_code == 0, result.output
        with Image.open(tmp_path / "out.png") as picture:
            assert picture.size == (96, 80)
            pictures.append(np.asarray(picture, dtype=int))
    assert np.abs(pictures[0] - pictures[1]).mean() > 1


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
        (("-s", NAMES[0], "--strength", "1", "--subject-strength", "0"), "leave out --subject-strength"),
        (("-s", NAMES[0], "--background-only", "--subject-only"), "leave nothing to paint"),
        (("-s", NAMES[0], "--background-only", "--subject-strength", "1"), "leave out --subject-strength"),
        (("-s", NAMES[0], "--subject-only", "--background-strength", "1"), "leave out --background-strength"),
        (("-s", NAMES[0], "--strength", "1", "--mask", "missing.png"), "--mask changes nothing"),
        (("-s", NAMES[0], "--subject-only", "--mask", "missing.png"), "missing.png cannot be read"),
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


@pytest.mark.parametrize(
    "arguments",
    [
        ("--strength", "2"),
        ("--strength", "nan"),
        ("--background-strength", "-1"),
        ("--stroke-size", "9"),
        ("--size", "-1"),
        ("--size", "x"),
    ],
)
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
