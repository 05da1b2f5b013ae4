"""`analytics refresh`: bring the rollup of an experiment to what its logs say now; for cron."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from analytics.commands.options import Where, takes_options
from analytics.errors import InvalidRequest, UnknownExperiment


@takes_options
def refresh(where: Where) -> None:
    """Bring the rollup in the database up to date; `compare` reads it from then on."""
    from analytics.definition import read_definition
    from analytics.reading import Database
    from analytics.rollup import Rollup
    from analytics.sql.database import opened, stored_definition

    source = where.source()
    if not isinstance(source, Database):
        raise InvalidRequest("a rollup lives in a database: name --database and --experiment")
    with opened(source.database) as connection:
        name = where.experiment or ""
        stored = stored_definition(connection, source.relations.experiments, name)
        definition = read_definition(where.definition) if where.definition else stored
        if definition is None:
            raise UnknownExperiment(name, [])
        rollup = Rollup(definition, source.logs, where.cleaning())
        with _progress() as on_progress:
            done = rollup.refresh(connection.engine, on_progress)
    what = "made anew" if done.is_rebuilt else f"{len(done.days)} days folded" if done.days else "up to date"
    typer.echo(f"Rollup of {definition.name!r}: {what}.")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar of the days, on a terminal, gone when they are done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("folding days", total=None)
        yield lambda done, n_days: progress.update(task, completed=done, total=max(n_days, 1))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(refresh)
