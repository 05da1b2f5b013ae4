"""What every command shares: where the data are, how the answer is printed, settings from options."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from personalize.settings import Settings

console = Console()

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the database, photos, renders and models; default $PERSONALIZE_DATA_DIR."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def settings_from(data_dir: Path | None, **overrides: Any) -> Settings:
    """Settings of the environment, with the options that were given on top.

    Raises:
        typer.BadParameter: a value that the settings refuse, named.
    """
    given = {"data_dir": data_dir, **overrides}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise typer.BadParameter(problems) from None


def print_json(answer: Any) -> None:
    """The answer as JSON on stdout, for scripts."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
