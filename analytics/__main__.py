"""The command `analytics`: compare the variants of an experiment, or plan the next one."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from analytics.commands import judgement
from analytics.errors import AnalyticsError, InvalidRequest, UnknownVariant, UnreadableSource
from analytics.metrics import Metric
from analytics.sources import Source, default_control

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Click-through per user by the delta method, with interval, p-value and sample-ratio check.",
)

DATA = "Where the data are: a database, or one file"
RELATIONS = ("units", "days", "experiments")
COLUMNS = ("user", "variant", "clicks", "impressions", "clicked", "day")

Database = Annotated[
    str | None, typer.Option(help="Database URL, or the path of an SQLite file.", rich_help_panel=DATA)
]
Experiment = Annotated[
    str | None, typer.Option(help="Name of the experiment in the database.", rich_help_panel=DATA)
]
Totals = Annotated[
    Path | None,
    typer.Option(
        help="CSV (.gz too) or Parquet, one row per user: user, variant, clicks, impressions.",
        rich_help_panel=DATA,
    ),
]
Events = Annotated[
    Path | None,
    typer.Option(
        help="CSV (.gz too) or Parquet, one row per impression: user, variant, clicked, and day if known.",
        rich_help_panel=DATA,
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="OURS=THEIRS",
        help=f"What a file calls one of {', '.join(COLUMNS)}, such as user=shopper_id. Repeat for more.",
        rich_help_panel=DATA,
    ),
]
Relations = Annotated[
    list[str] | None,
    typer.Option(
        "--relation",
        metavar="OURS=THEIRS",
        help="What the database calls one of units (experiment_units), days (experiment_unit_days), "
        "experiments (experiments). Repeat for more.",
        rich_help_panel=DATA,
    ),
]
Control = Annotated[str | None, typer.Option(help="Default: the variant `control`, else `original`.")]
MetricText = Annotated[
    str, typer.Option("--metric", metavar="NAME=A/B", help="Sum of A over sum of B; B may be `users`.")
]
Alpha = Annotated[float, typer.Option(min=1e-9, max=0.5, help="Chance of a false finding to accept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command()
def compare(
    database: Database = None,
    experiment: Experiment = None,
    totals: Totals = None,
    events: Events = None,
    column: Columns = None,
    relation: Relations = None,
    control: Control = None,
    pairs: Annotated[
        Literal["control", "all"],
        typer.Option(help="Each variant against the control, or all pairs."),
    ] = "control",
    pair: Annotated[
        list[str] | None,
        typer.Option(metavar="TREATMENT:CONTROL", help="Only this comparison. Repeat for more."),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="VARIANT=SHARE", help="Planned share; repeat for each variant."),
    ] = None,
    metric: MetricText = "ctr=clicks/impressions",
    alpha: Alpha = 0.05,
    planned_users: Annotated[
        int,
        typer.Option(min=2, help="Users of two variants at the end; tunes the any-time interval."),
    ] = 10_000,
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write a report as one HTML file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a report as Markdown.")] = None,
) -> None:
    """Compare the variants of an experiment: is the split sound, and which is better by how much."""
    from analytics.compare import compare as compare_variants
    from analytics.console import print_comparison
    from analytics.report import html_report, markdown_report

    wanted = _metric(metric)
    sums = _source(database, experiment, totals, events, column, relation, share).read(wanted)
    comparison = compare_variants(
        sums.moments,
        control=control or default_control(sums),
        metric=wanted,
        pairs=[_split(text, ":", "--pair") for text in pair] if pair else pairs,
        shares=sums.shares,
        days=sums.days,
        alpha=alpha,
        planned_users=planned_users,
        experiment=experiment,
    )
    for path, render in ((html, html_report), (markdown, markdown_report)):
        if path is not None:
            _write(path, render(comparison))
    if as_json:
        typer.echo(json.dumps(comparison.to_dict(), indent=2, allow_nan=False))
    else:
        print_comparison(comparison, Console())


@app.command()
def power(
    database: Database = None,
    experiment: Experiment = None,
    totals: Totals = None,
    events: Events = None,
    column: Columns = None,
    relation: Relations = None,
    variant: Annotated[str | None, typer.Option(help="Whose users to plan from.")] = None,
    uplift: Annotated[
        list[float] | None, typer.Option(help="Relative uplift to find, 0.05 for 5%. Repeat for more.")
    ] = None,
    users: Annotated[
        list[int] | None, typer.Option(min=1, help="Users of both variants together. Repeat for more.")
    ] = None,
    treatment_share: Annotated[
        float, typer.Option(min=0.001, max=0.999, help="Its share of the users.")
    ] = 0.5,
    chance: Annotated[float, typer.Option("--power", min=0.01, max=0.999, help="Chance to find it.")] = 0.8,
    metric: MetricText = "ctr=clicks/impressions",
    alpha: Alpha = 0.05,
    as_json: AsJson = False,
) -> None:
    """Plan an experiment from the users of a past one: how many users, or how small an uplift."""
    from analytics.console import print_plan
    from analytics.power import Baseline, plan

    wanted = _metric(metric)
    sums = _source(database, experiment, totals, events, column, relation, None).read(wanted)
    name = variant or default_control(sums)
    if 0 in (uplift or ()):
        raise InvalidRequest("an uplift of 0 can never be found; ask for one above or below it")
    if name not in sums.moments:
        raise UnknownVariant(name, sums.moments)
    baseline = Baseline.of(sums.moments[name].sums(wanted))
    planned = plan(
        baseline, uplift or (), users or (), alpha=alpha, power=chance, treatment_share=treatment_share
    )
    if as_json:
        typer.echo(json.dumps(planned.to_dict(), indent=2, allow_nan=False))
    else:
        print_plan(planned, name, wanted, Console())


judgement.register(app)


def main() -> None:
    """Run the command; a foreseen error ends it with one sentence and exit code 2."""
    try:
        app()
    except AnalyticsError as error:
        typer.echo(f"analytics: {error}", err=True)
        raise SystemExit(2) from error


def _source(
    database: str | None,
    experiment: str | None,
    totals: Path | None,
    events: Path | None,
    columns: Sequence[str] | None,
    relations: Sequence[str] | None,
    shares: Sequence[str] | None,
) -> Source:
    return Source(
        database,
        experiment,
        totals,
        events,
        relations=_renamed(relations, RELATIONS, "--relation"),
        columns=_renamed(columns, COLUMNS, "--column"),
        shares=dict(_share(text) for text in shares) if shares else None,
    )


def _renamed(texts: Sequence[str] | None, known: Collection[str], option: str) -> dict[str, str]:
    renamed = dict(_split(text, "=", option) for text in texts or ())
    for name in renamed:
        if name not in known:
            raise InvalidRequest(f"{option} knows {', '.join(known)}, not {name!r}")
    return renamed


def _split(text: str, separator: str, option: str) -> tuple[str, str]:
    left, found, right = text.partition(separator)
    if not (left and found and right):
        raise InvalidRequest(f"{option} wants two names with {separator!r} between them, got {text!r}")
    return left, right


def _share(text: str) -> tuple[str, float]:
    name, number = _split(text, "=", "--share")
    share = float(number) if re.fullmatch(r"\d*\.?\d+", number) else 0.0
    if share == 0.0:
        raise InvalidRequest(f"--share wants a number above 0 such as control=0.5, got {text!r}")
    return name, share


def _metric(text: str) -> Metric:
    try:
        return Metric.parse(text)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnreadableSource(str(path), f"cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    main()
