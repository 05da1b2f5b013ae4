import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylize.checkpoint import read_checkpoint
from stylize.errors import DivergedTraining, ImageTooSmall, NoImages, ResumeMismatch, StylizeError
from stylize.losses import STYLE_LAYERS
from stylize.targets import prepare_styles, read_style_pictures
from stylize.training.augmentation import Augmentation
from stylize.training.conditions import Curriculum
from stylize.training.content import ContentSampler
from stylize.training.objective import LossWeights
from stylize.training.recipe import Optimizer, Stage, TrainingRecipe
from stylize.training.run_folder import LOG, STATE
from stylize.training.schedule import Schedule
from stylize.training.train import Pace, split_photos, train
from stylize.training.trainer import StepReport, Trainer
from stylize.vgg import VGGWeights

RECIPE = TrainingRecipe(
    steps=12,
    stages=(Stage(0.0, 64, 2), Stage(0.75, 72, 4)),
    photo_px=64,
    augmentation=Augmentation(zoom=1.2),
    style_sizes_px=(64,),
    schedule=Schedule(warmup_steps=3),
    layer_weights=dict.fromkeys(STYLE_LAYERS[:4], 1.0),
    n_held_back=1,
    widths=(8, 12, 16),
    num_residual_blocks=1,
)
TESTS = Path(__file__).parents[2]
FULL_ONLY = Curriculum(regions_share=0, strength_share=0, mixture_share=0)
Folders = tuple[Path, Path]


def make_trainer(folders: Folders, vgg: VGGWeights, recipe: TrainingRecipe = RECIPE) -> Trainer:
    photos, _ = split_photos(folders[0], recipe.n_held_back)
    layers = list(recipe.layer_weights)
    styles = prepare_styles(read_style_pictures(folders[1]), recipe.style_sizes_px, layers, vgg)
    return Trainer(recipe, styles, photos, vgg)


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / LOG).read_text().splitlines()]


def interrupt_at(step: int, error: type[BaseException] = KeyboardInterrupt) -> Callable[[StepReport], None]:
    def stop(report: StepReport) -> None:
        if report.step == step:
            raise error

    return stop


def test_the_loss_falls(training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(
        *training_folders,
        out,
        replace(RECIPE, steps=60, learning_rate=1e-2, curriculum=FULL_ONLY),
        narrow_vgg,
    )
    curve = losses(out)
    assert len(curve) == 60
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
    with Image.open(tmp_path / "run" / "curves.png") as curves:
        assert len(curves.getcolors(maxcolors=100_000) or []) > 4
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
            on_step=interrupt_at(7, stopped_by), pace=Pace(3, 900, clock=iter(range(1000)).__next__),
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
    trainer = make_trainer(training_folders, narrow_vgg)
    seen = [name for _ in range(4) for name in trainer.step().style_losses]
    assert seen.count("dots") == seen.count("stripes") == 4


def test_a_lone_style_never_sees_a_crop_twice_in_a_batch(
    training_folders: Folders, narrow_vgg: VGGWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    next(training_folders[1].iterdir()).unlink()
    seen: list[int] = []
    look = ContentSampler.crop_at
    monkeypatch.setattr(
        ContentSampler, "crop_at", lambda self, at, px: (seen.append(at), look(self, at, px))[1]
    )
    trainer = make_trainer(training_folders, narrow_vgg)
    trainer.step()
    trainer.step()
    assert seen == [0, 1, 2, 3]


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(
    training_folders: Folders, narrow_vgg: VGGWeights
) -> None:
    trainer = make_trainer(training_folders, narrow_vgg)
    trainer.objective.targets.grams["relu1_1"].fill_(float("inf"))
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    with pytest.raises(DivergedTraining, match=r"photo\d\.png.*(dots|stripes)"):
        trainer.step()
    assert all((a == b).all() for a, b in zip(before, trainer.network.parameters(), strict=True))


def test_folders_without_usable_pictures_are_refused(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NoImages, match="no style pictures"):
        train(training_folders[0], empty, tmp_path / "run", RECIPE, narrow_vgg)
    with pytest.raises(NoImages, match="held back"):
        split_photos(training_folders[0], 6)


def test_style_pictures_that_are_too_small_or_share_a_name_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (63, 300)).save(tmp_path / "tiny.png")
    with pytest.raises(ImageTooSmall, match="at least 64 px"):
        read_style_pictures(tmp_path)
    Image.new("RGB", (64, 64)).save(tmp_path / "tiny.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "tiny.jpg")
    with pytest.raises(StylizeError, match="two style pictures named 'tiny'"):
        read_style_pictures(tmp_path)


def test_a_run_can_start_from_a_trained_network(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path
) -> None:
    parent = read_checkpoint(train(*training_folders, tmp_path / "first", RECIPE, narrow_vgg))
    recipe = replace(RECIPE, steps=1, learning_rate=0.0, seed=5)
    child = read_checkpoint(train(*training_folders, tmp_path / "second", recipe, narrow_vgg, start=parent))
    assert np.array_equal(child.style_table, parent.style_table)
    assert child.recipe["started_from"]["sha256"] == parent.sha256
    assert child.recipe["started_from"]["recipe"]["steps_done"] == 12


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": Optimizer("adamw", weight_decay=0.01)},
        {"schedule": Schedule("plateau", warmup_steps=1, patience_steps=3, min_improvement=0.9)},
        {"losses": LossWeights(sliced_wasserstein=0.5)},
        {"losses": LossWeights(adversarial=0.1)},
    ],
    ids=["adamw", "plateau", "sliced_wasserstein", "adversarial"],
)
def test_every_setting_resumes_to_the_same_bits(
    training_folders: Folders, narrow_vgg: VGGWeights, tmp_path: Path, change: dict[str, object]
) -> None:
    recipe = replace(RECIPE, steps=8, **change)
    plain = read_checkpoint(
        train(*training_folders, tmp_path / "plain", replace(RECIPE, steps=8), narrow_vgg)
    )
    whole = read_checkpoint(train(*training_folders, tmp_path / "whole", recipe, narrow_vgg))
    with pytest.raises(KeyboardInterrupt):
        train(*training_folders, tmp_path / "broken", recipe, narrow_vgg, on_step=interrupt_at(5))
    resumed = read_checkpoint(train(*training_folders, tmp_path / "broken", recipe, narrow_vgg))
    assert resumed.sha256 == whole.sha256
    assert not np.array_equal(whole.style_table, plain.style_table)


def test_two_processes_train_the_network_that_one_would(training_folders: Folders, tmp_path: Path) -> None:
    """Gradients are averaged over halves of the batch; Adam soon blows rounding up, so it is two steps."""
    recipe = replace(RECIPE, steps=2, stages=(Stage(0.0, 64, 4),), is_bf16=False)
    script = Path(__file__).with_name("train_in_parallel.py")
    arguments = [str(script), *map(str, training_folders)]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    (tmp_path / "recipe.json").write_text(json.dumps(asdict(recipe)))
    for command, out in (([sys.executable], "one"), (launcher, "two")):
        subprocess.run(
            [*command, *arguments, str(tmp_path / out), str(tmp_path / "recipe.json")],
            check=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)},
        )  # fmt: skip
    logs = [(tmp_path / name / LOG).read_text().splitlines() for name in ("one", "two")]
    one, two = ([json.loads(line) for line in log] for log in logs)
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], rel=1e-3)
    assert [row["gradient_norm"] for row in two] == pytest.approx(
        [row["gradient_norm"] for row in one], rel=0.02
    )
    assert (tmp_path / "two" / "checkpoint.safetensors").exists()
