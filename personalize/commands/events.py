"""`personalize events import|export`: the log in and out, as files."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personalize.commands.options import AsJson, DataDir, console, print_json, settings_from

if TYPE_CHECKING:
    from personalize.data.event_files import RefusedRow
    from personalize.data.importing import OnRefused

ENDINGS = ("*.csv", "*.csv.gz", "*.jsonl", "*.jsonl.gz", "*.ndjson", "*.ndjson.gz", "*.parquet")

app = typer.Typer(help="The log of impressions, clicks and purchases, as files.", no_args_is_help=True)
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day in UTC, e.g. 2026-03-01.")]


@app.command("import")
def import_files(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, or folders of them.")],
    data_dir: DataDir = None,
    currency: Annotated[str, typer.Option(help="Of purchases that name none.")] = "EUR",
    refused: Annotated[
        Path | None, typer.Option(help="Write every refused row there, as JSON lines.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import CSV, JSON lines or Parquet; run it again to resume, nothing is doubled.

    Columns: user_id, style_id, product_id, type (impression, click, purchase), occurred_at; optional:
    impression_id, propensity, position, value, event_id, slate_id, policy, model_version, currency, category.
    """
    from personalize.data.database import open_database, require_head
    from personalize.data.importing import import_events

    settings = settings_from(data_dir)
    database = open_database(settings.resolved_database_url)
    try:
        require_head(database)
        with _refusals(refused) as on_refused, console.status("importing") as status:
            report = import_events(
                database,
                list(_files(paths)),
                now=datetime.now(UTC),
                attribution_window=settings.attribution_window,
                currency=currency,
                on_refused=on_refused,
                progress=lambda n_rows: status.update(f"importing, {n_rows:,} rows"),
            )
    finally:
        database.dispose()
    if as_json:
        print_json(report.to_dict())
        return
    typer.echo(
        f"{report.n_rows:,} rows: {report.n_imported:,} imported ({report.n_impressions:,} impressions, "
        f"{report.n_clicks:,} clicks, {report.n_purchases:,} purchases), {report.n_duplicates:,} known "
        f"already, {report.n_refused:,} refused"
    )
    if report.n_new_products or report.n_new_styles:
        typer.echo(
            f"{report.n_new_products:,} products and {report.n_new_styles:,} styles were not known; they are "
            "kept for the log and not offered: add photos with `personalize catalog add`"
        )
    for example in report.examples:
        console.print(f"[yellow]refused[/yellow] {example}", highlight=False)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Gets one Parquet file a day; files there are replaced.")],
    data_dir: DataDir = None,
    since: Day = None,
    until: Day = None,
    as_json: AsJson = False,
) -> None:
    """Export the log as Parquet, a file a day, in the columns that `events import` reads."""
    from personalize.data.database import open_database, require_head
    from personalize.data.exporting import export_events

    database = open_database(settings_from(data_dir).resolved_database_url)
    try:
        require_head(database)
        ends = {"since": since and since.replace(tzinfo=UTC), "until": until and until.replace(tzinfo=UTC)}
        written = export_events(database, folder, **ends)
    finally:
        database.dispose()
    if as_json:
        print_json({"n_rows": sum(written.values()), "files": written})
    else:
        typer.echo(f"{sum(written.values()):,} rows in {len(written)} files in {folder}")


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted({found for ending in ENDINGS for found in path.glob(ending)})
        else:
            yield path


@contextmanager
def _refusals(path: Path | None) -> "Iterator[OnRefused | None]":
    """Writes refused rows to a file, if one is asked for."""
    with ExitStack() as stack:
        if path is None:
            yield None
            return
        file = stack.enter_context(path.open("w", encoding="utf-8"))

        def write(source: Path, one: "RefusedRow") -> Any:
            line = {"file": str(source), "row": one.row, "reason": one.reason}
            return file.write(json.dumps(line, ensure_ascii=False) + "\n")

        yield write
