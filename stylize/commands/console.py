"""What the commands share: options, one-sentence errors, progress."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from stylize.errors import StylizeError

T = TypeVar("T")


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


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """A user's slip ends the command with one sentence on stderr, never with a traceback."""
    try:
        yield
    except StylizeError as error:
        fail(str(error))
    except FileNotFoundError as error:
        fail(f"{error.filename} does not exist")
    except OSError as error:
        fail(str(error))


def fail(sentence: str, code: int = 1) -> NoReturn:
    """End the command with this sentence on stderr."""
    typer.echo(f"stylize: {sentence}", err=True)
    raise typer.Exit(code)


def with_progress(results: Iterable[T], total: int, verb: str) -> Iterator[T]:
    """The results as they come, with a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import track

    yield from track(results, verb, total=total, console=Console(stderr=True), transient=True)
