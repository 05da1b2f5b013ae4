"""`analytics compare`, `report`, `funnel`, `srm` and `aa`: one analysis, and the parts of it one asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from analytics.commands.options import Where, asks_where, read_measures, split
from analytics.errors import InvalidRequest, UnknownVariant, UnreadableSource

if TYPE_CHECKING:
    from analytics.experiment import Experiment, LookPlan
    from analytics.measures import Measure
    from analytics.outcome import Result

Control = Annotated[str | None, typer.Option(help="Default: the variant `control`, else `original`.")]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME=A/B",
        help="Sum of A over sum of B; B may be `users`. Of files with one row an impression also "
        "NAME=p95(COLUMN), a quantile. Write -A/B where an increase is bad. Repeat for "
        "more; the first is the goal. Default: those of the definition, else ctr=clicks/impressions.",
    ),
]
Guardrails = Annotated[
    list[str] | None,
    typer.Option(
        "--guardrail",
        metavar="NAME=A/B[:MARGIN]",
        help="A metric that must not get worse; with a margin such as 0.02 a variant is shipped only when it "
        "is shown to be at most that share worse. Write -A/B where an increase is bad. Repeat for more.",
    ),
]
Cap = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=0.999999,
        help="Winsorise: sums of A above this quantile of all users count as that quantile, such as 0.999.",
    ),
]
Covariates = Annotated[
    list[str] | None,
    typer.Option(
        "--covariate",
        metavar="A/B",
        help="What users did before, such as pre_clicks/pre_impressions or pre_clicks: a narrower interval "
        "(CUPED). Repeat for more.",
    ),
]
Segments = Annotated[
    list[str] | None,
    typer.Option("--segment", help="Column whose values are compared one by one. Repeat for more."),
]
CorrectionText = Annotated[
    Literal["holm", "bh", "none"],
    typer.Option("--correction", help="For several metrics, variants and segments."),
]
LookText = Annotated[
    str,
    typer.Option(
        "--look", help="fixed; anytime (look when you like); obf:14 or obf:14:3 (planned looks, the third)."
    ),
]
Alpha = Annotated[float, typer.Option(min=1e-9, max=0.5, help="Chance of a false finding to accept.")]
Planned = Annotated[
    int,
    typer.Option(min=2, help="Users of two variants at the end; tunes the any-time interval."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Html = Annotated[Path | None, typer.Option(help="Write a report as one HTML file.")]
Markdown = Annotated[Path | None, typer.Option(help="Write a report as Markdown.")]


@asks_where
def compare(
    where: Where,
    control: Control = None,
    pairs: Annotated[
        Literal["control", "all"], typer.Option(help="Each variant against the control, or all pairs.")
    ] = "control",
    pair: Annotated[
        list[str] | None,
        typer.Option(metavar="TREATMENT:CONTROL", help="Only this comparison. Repeat for more."),
    ] = None,
    metric: Metrics = None,
    guardrail: Guardrails = None,
    cap: Cap = None,
    covariate: Covariates = None,
    segment: Segments = None,
    correction: CorrectionText = "holm",
    look: LookText = "fixed",
    alpha: Alpha = 0.05,
    planned_users: Planned = 10_000,
    as_json: AsJson = False,
    html: Html = None,
    markdown: Markdown = None,
) -> None:
    """Compare the variants of an experiment: is the split sound, and which is better by how much."""
    chosen = [split(text, ":", "--pair") for text in pair] if pair else pairs
    measures = _measures(metric, guardrail, covariate, cap)
    result = _analyze(where, control, measures, segment, correction, look, alpha, planned_users, chosen)
    write_reports(result, html, markdown)
    if as_json:
        _print_json(comparison_json(result))
    else:
        from rich.console import Console

        from analytics.console import print_result

        print_result(result, Console())


@asks_where
def report(
    where: Where,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("report.html"),
    control: Control = None,
    metric: Metrics = None,
    guardrail: Guardrails = None,
    cap: Cap = None,
    covariate: Covariates = None,
    segment: Segments = None,
    correction: CorrectionText = "holm",
    look: LookText = "fixed",
    alpha: Alpha = 0.05,
    planned_users: Planned = 10_000,
) -> None:
    """Write the whole analysis as one HTML file (or Markdown, for a name that ends in .md)."""
    measures = _measures(metric, guardrail, covariate, cap)
    result = _analyze(where, control, measures, segment, correction, look, alpha, planned_users)
    is_markdown = output.suffix.lower() in (".md", ".markdown")
    write_reports(result, None if is_markdown else output, output if is_markdown else None)
    typer.echo(f"{result.conclusion}\nWritten to {output}.")


@asks_where
def funnel(where: Where, as_json: AsJson = False) -> None:
    """Show what became of every row: which were left out by which rule, and which count."""
    result = _look_at(where, None)
    if result.funnel is None:
        raise InvalidRequest("this source has one row a user already, so there are no rows to clean")
    if as_json:
        _print_json(result.funnel.to_dict() | {"cleaning": result.cleaning.to_dict()})
        return
    from rich.console import Console

    from analytics.console import print_funnel

    print_funnel(result.funnel, Console())


@asks_where
def srm(where: Where, segment: Segments = None, as_json: AsJson = False) -> None:
    """Check the split: are the users divided among the variants as planned? Ends with 1 if they are not."""
    result = _look_at(where, segment)
    checks = {f"{part.name}={value}": check for part in result.segments for value, check in part.srm.items()}
    if as_json:
        _print_json(result.srm.to_dict() | {"segments": {name: c.to_dict() for name, c in checks.items()}})
    else:
        from rich.console import Console

        from analytics.console import print_split

        print_split(result, checks, Console())
    if result.srm.is_alarm or any(check.is_alarm for check in checks.values()):
        raise typer.Exit(1)


@asks_where
def aa(
    where: Where,
    metric: Metrics = None,
    cap: Cap = None,
    covariate: Covariates = None,
    variant: Annotated[
        str | None, typer.Option(help="Whose users; default: the variant `control`, else `original`.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=100_000, help="How often they are split.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the splits.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Is the metric sound? Split one variant's users at random, often; ends with 1 if too much is found."""
    experiment = _experiment(where, None, _measures(metric, None, covariate, cap))
    found = experiment.aa(variant=variant, runs=runs, seed=seed)
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
    from analytics.novelty import Since

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
    from analytics.report import html_report, markdown_report

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
        return _analyze(where, None, nothing, segment)
    except UnknownVariant as error:
        return _analyze(where, min(error.known), nothing, segment)


