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
from stylize.errors import InvalidLook
from stylize.render.look import LARGEST_STROKE, SMALLEST_STROKE, Look

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
    strength: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Of product and background: 0 is the photo, 1 the full style."),
    ] = None,
    subject_strength: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of the product alone. [default: the checkpoint's]")
    ] = None,
    background_strength: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of its surroundings. [default: the checkpoint's]")
    ] = None,
    is_background_only: Annotated[
        bool, typer.Option("--background-only", help="Leave the product as it is.")
    ] = False,
    is_subject_only: Annotated[
        bool, typer.Option("--subject-only", help="Leave the background as it is.")
    ] = False,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Where the product is: white on black, or by alpha. [default: the photo's alpha, or found]"
        ),
    ] = None,
    is_color_kept: Annotated[
        bool, typer.Option("--keep-colors", help="Brightness from the painting, colours from the photo.")
    ] = False,
    is_white_kept: Annotated[
        bool, typer.Option("--keep-white", help="Leave a flat, near-white studio background as it is.")
    ] = False,
    stroke_size: Annotated[
        float, typer.Option(min=SMALLEST_STROKE, max=LARGEST_STROKE, help="2 paints strokes twice as large.")
    ] = 1.0,
    size: Annotated[
        int | None, typer.Option(min=16, help="Bring the photo's shorter side to this, in px.")
    ] = None,
    checkpoint: CheckpointOption = None,
    device: DeviceOption = DeviceChoice.AUTO,
) -> None:
    """Render photos in one style, in several, or in a mixture."""
    from stylize.render.files import plan_jobs, render_jobs
    from stylize.render.renderer import Renderer
    from stylize.subject import load_mask

    with one_sentence_errors():
        subject, background = _strengths(
            strength, subject_strength, background_strength, is_background_only, is_subject_only
        )
        renderer = Renderer.open(checkpoint, device.value)
        mixtures = renderer.bank.parse(style)
        looks = [
            Look(mixture, subject, background, is_color_kept, is_white_kept, stroke_size)
            for mixture in mixtures
        ]
        jobs = plan_jobs(photos, mixtures, out)
        if mask is not None:
            _check_mask_matters(looks[0].strengths(renderer.default_strengths), len(jobs))
        subject_mask = None if mask is None else load_mask(mask)
        rendered = render_jobs(renderer, jobs, looks, subject_mask, size)
        results = list(with_progress(rendered, len(jobs), "rendering"))
    _report_rendered(results, out)


def _strengths(
    both: float | None,
    subject: float | None,
    background: float | None,
    background_only: bool,
    subject_only: bool,
) -> tuple[float | None, float | None]:
    """Of product and background, None for the checkpoint's own; options must not contradict one another."""
    if both is not None and (subject is not None or background is not None):
        raise InvalidLook(
            "--strength sets both strengths; leave out --subject-strength and --background-strength"
        )
    if background_only and subject_only:
        raise InvalidLook("--background-only and --subject-only leave nothing to paint; choose one")
    if background_only and subject is not None:
        raise InvalidLook("--background-only leaves the product as it is; leave out --subject-strength")
    if subject_only and background is not None:
        raise InvalidLook("--subject-only leaves the background as it is; leave out --background-strength")
    subject, background = (both, both) if both is not None else (subject, background)
    return 0.0 if background_only else subject, 0.0 if subject_only else background


def _check_mask_matters(strengths: tuple[float, float], n_photos: int) -> None:
    if n_photos != 1:
        raise InvalidLook(f"--mask belongs to one photo, got {n_photos}; render them one by one")
    if strengths[0] == strengths[1]:
        raise InvalidLook(
            "--mask changes nothing while product and background have one strength; "
            "add --subject-strength, --background-strength, --background-only or --subject-only"
        )


def _report_rendered(results: "list[RenderedFile]", out: Path) -> None:
    skipped = [result for result in results if result.error is not None]
    n_written = sum(len(result.written) for result in results)
    typer.echo(f"wrote {n_written} picture{'' if n_written == 1 else 's'} to {out}")
    for result in skipped:
        typer.echo(f"skipped {result.photo}: {result.error}", err=True)
    if skipped:
        raise typer.Exit(1)
