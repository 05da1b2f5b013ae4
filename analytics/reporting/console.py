"""A comparison in a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from analytics.cleaning import Funnel
from analytics.conclusion import split_sentence
from analytics.inference.power import Plan
from analytics.inference.srm import SampleRatio
from analytics.metrics import Metric
from analytics.outcome import Result
from analytics.reporting.report import effects_table, funnel_table, segment_table
from analytics.reporting.tables import Table, split_table, variants_table
from analytics.wording import amount, count, p_value, percent, quoted


def print_result(result: Result, console: Console) -> None:
    """The split first, then the numbers, then what they say, and which rows they were made from."""
    split, *findings = result.decision.reasons
    style = "bold red" if result.srm.is_alarm else "yellow" if result.srm.p is None else "green"
    console.print(escape(split), style=style)
    for comparison in result.comparisons.values():
        print_table(variants_table(comparison), console)
    if result.effects:
        print_table(effects_table(result, is_brief=True), console)
    for segment in result.segments:
        print_table(segment_table(result, segment), console)
    for finding in findings:
        console.print(escape(finding))
    for log in result.funnel.logs if result.funnel else ():
        if log.kept < log.rows:
            kept = f"{count(log.kept)} of {count(log.rows)} rows of {log.log} count"
            console.print(f"{kept}; `analytics funnel` tells why.", style="dim")


def print_funnel(funnel: Funnel, console: Console) -> None:
    """Every row of every log, once."""
    for log in funnel.logs:
        print_table(funnel_table(log), console)
    console.print(f"{count(funnel.users)} users count.")


def print_split(result: Result, checks: Mapping[str, SampleRatio], console: Console) -> None:
    """The verdict on the split, and on the split within every segment."""
    first = next(iter(result.comparisons.values()))
    style = "bold red" if result.srm.is_alarm else "yellow" if result.srm.p is None else "green"
    console.print(escape(split_sentence(first)), style=style)
    print_table(split_table(first), console)
    if checks:
        rows = tuple(
            (
                name,
                count(sum(check.observed.values())),
                p_value(check.p),
                "broken" if check.is_alarm else "sound",
            )
            for name, check in checks.items()
        )
        print_table(Table("Within segments", ("Segment", "Users", "p", "Split"), rows), console)


def print_plan(plan: Plan, variant: str, metric: Metric, console: Console) -> None:
    """The baseline, and what users and uplifts belong together."""
    baseline = plan.baseline
    value = amount(baseline.value, metric)
    console.print(
        escape(f"Planned from {count(baseline.n_users)} users of {quoted(variant)}, {metric.title} {value}.")
    )
    caption = (
        f"Users of both variants together: power {100 * plan.power:g}%, alpha {plan.alpha:g}, "
        f"{100 * plan.treatment_share:g}% of them in the treatment"
    )
    rows = tuple((percent(row.relative_uplift), count(row.users)) for row in plan.rows)
    print_table(Table(caption, ("Relative uplift", "Users"), rows), console)


def print_table(table: Table, console: Console) -> None:
    """Names to the left, numbers to the right."""
    shown = RichTable(box=None, pad_edge=False)
    for i, name in enumerate(table.header):
        shown.add_column(escape(name), justify="right" if i else "left", overflow="fold")
    for cells in table.rows:
        shown.add_row(*map(escape, cells))
    console.print()
    console.print(escape(table.caption), style="bold")
    console.print(shown)
    console.print()
