"""`personalize models list|show|promote|rollback`: which model serves, and how that is changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personalize.commands.options import AsJson, DataDir, console, print_json, settings_from

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from personalize.data.schema import ModelVersion
    from personalize.settings import Settings


app = typer.Typer(help="The trained models and which of them serves.", no_args_is_help=True)
Version = Annotated[str, typer.Argument(metavar="VERSION", help="As `personalize models list` prints it.")]


@app.command("list")
def list_models(
    data_dir: DataDir = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Every registered version, the newest first: what serves, what was refused."""
    from rich.table import Table

    from personalize.data.database import reading
    from personalize.data.registry import champion, read_model_versions

    with _opened(data_dir) as (_, engine), reading(engine) as session:
        serving = champion(session)
        rows = [_summary(row, serving) for row in read_model_versions(session, limit)]
    if as_json:
        print_json({"champion": serving.model_version if serving else None, "models": rows})
        return
    table = Table("version", "serves", "verdict", "trained on", "until", "log loss", "first reason")
    for row in rows:
        table.add_row(
            row["model_version"],
            "yes" if row["is_champion"] else "",
            row["verdict"],
            f"{row['n_impressions']:,}",
            row["trained_until"][:16],
            "" if row["log_loss"] is None else f"{row['log_loss']:.5f}",
            next(iter(row["reasons"]), ""),
        )
    console.print(table)
    if serving is None:
        console.print("no champion: the online layer serves by itself")


@app.command()
def show(version: Version, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """One version: its data, what was measured, the gate's reasons, and whether its files hold."""
    from personalize.data.database import reading
    from personalize.data.registry import champion, read_model_version
    from personalize.errors import CorruptModel
    from personalize.models import load_scorer

    with _opened(data_dir) as (settings, engine):
        with reading(engine) as session:
            row, serving = read_model_version(session, version), champion(session)
        try:
            load_scorer(settings.models_dir, version, manifest_sha256=row.manifest_sha256)
            files = "intact"
        except CorruptModel as error:
            files = str(error)
    summary = _summary(row, serving) | {"files": files, "report": row.report}
    if as_json:
        print_json(summary)
        return
    serves = ", serves" if summary["is_champion"] else ""
    console.print(f"[bold]{version}[/bold]: {summary['verdict']}{serves}; files {files}", highlight=False)
    console.print(f"  trained on {summary['n_impressions']:,} impressions until {summary['trained_until']}")
    for sentence in (*summary["reasons"], *row.report.get("learned", [])):
        console.print(f"  {sentence}", markup=False, highlight=False)


@app.command()
def promote(version: Version, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make a version the champion whatever the gate said; running services follow."""
    from personalize.models.succession import promote_by_hand

    with _opened(data_dir) as (settings, engine):
        promote_by_hand(engine, settings, version, datetime.now(UTC))
    _tell(f"{version} serves now", {"champion": version}, as_json=as_json)


@app.command()
def rollback(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Take the last promotion back: the champion before it serves again, in running services too."""
    from personalize.models.succession import roll_back

    with _opened(data_dir) as (settings, engine):
        taken_back, serving = roll_back(engine, settings, datetime.now(UTC))
    sentence = f"{taken_back} was taken back, {serving or 'the online layer by itself'} serves now"
    _tell(sentence, {"taken_back": taken_back, "champion": serving}, as_json=as_json)


def _tell(sentence: str, answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        console.print(sentence, highlight=False)


def _summary(row: "ModelVersion", serving: "ModelVersion | None") -> dict[str, Any]:
    evaluations = row.report.get("evaluations") or [{}]
    return {
        "model_version": row.model_version,
        "is_champion": serving is not None and serving.model_version == row.model_version,
        "verdict": "promoted" if row.verdict["promote"] else "refused",
        "reasons": row.verdict["reasons"],
        "created_at": row.created_at.isoformat(),
        "trained_from": row.trained_from.isoformat(),
        "trained_until": row.trained_until.isoformat(),
        "n_impressions": row.report.get("n_impressions", 0),
        "log_loss": evaluations[0].get("log_loss"),
        "manifest_sha256": row.manifest_sha256,
    }


@contextmanager
def _opened(data_dir: Any) -> "Iterator[tuple[Settings, Engine]]":
    """The settings and the database, at the right revision; a registry needs no engine that decides."""
    from personalize.data.database import open_database, require_head

    settings = settings_from(data_dir)
    database = open_database(settings.resolved_database_url)
    try:
        require_head(database)
        yield settings, database
    finally:
        database.dispose()
