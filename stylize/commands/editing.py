"""`stylize add-style`, `remove-style`, `rename-style`: change which styles a checkpoint has."""

from pathlib import Path
from typing import Annotated

import typer

from stylize.commands.console import DeviceChoice, DeviceOption, one_sentence_errors
from stylize.commands.train import (
    HoldBackOption,
    LearningRateOption,
    SeedOption,
    SettingsOption,
    StepsOption,
    VggOption,
    settle,
    training_progress,
)

STEPS = 1000
LEARNING_RATE = 1e-2
"""A row alone learns fast: it has no convolutions to keep in step with."""

CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", help="The checkpoint to change; default: the shipped one.")
]
OutFileOption = Annotated[Path, typer.Option("--out", "-o", help="Where the changed checkpoint is written.")]


def add_style(
    picture: Annotated[Path, typer.Argument(help="The style picture.")],
    photos: Annotated[Path, typer.Argument(help="Folder of content photos, sub-folders included.")],
    out: OutFileOption,
    name: Annotated[str | None, typer.Option(help="The style's name; default: the file's.")] = None,
    run_folder: Annotated[
        Path | None, typer.Option("--run", help="Folder of state, log and previews; default: OUT.run.")
    ] = None,
    checkpoint: CheckpointOption = None,
    steps: StepsOption = None,
    learning_rate: LearningRateOption = None,
    hold_back: HoldBackOption = None,
    seed: SeedOption = None,
    settings: SettingsOption = None,
    vgg: VggOption = "auto",
    device: DeviceOption = DeviceChoice.AUTO,
) -> None:
    """Teach a trained network one more style; all others render the same bytes as before."""
    from stylize.checkpoint import read_checkpoint, shipped_checkpoint_path, write_checkpoint
    from stylize.editing import add_style as learn_style
    from stylize.training.recipe import TrainingRecipe

    run_folder = run_folder or out.with_suffix(".run")
    named = {
        "steps": steps or STEPS,
        "learning_rate": LEARNING_RATE if learning_rate is None else learning_rate,
        "n_held_back": hold_back,
        "seed": seed,
    }
    with one_sentence_errors():
        before = read_checkpoint(checkpoint or shipped_checkpoint_path())
        recipe, torch_device = settle(TrainingRecipe(), named, settings or [], device)
    with one_sentence_errors(), training_progress(recipe.steps, run_folder) as progress:
        added = learn_style(
            before, picture, photos, run_folder, recipe, name, vgg, torch_device, on_step=progress
        )
        write_checkpoint(added.checkpoint, out)
    typer.echo(f"wrote {out}: {len(added.checkpoint.style_names)} styles, {added.name} is new")


def remove_style(
    name: Annotated[str, typer.Argument(help="The style to remove.")],
    out: OutFileOption,
    checkpoint: CheckpointOption = None,
) -> None:
    """Write a checkpoint without one of its styles."""
    from stylize.checkpoint import read_checkpoint, shipped_checkpoint_path, write_checkpoint
    from stylize.editing import remove_style as without_style

    with one_sentence_errors():
        after = without_style(read_checkpoint(checkpoint or shipped_checkpoint_path()), name)
        write_checkpoint(after, out)
    typer.echo(f"wrote {out}: {len(after.style_names)} styles, without {name}")


def rename_style(
    name: Annotated[str, typer.Argument(help="The style to rename.")],
    new_name: Annotated[str, typer.Argument(help="Its new name.")],
    out: OutFileOption,
    checkpoint: CheckpointOption = None,
) -> None:
    """Write a checkpoint in which one style has another name."""
    from stylize.checkpoint import read_checkpoint, shipped_checkpoint_path, write_checkpoint
    from stylize.editing import rename_style as with_name

    with one_sentence_errors():
        after = with_name(read_checkpoint(checkpoint or shipped_checkpoint_path()), name, new_name)
        write_checkpoint(after, out)
    typer.echo(f"wrote {out}: {name} is now {new_name}")
