"""A comparison in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from analytics.conclusion import sentences
from analytics.metrics import Metric
from analytics.power import Plan
from analytics.results import Comparison
from analytics.tables import Table, contrasts_table, variants_table
from analytics.wording import amount, count, percent, quoted


def print_comparison(comparison: Comparison, console: Console) -> None:
    """The split first, then the numbers, then what they say."""
    split, *findings = sentences(comparison)
    style = "bold red" if comparison.srm.is_alarm else "yellow" if comparison.srm.p is None else "green"
    console.print(escape(split), style=style)
    print_table(variants_table(comparison), console)
    if comparison.contrasts:
        print_table(contrasts_table(comparison, is_brief=True), console)
    for finding in findings:
        console.print(escape(finding))


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
