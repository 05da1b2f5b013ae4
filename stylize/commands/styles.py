"""`stylize styles`: the styles of a checkpoint, as a table, as JSON or as a contact sheet."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stylize.commands.console import CheckpointOption, one_sentence_errors

if TYPE_CHECKING:
    from PIL import Image

    from stylize.styles import StyleInfo


def styles(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a contact sheet here (PNG, JPEG).")
    ] = None,
    photo: Annotated[Path | None, typer.Option(help="Show this photo in every style on the sheet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    checkpoint: CheckpointOption = None,
) -> None:
    """List the styles of a checkpoint, and draw them on a contact sheet."""
    from stylize.checkpoint import read_checkpoint, shipped_checkpoint_path

    with one_sentence_errors():
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
