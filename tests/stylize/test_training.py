import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylize.checkpoint import read_checkpoint
from stylize.errors import DivergedTraining, ImageTooSmall, NoImages, ResumeMismatch, StylizeError
from stylize.losses import STYLE_LAYERS
from stylize.recipe import TrainingRecipe
from stylize.run_folder import LOG, STATE
from stylize.targets import read_style_pictures
from stylize.trainer import StepReport
from stylize.training import prepare, train
from stylize.vgg import VGGWeights

RECIPE = TrainingRecipe(
    steps=12,
    batch_size=2,
    crop_px=64,
    photo_px=64,
    zoom=1.2,
    style_sizes_px=(64,),
    warmup_steps=3,
    layer_weights=dict.fromkeys(STYLE_LAYERS[:4], 1.0),
    n_held_back=1,
    widths=(8, 12, 16),
    num_residual_blocks=1,
)
Folders = tuple[Path, Path]


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / LOG).read_text().splitlines()]


def interrupt_at(step: int, error: type[BaseException] = KeyboardInterrupt) -> Callable[[StepReport], None]:
    def stop(report: StepReport) -> None:
        if report.step == step:
            raise error

    return stop


def test_the_loss_falls(training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(*training_folders, out, replace(RECIPE, steps=30, learning_rate=1e-2), narrow_vgg)
    curve = losses(out)
    assert len(curve) == 30
    assert np.mean(curve[-8:]) < 0.75 * np.mean(curve[:8])


def test_a_run_leaves_checkpoint_log_and_preview(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path
) -> None:
    checkpoint = read_checkpoint(train(*training_folders, tmp_path / "run", RECIPE, narrow_vgg))
    assert checkpoint.style_names == ("dots", "stripes")
    assert checkpoint.recipe["steps_done"] == 12
    assert checkpoint.recipe["vgg"] == "narrow"
    assert checkpoint.recipe["n_photos"] == 5
    with Image.open(tmp_path / "run" / "previews" / "step_000012.png") as preview:
        assert preview.width > 3 * 128
    report = json.loads((tmp_path / "run" / LOG).read_text().splitlines()[-1])
    assert set(report["style_losses"]) <= {"dots", "stripes"}


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_resumes_to_the_same_bits(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path, stopped_by: type[BaseException]
) -> None:
    whole = train(*training_folders, tmp_path / "whole", RECIPE, narrow_vgg)
    broken = tmp_path / "broken"
    with pytest.raises(stopped_by):  # the second kind dies without saving and falls back to its last save
        train(
            *training_folders, broken, RECIPE, narrow_vgg,
            on_step=interrupt_at(7, stopped_by), save_every_seconds=3, clock=iter(range(1000)).__next__,
        )  # fmt: skip
    resumed = train(*training_folders, broken, RECIPE, narrow_vgg)
    assert read_checkpoint(resumed).sha256 == read_checkpoint(whole).sha256
    assert losses(broken) == losses(tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, steps=2)
    first = read_checkpoint(train(*training_folders, tmp_path / "run", recipe, narrow_vgg)).sha256
    again = read_checkpoint(train(*training_folders, tmp_path / "run", recipe, narrow_vgg)).sha256
    assert first == again


def test_a_run_folder_of_another_recipe_is_refused(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path
) -> None:
    train(*training_folders, tmp_path / "run", replace(RECIPE, steps=1), narrow_vgg)
    with pytest.raises(ResumeMismatch, match="another recipe"):
        train(*training_folders, tmp_path / "run", replace(RECIPE, seed=1), narrow_vgg)


def test_a_damaged_state_is_refused(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train(*training_folders, out, replace(RECIPE, steps=1), narrow_vgg)
    whole = (out / STATE).read_bytes()
    for damaged in (whole[:1000], whole[:-5] + b"\x07" + whole[-4:]):
        (out / STATE).write_bytes(damaged)
        with pytest.raises(ResumeMismatch, match="damaged"):
            train(*training_folders, out, RECIPE, narrow_vgg)


def test_every_style_is_drawn_equally_often(training_folders: Folders, narrow_vgg: VGGWeights) -> None:
    trainer, _ = prepare(*training_folders, RECIPE, narrow_vgg, "cpu")
    seen = [name for _ in range(4) for name in trainer.step().style_losses]
    assert seen.count("dots") == seen.count("stripes") == 4


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(
    training_folders: Folders, narrow_vgg: VGGWeights
) -> None:
    trainer, _ = prepare(*training_folders, RECIPE, narrow_vgg, "cpu")
    trainer.targets.grams["relu1_1"].fill_(float("inf"))
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    with pytest.raises(DivergedTraining, match=r"photo\d\.png.*(dots|stripes)"):
        trainer.step()
    assert all((a == b).all() for a, b in zip(before, trainer.network.parameters(), strict=True))


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    recipe = TrainingRecipe(steps=1000, warmup_steps=100, learning_rate=1.0)
    assert recipe.learning_rate_at(0) == pytest.approx(0.01)
    assert recipe.learning_rate_at(100) == pytest.approx(1.0)
    assert recipe.learning_rate_at(550) == pytest.approx(0.5)
    assert recipe.learning_rate_at(1000) == pytest.approx(0.0)


def test_folders_without_usable_pictures_are_refused(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NoImages, match="no style pictures"):
        prepare(training_folders[0], empty, RECIPE, narrow_vgg, "cpu")
    with pytest.raises(NoImages, match="held back"):
        prepare(*training_folders, replace(RECIPE, n_held_back=6), narrow_vgg, "cpu")


def test_style_pictures_that_are_too_small_or_share_a_name_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (63, 300)).save(tmp_path / "tiny.png")
    with pytest.raises(ImageTooSmall, match="at least 64 px"):
        read_style_pictures(tmp_path)
    Image.new("RGB", (64, 64)).save(tmp_path / "tiny.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "tiny.jpg")
    with pytest.raises(StylizeError, match="two style pictures named 'tiny'"):
        read_style_pictures(tmp_path)
