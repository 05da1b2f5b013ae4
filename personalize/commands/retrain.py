"""`personalize retrain`: one night."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from personalize.commands.options import AsJson, DataDir, console, print_json, settings_from

if TYPE_CHECKING:
    from personalize.models.boosting import Grower
    from personalize.settings import Settings


class GrowOn(StrEnum):
    LOCAL = "local"
    DASK = "dask"


def retrain(
    data_dir: DataDir = None,
    engine: Annotated[GrowOn, typer.Option(help="Where trees are grown.")] = GrowOn.LOCAL,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler, e.g. tcp://host:8786; default a local cluster.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train on the log, judge against the champion, promote or refuse with the reasons."""
    from personalize.data.database import open_database, require_head
    from personalize.retrain import retrain as run_night

    if scheduler is not None and engine is not GrowOn.DASK:
        raise typer.BadParameter("goes with --engine dask", param_hint="--scheduler")
    settings = settings_from(data_dir)
    database = open_database(settings.resolved_database_url)
    try:
        require_head(database)
        with _grower(engine, scheduler, settings) as grower:
            report = run_night(database, settings, as_of=datetime.now(UTC), grower=grower)
    finally:
        database.dispose()
    if as_json:
        print_json(report.to_dict())
        return
    console.print(f"[bold]{report.model_version or 'no model'}[/bold]: {report.verdict}")
    for reason in report.reasons:
        console.print(f"  {reason}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _grower(engine: GrowOn, scheduler: str | None, settings: "Settings") -> "Iterator[Grower | None]":
    if engine is GrowOn.LOCAL:
        yield None
        return
    from personalize.retrain.distributed import DaskGrower, dask_client

    with dask_client(scheduler) as client:
        yield DaskGrower(client, settings.resolved_extracts_dir)