def _analyze(
    where: Where,
    control: str | None,
    metrics: Sequence[Measure],
    segment: Sequence[str] | None,
    correction: Literal["holm", "bh", "none"] = "holm",
    look: str = "fixed",
    alpha: float = 0.05,
    planned_users: int = 10_000,
    pairs: Any = "control",
) -> Result:
    return _experiment(where, control, metrics).analyze(
        _look(look),
        correction=correction,
        segments=segment or (),
        alpha=alpha,
        planned_users=planned_users,
        pairs=pairs,
    )


def _experiment(where: Where, control: str | None, metrics: Sequence[Measure]) -> Experiment:
    from analytics.definition import read_definition
    from analytics.experiment import Experiment

    source = where.source()
    definition = read_definition(where.definition) if where.definition else None
    name = where.experiment or (definition.name if definition else "")
    return Experiment(name, source, metrics, control, where.shares(), definition, where.cleaning())


def _measures(
    metric: Sequence[str] | None,
    guardrail: Sequence[str] | None,
    covariate: Sequence[str] | None,
    cap: float | None,
) -> list[Measure]:
    """What the options ask for; without any, nothing, which leaves it to the definition."""
    goals = metric or (["ctr=clicks/impressions"] if covariate or guardrail or cap else None)
    measures = [replace(found, cap=cap) for found in read_measures(goals, covariate)]
    return measures + read_measures(guardrail, None, "guardrail")


def _look(text: str) -> LookPlan:
    from analytics.experiment import OBF

    kind, *numbers = text.split(":")
    if kind in ("fixed", "anytime") and not numbers:
        return "fixed" if kind == "fixed" else "anytime"
    if kind != "obf" or not 1 <= len(numbers) <= 2 or not all(n.isdigit() and int(n) for n in numbers):
        raise InvalidRequest(f"--look reads fixed, anytime, obf:14 or obf:14:3, not {text!r}")
    looks, look = int(numbers[0]), int(numbers[-1])
    if look > looks:
        raise InvalidRequest(f"--look {text}: there is no look {look} among {looks}")
    return OBF(looks, look)


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2, allow_nan=False))
