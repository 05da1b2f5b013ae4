"""A comparison as tables, each fit for Markdown, for a page and for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from analytics.results import Comparison, Contrast, DailySeries
from analytics.wording import (
    MISSING,
    amount,
    capitalized,
    confidence,
    count,
    p_value,
    percent,
    percent_span,
    signed_amount,
    signed_span,
    span,
)


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column holds the names of the rows."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_markdown(self) -> str:
        """A pipe table, numbers to the right."""
        lines = [self.header, ("---", *["---:"] * (len(self.header) - 1)), *self.rows]
        return "\n".join(f"| {' | '.join(_markdown_cell(cell) for cell in cells)} |" for cells in lines)

    def to_html(self) -> str:
        """A table with a caption and scopes, in a frame that scrolls by itself where it is too wide."""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.header)
        body = "".join(f"<tr>{_html_cells(cells)}</tr>" for cells in self.rows)
        caption = escape(self.caption)
        return (
            f'<div class="table" role="region" tabindex="0" aria-label="{caption}"><table>'
            f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def variants_table(comparison: Comparison) -> Table:
    """Users, totals and the metric with its interval, one row per variant."""
    metric = comparison.metric
    columns = metric.columns[::-1]
    rows = tuple(
        (
            v.name,
            count(v.users),
            *(count(v.totals.get(column, 0)) for column in columns),
            amount(v.value, metric),
            span(v.ci_low, v.ci_high, metric),
        )
        for v in comparison.variants.values()
    )
    title = capitalized(metric.title)
    header = ("Variant", "Users", *(capitalized(c) for c in columns), title, "Interval")
    return Table(f"{title} per variant, {confidence(comparison.alpha)} intervals", header, rows)


def contrasts_table(comparison: Comparison, *, is_brief: bool = False) -> Table:
    """The differences asked for, with every interval and both p-values; fewer columns when brief."""
    metric = comparison.metric
    columns: dict[str, Callable[[Contrast], str]] = {
        "Effect": lambda c: signed_amount(c.effect, metric),
        "Interval": lambda c: signed_span(c.ci_low, c.ci_high, metric),
        "Any time": lambda c: signed_span(c.anytime_low, c.anytime_high, metric),
        "Relative": lambda c: percent(c.relative_uplift),
        "Relative interval": lambda c: percent_span(c.relative_low, c.relative_high),
        "p": lambda c: p_value(c.p),
        "p (Holm)": lambda c: p_value(c.p_holm),
    }
    if is_brief:
        del columns["Relative interval"], columns["p"]
    rows = tuple(
        (f"{c.treatment} vs {c.control}", *(cell(c) for cell in columns.values()))
        for c in comparison.contrasts
    )
    unit = " in percentage points" if metric.is_rate else ""
    caption = f"Differences of {metric.title}{unit}, {confidence(comparison.alpha)} intervals"
    return Table(caption, ("Comparison", *columns), rows)


def days_table(series: DailySeries) -> Table:
    """The metric of every variant up to every day."""
    cells = {
        (name, p.day): (amount(p.value, series.metric), span(p.ci_low, p.ci_high, series.metric))
        for name, of_variant in series.variants.items()
        for p in of_variant
    }
    nothing = (MISSING, MISSING)
    rows = tuple(
        (day, *(cell for name in series.variants for cell in cells.get((name, day), nothing)))
        for day in series.days
    )
    header = ("Day", *(cell for name in series.variants for cell in (name, "Interval")))
    return Table(f"{capitalized(series.metric.title)} up to each day", header, rows)


def split_table(comparison: Comparison) -> Table:
    """Users counted in each variant beside those the plan would have put there."""
    srm = comparison.srm
    rows = tuple(
        (name, count(n), count(round(srm.expected[name])) if name in srm.expected else MISSING)
        for name, n in srm.observed.items()
    )
    return Table(f"Users per variant, sample-ratio p {p_value(srm.p)}", ("Variant", "Users", "Planned"), rows)


def _html_cells(cells: tuple[str, ...]) -> str:
    first, *rest = (escape(cell) for cell in cells)
    return f'<th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest)


def _markdown_cell(cell: str) -> str:
    return " ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split())
