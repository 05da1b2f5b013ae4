"""`stylize render`: photos on disk in, pictures on disk out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stylize.commands.console import (
    CheckpointOption,
    DeviceChoice,
    DeviceOption,
    one_sentence_errors,
    with_progress,
)

if TYPE_CHECKING:
    from stylize.render.files import RenderedFile


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

    with one_sentence_errors():
        renderer = Renderer.open(checkpoint, device.value)
        mixtures = renderer.bank.parse(style)
        jobs = plan_jobs(photos, mixtures, out)
        rendered = render_jobs(renderer, jobs, mixtures, strength, size)
        results = list(with_progress(rendered, len(jobs), "rendering"))
    _report_rendered(results, out)


def _report_rendered(results: "list[RenderedFile]", out: Path) -> None:
    skipped = [result for result in results if result.error is not None]
    n_written = sum(len(result.written) for result in results)
    typer.echo(f"wrote {n_written} picture{'' if n_written == 1 else 's'} to {out}")
    for result in skipped:
        typer.echo(f"skipped {result.photo}: {result.error}", err=True)
    if skipped:
        raise typer.Exit(1)
