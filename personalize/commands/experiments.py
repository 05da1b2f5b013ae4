"""`personalize experiments apply|list|show|stop`: which experiments run, and what they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personalize.commands.options import AsJson, DataDir, console, print_json, settings_from

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from personalize.data.experiments import ExperimentPlan

app = typer.Typer(help="The experiments of the shop.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="As `personalize experiments list` prints it.")]


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML or JSON.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Store the experiment of a file, or change the stored one to it; run it again and nothing happens.

    Keys: name, variants, and where wanted policies (by variant; default: that of its name), salt, version,
    traffic, layer, started_at, stopped_at, attribution_seconds, goals, guardrails, pre_period_days,
    currency, rates. Nobody who was assigned moves unless the version is raised.
    """
    from personalize.data.database import writing
    from personalize.data.experiments import apply_experiment, read_plan, refused
    from personalize.errors import ExperimentRefused
    from personalize.policy import POLICIES, is_policy

    plan = read_plan(file)
    unknown = sorted({policy for policy in plan.policies.values() if not is_policy(policy)})
    if unknown:
        known = ", ".join(POLICIES)
        raise ExperimentRefused(str(file), f"no policy {unknown[0]!r}; known are {known} and fixed:STYLE")
    with _opened(data_dir) as database, refused(str(file)), writing(database) as session:
        stored, is_changed = apply_experiment(session, plan, datetime.now(UTC))
    what = "stored" if is_changed else "unchanged"
    if as_json:
        print_json({"changed": is_changed, "experiment": stored.to_dict()})
    else:
        console.print(f"{stored.name}: {what}, {_state(stored)}", highlight=False)


@app.command("list")
def list_experiments(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Every experiment, the latest first."""
    from rich.table import Table

    from personalize.data.database import reading
    from personalize.data.experiments import read_experiments

    with _opened(data_dir) as database, reading(database) as session:
        plans = read_experiments(session)
    if as_json:
        print_json([plan.to_dict() | {"state": _state(plan)} for plan in plans])
        return
    table = Table("experiment", "state", "variants", "traffic", "layer", "goal")
    for plan in plans:
        shares = ", ".join(f"{name} {100 * share:.3g}%" for name, share in plan.variants.items())
        traffic = f"{100 * plan.traffic:.3g}%"
        table.add_row(plan.name, _state(plan), shares, traffic, plan.layer or "", plan.goals[0])
    console.print(table)


@app.command()
def show(name: Name, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """One experiment, with every setting."""
    from personalize.data.database import reading
    from personalize.data.experiments import read_experiment

    with _opened(data_dir) as database, reading(database) as session:
        plan = read_experiment(session, name)
    if as_json:
        print_json(plan.to_dict() | {"state": _state(plan)})
        return
    console.print(f"[bold]{name}[/bold]: {_state(plan)}", highlight=False)
    for key, value in plan.to_dict().items():
        console.print(f"  {key}: {value}", markup=False, highlight=False)


@app.command()
def stop(name: Name, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """End an experiment now: nobody joins any more, and what is shown from now on does not count."""
    from personalize.data.database import writing
    from personalize.data.experiments import refused, stop_experiment

    with _opened(data_dir) as database, refused(name), writing(database) as session:
        plan = stop_experiment(session, name, datetime.now(UTC))
    if as_json:
        print_json({"experiment": plan.to_dict()})
    else:
        console.print(f"{name}: {_state(plan)}", highlight=False)


def _state(plan: "ExperimentPlan") -> str:
    from personalize.data.experiments import is_running

    now = datetime.now(UTC)
    if is_running(plan, now):
        return f"running since {plan.started_at:%Y-%m-%d %H:%M}" if plan.started_at else "running"
    if plan.stopped_at is not None and plan.stopped_at <= now:
        return f"stopped on {plan.stopped_at:%Y-%m-%d %H:%M}"
    return f"starts on {plan.started_at:%Y-%m-%d %H:%M}"


@contextmanager
def _opened(data_dir: Any) -> "Iterator[Engine]":
    from personalize.data.database import open_database, require_head

    database = open_database(settings_from(data_dir).resolved_database_url)
    try:
        require_head(database)
        yield database
    finally:
        database.dispose()
