from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylize.checkpoint import StyleCheckpoint, read_checkpoint
from stylize.editing import add_style, checked_name, remove_style, rename_style
from stylize.errors import ImageTooSmall, InvalidStyleName, LastStyle, UnknownStyle
from stylize.losses import STYLE_LAYERS
from stylize.render.renderer import Renderer
from stylize.training.conditions import Curriculum
from stylize.training.recipe import Stage, TrainingRecipe
from stylize.training.schedule import Schedule
from stylize.training.train import train
from stylize.vgg import VGGWeights

RECIPE = TrainingRecipe(
    steps=60,
    stages=(Stage(0.0, 64, 4),),
    photo_px=64,
    style_sizes_px=(64,),
    schedule=Schedule(warmup_steps=3),
    learning_rate=1e-2,
    layer_weights=dict.fromkeys(STYLE_LAYERS[:3], 1.0),
    curriculum=Curriculum(0.0, 0.0, 0.0),
    n_held_back=1,
    ema_decay=0.9,
    widths=(8, 12, 16),
    num_residual_blocks=1,
)


@pytest.fixture
def trained(training_folders: tuple[Path, Path], narrow_vgg: VGGWeights, tmp_path: Path) -> StyleCheckpoint:
    """A checkpoint of the styles dots and stripes."""
    return read_checkpoint(train(*training_folders, tmp_path / "joint", RECIPE, narrow_vgg))


def test_an_added_style_learns_and_moves_no_other(
    trained: StyleCheckpoint,
    training_folders: tuple[Path, Path],
    narrow_vgg: VGGWeights,
    make_photo: Callable[..., Image.Image],
    tmp_path: Path,
) -> None:
    picture = tmp_path / "checks.png"
    Image.fromarray(np.kron(np.indices((12, 12)).sum(0) % 2, np.full((8, 8), 255)).astype(np.uint8)).save(
        picture
    )
    reports = []
    added = add_style(
        trained,
        picture,
        training_folders[0],
        tmp_path / "add",
        replace(RECIPE, learning_rate=3e-2),
        vgg=narrow_vgg,
        on_step=reports.append,
    )
    after = added.checkpoint
    assert after.style_names == ("dots", "stripes", "checks")
    assert np.array_equal(after.style_table[:2], trained.style_table)
    assert np.array_equal(after.content_vectors[:2], trained.content_vectors)
    assert all(np.array_equal(after.shared[name], values) for name, values in trained.shared.items())
    style = [report.losses["style"] for report in reports]
    assert np.mean(style[-8:]) < 0.9 * np.mean(style[:4])

    photo, looks = make_photo(), [{"dots": 1.0}, {"stripes": 1.0}, {"dots": 0.3, "stripes": 0.7}]
    before = Renderer(trained, "cpu").render([photo] * 3, looks)
    now = Renderer(after, "cpu").render([photo] * 3, looks)
    assert [picture.tobytes() for picture in now] == [picture.tobytes() for picture in before]


def test_a_removed_style_leaves_the_others_bit_for_bit(small_checkpoint: StyleCheckpoint) -> None:
    after = remove_style(small_checkpoint, "stripes")
    assert after.style_names == ("dots", "waves")
    assert np.array_equal(after.style_table, small_checkpoint.style_table[[0, 2]])
    assert len(after.thumbnails) == len(after.content_vectors) == 2


def test_a_renamed_style_keeps_its_row(small_checkpoint: StyleCheckpoint) -> None:
    after = rename_style(small_checkpoint, "dots", "spots")
    assert after.style_names == ("spots", "stripes", "waves")
    assert np.array_equal(after.style_table, small_checkpoint.style_table)


def test_unknown_and_last_styles_cannot_go(small_checkpoint: StyleCheckpoint) -> None:
    with pytest.raises(UnknownStyle, match="nearest"):
        remove_style(small_checkpoint, "dot")
    alone = remove_style(remove_style(small_checkpoint, "dots"), "waves")
    with pytest.raises(LastStyle, match="only style"):
        remove_style(alone, "stripes")


@pytest.mark.parametrize("name", ["", " ", "a=b", "a,b", "../x", "all", "x" * 61, "dots", " dots", "a\x00b"])
def test_names_that_no_style_can_have_are_refused(name: str) -> None:
    with pytest.raises(InvalidStyleName, match="cannot name a style"):
        checked_name(name, ["dots"])


def test_a_picture_that_is_too_small_is_refused_before_anything_is_trained(
    small_checkpoint: StyleCheckpoint,
    training_folders: tuple[Path, Path],
    narrow_vgg: VGGWeights,
    tmp_path: Path,
) -> None:
    Image.new("RGB", (63, 200)).save(tmp_path / "tiny.png")
    with pytest.raises(ImageTooSmall, match="at least 64 px"):
        add_style(
            small_checkpoint, tmp_path / "tiny.png", training_folders[0], tmp_path / "run",
            replace(RECIPE, steps=1), vgg=narrow_vgg,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
