"""Commands demo, serve, retrain, simulate, rank, erase-user; and groups: experiments, models, events, …"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from personalize.commands import evaluate, events, experiments, models, retrain, simulate
from personalize.commands.options import AsJson, DataDir, console, print_json, settings_from
from personalize.errors import PersonalizeError
from personalize.settings import Settings

app = typer.Typer(
    help="Show every shopper each product in the style they are likeliest to click, and prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The database's revision.", no_args_is_help=True)
catalog = typer.Typer(help="The products and their photos.", no_args_is_help=True)
app.add_typer(db, name="db")
app.add_typer(catalog, name="catalog")
app.command()(retrain.retrain)
app.command()(evaluate.evaluate)
app.command()(simulate.simulate)
app.add_typer(experiments.app, name="experiments")
app.add_typer(models.app, name="models")
app.add_typer(events.app, name="events")


@app.command()
def demo(
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the demo lives; default a folder of its own.")
    ] = None,
    catalog: Annotated[Path | None, typer.Option(help="Your own photos: a folder or a CSV.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the shoppers, the policy's draws and the training.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Throw the earlier demo away and start clean.")
    ] = False,
    days: Annotated[int, typer.Option(min=3, max=60, help="Days that the simulated shoppers browse.")] = 10,
    shoppers: Annotated[int, typer.Option(min=30, max=20_000, help="Simulated shoppers.")] = 750,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the summary there.")] = None,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the page afterwards.")] = True,
    port: Annotated[int | None, typer.Option(help="Port of the page; default 8000.")] = None,
) -> None:
    """Everything on one machine in minutes: shoppers browse, the ranker learns, the page shows it."""
    from personalize.demo import DEMO_DIR, DemoPlan, run_demo

    settings = settings_from(
        data_dir or Settings().data_dir.with_name(DEMO_DIR), port=port, experiment="demo", seed=seed
    )
    plan = DemoPlan(catalog=catalog, seed=seed, days=days, shoppers=shoppers)
    summary = run_demo(settings, plan, fresh=fresh, console=console)
    if json_path is not None:
        json_path.write_text(json.dumps(summary.to_dict(), indent=2) + "\n", encoding="utf-8")
    if serve:
        _serve(settings)


@app.command()
def serve(
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default 8000.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Experiment whose variants decide.")] = None,
    strength: Annotated[float | None, typer.Option(help="From the photo (0) to the full style (1).")] = None,
) -> None:
    """Serve the per-user styled image API and the pages."""
    _serve(settings_from(data_dir, host=host, port=port, experiment=experiment, strength=strength))


def _serve(settings: Settings) -> None:
    from personalize.service.server import serve as run_server

    console.print(f"Serving on [link]http://{settings.host}:{settings.port}[/link] (Ctrl+C ends)")
    run_server(settings)


@app.command()
def rank(
    user_id: Annotated[str, typer.Argument(metavar="USER")],
    data_dir: DataDir = None,
    product: Annotated[str | None, typer.Option(help="Rank for this product.")] = None,
    k: Annotated[int | None, typer.Option(min=1, help="How many styles; default all.")] = None,
    as_json: AsJson = False,
) -> None:
    """The styles that this user is likeliest to click, with the reasons."""
    from rich.table import Table

    from personalize.engine import Engine

    with Engine.open(settings_from(data_dir)) as engine:
        ranking = engine.rank(user_id, product_id=product, k=k)
    if as_json:
        print_json(ranking.to_dict())
        return
    table = Table("style", "score", "propensity", "because", title=f"{user_id} ({ranking.model_version})")
    for style in ranking.styles:
        because = "; ".join(reason.text for reason in style.reasons)
        table.add_row(style.style_id, f"{style.score:.4f}", f"{style.propensity:.3f}", because)
    console.print(table)


@app.command()
def erase_user(user_id: Annotated[str, typer.Argument(metavar="USER")], data_dir: DataDir = None) -> None:
    """Delete every row about a user."""
    from personalize.engine import Engine

    with Engine.open(settings_from(data_dir)) as engine:
        typer.echo(f"{engine.forget(user_id)} rows about {user_id} erased")


@db.command()
def upgrade(data_dir: DataDir = None) -> None:
    """Bring the database to this version's revision and register the checkpoint's styles."""
    from personalize.setup import prepare_database

    settings = settings_from(data_dir)
    revision, n_styles = prepare_database(settings, now=datetime.now(UTC))
    typer.echo(f"database at revision {revision}, {n_styles} styles on offer")


@db.command()
def current(data_dir: DataDir = None) -> None:
    """Print the database's revision and the one this version needs."""
    from personalize.data.database import current_revision, head_revision, open_database

    database = open_database(settings_from(data_dir).resolved_database_url)
    at, head = current_revision(database), head_revision()
    database.dispose()
    typer.echo(
        f"{at or 'none'}{' (head)' if at == head else f', needs {head}: run `personalize db upgrade`'}"
    )
    if at != head:
        raise typer.Exit(1)


@catalog.command()
def add(
    path: Annotated[Path, typer.Argument(help="A folder (sub-folders are categories) or a CSV.")],
    data_dir: DataDir = None,
) -> None:
    """Add or update products; may be run again without doubling anything."""
    from personalize.setup import add_catalogue

    report = add_catalogue(settings_from(data_dir), path, now=datetime.now(UTC), console=console)
    for skipped in report.skipped:
        console.print(f"[yellow]skipped[/yellow] {skipped.path}: {skipped.reason}", highlight=False)
    counts = f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged"
    typer.echo(f"{counts}, {len(report.skipped)} skipped")


def main() -> None:
    """Run the command line; an error of ours is one sentence on stderr and exit status 1."""
    # OpenMP reads this once, when torch is imported; threads that spin starve whatever runs beside them
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except PersonalizeError as error:
        sys.stderr.write(f"personalize: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("personalize: interrupted; run the same command again to go on\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
