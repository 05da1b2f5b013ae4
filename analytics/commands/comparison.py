"""`analytics compare`, `report`, `funnel`, `srm` and `aa`: one analysis, and the parts of it one asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from analytics.commands.asked import AsJson, Asked, Measured, Segments, experiment
from analytics.commands.options import Where, split, takes_options
from analytics.errors import InvalidRequest, UnknownVariant, UnreadableSource

if TYPE_CHECKING:
    from analytics.outcome import Result

Html = Annotated[Path | None, typer.Option(help="Write a report as one HTML file.")]
Markdown = Annotated[Path | None, typer.Option(help="Write a report as Markdown.")]


@takes_options
def compare(
    where: Where,
    asked: Asked,
    pairs: Annotated[
        Literal["control", "all"], typer.Option(help="Each variant against the control, or all pairs.")
    ] = "control",
    pair: Annotated[
        list[str] | None,
        typer.Option(metavar="TREATMENT:CONTROL", help="Only this comparison. Repeat for more."),
    ] = None,
    as_json: AsJson = False,
    html: Html = None,
    markdown: Markdown = None,
) -> None:
    """Compare the variants of an experiment: is the split sound, and which is better by how much."""
    result = asked.analyze(where, [split(text, ":", "--pair") for text in pair] if pair else pairs)
    write_reports(result, html, markdown)
    if as_json:
        _print_json(comparison_json(result))
    else:
        from rich.console import Console

        from analytics.reporting.console import print_result

        print_result(result, Console())


@takes_options
def report(
    where: Where,
    asked: Asked,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("report.html"),
) -> None:
    """Write the whole analysis as one HTML file (or Markdown, for a name that ends in .md)."""
    result = asked.analyze(where)
    is_markdown = output.suffix.lower() in (".md", ".markdown")
    write_reports(result, None if is_markdown else output, output if is_markdown else None)
    typer.echo(f"{result.conclusion}\nWritten to {output}.")


@takes_options
def funnel(where: Where, as_json: AsJson = False) -> None:
    """Show what became of every row: which were left out by which rule, and which count."""
    result = _look_at(where, None)
    if result.funnel is None:
        raise InvalidRequest("this source has one row a user already, so there are no rows to clean")
    if as_json:
        _print_json(result.funnel.to_dict() | {"cleaning": result.cleaning.to_dict()})
        return
    from rich.console import Console

    from analytics.reporting.console import print_funnel

    print_funnel(result.funnel, Console())


@takes_options
def srm(where: Where, segment: Segments = None, as_json: AsJson = False) -> None:
    """Check the split: are the users divided among the variants as planned? Ends with 1 if they are not."""
    result = _look_at(where, segment)
    checks = {f"{part.name}={value}": check for part in result.segments for value, check in part.srm.items()}
    if as_json:
        _print_json(result.srm.to_dict() | {"segments": {name: c.to_dict() for name, c in checks.items()}})
    else:
        from rich.console import Console

        from analytics.reporting.console import print_split

        print_split(result, checks, Console())
    if result.srm.is_alarm or any(check.is_alarm for check in checks.values()):
        raise typer.Exit(1)


@takes_options
def aa(
    where: Where,
    measured: Measured,
    variant: Annotated[
        str | None, typer.Option(help="Whose users; default: the variant `control`, else `original`.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=100_000, help="How often they are split.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the splits.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Is the metric sound? Split one variant's users at random, often; ends with 1 if too much is found."""
    found = experiment(where, measured.measures()).aa(variant=variant, runs=runs, seed=seed)
    if as_json:
        _print_json(found.to_dict())
    else:
        typer.echo(found.conclusion)
    if found.is_sound is False:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (compare, report, funnel, srm, aa):
        app.command()(command)


def comparison_json(result: Result) -> dict[str, Any]:
    """Everything; the first metric's comparison stands at the top as well, all of them under `metrics`."""
    from analytics.inference.novelty import Since

    days = result.by_day()
    comparisons = {
        name: replace(comparison, days=days.get(name)).to_dict()
        for name, comparison in result.comparisons.items()
    }
    whole = result.to_dict()
    whole |= {
        "novelty": {
            since: [
                {"variant": variant, "metric": metric, **found.to_dict()}
                for (variant, metric), found in result.novelty(since).items()
            ]
            for since in get_args(Since)
        },
        "srm_by_day": result.srm_by_day().to_dict(),
    }
    first = next(iter(comparisons.values()))
    return (
        first
        | {key: whole[key] for key in whole if key not in ("variants", "metrics")}
        | {"metrics": comparisons}
    )


def write_reports(result: Result, html: Path | None, markdown: Path | None) -> None:
    """Write the files that were asked for.

    Raises:
        UnreadableSource: a file cannot be written.
    """
    from analytics.reporting.report import html_report, markdown_report

    for path, render in ((html, html_report), (markdown, markdown_report)):
        if path is None:
            continue
        try:
            path.write_text(render(result), encoding="utf-8")
        except OSError as error:
            raise UnreadableSource(str(path), f"cannot be written ({error.strerror})") from error


def _look_at(where: Where, segment: Sequence[str] | None) -> Result:
    """An analysis of which the comparison does not matter, whatever the control is called.

    It asks for no quantity, so that users and variants are all that the data must have.
    """
    from analytics.measures import Measure
    from analytics.metrics import USERS, Metric

    nothing = [Measure(Metric(USERS, USERS, USERS))]
    try:
        return experiment(where, nothing).analyze(segments=segment or ())
    except UnknownVariant as error:
        return experiment(where, nothing, min(error.known)).analyze(segments=segment or ())


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2, allow_nan=False))
