import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from stylize.checkpoint import StyleCheckpoint, write_checkpoint
from stylize.errors import InvalidRecipe
from stylize.training.recipe import Stage, TrainingRecipe
from stylize.training.recipe_files import change_settings, read_recipe, to_recipe

RECIPE = TrainingRecipe(steps=7, stages=(Stage(0.0, 64, 2), Stage(0.5, 96, 1)), learning_rate=1e-3)


def test_a_recipe_survives_json(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(asdict(RECIPE)))
    assert read_recipe(tmp_path / "recipe.json") == RECIPE


def test_a_recipe_comes_back_out_of_a_checkpoint(small_checkpoint: StyleCheckpoint, tmp_path: Path) -> None:
    facts = {**asdict(RECIPE), "steps_done": 7, "n_photos": 3}
    write_checkpoint(replace(small_checkpoint, recipe=facts), tmp_path / "c.safetensors")
    assert read_recipe(tmp_path / "c.safetensors") == RECIPE


def test_single_settings_change_by_name() -> None:
    changed = change_settings(
        RECIPE, ["losses.readability=2", "schedule.kind=plateau", "style_sizes_px=[64, 96]", "seed=3"]
    )
    assert changed.losses.readability == 2
    assert changed.schedule.kind == "plateau"
    assert changed.style_sizes_px == (64, 96)
    assert (
        replace(changed, losses=RECIPE.losses, schedule=RECIPE.schedule, style_sizes_px=(256, 288), seed=0)
        == RECIPE
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("losses.nosuch=1", "NAME=VALUE"),
        ("nosuch=1", "NAME=VALUE"),
        ("steps", "NAME=VALUE"),
        ("steps=many", "steps cannot be"),
        ("schedule.kind=zigzag", "schedule.kind cannot be"),
        ("losses.content=-1", "zero or more"),
    ],
)
def test_slips_are_refused_in_one_sentence(change: str, sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        change_settings(RECIPE, [change])


def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("steps: 3")
    with pytest.raises(InvalidRecipe, match="neither a checkpoint nor JSON"):
        read_recipe(tmp_path / "recipe.json")
    with pytest.raises(InvalidRecipe, match="stages"):
        to_recipe({"stages": "tall"})
