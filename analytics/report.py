"""A comparison as Markdown, or as one HTML file that asks for nothing outside itself."""

from __future__ import annotations

from html import escape

from analytics.conclusion import sentences
from analytics.page import PAGE, STYLE
from analytics.plots import ctr_plot, daily_plot, uplift_plot
from analytics.results import Comparison
from analytics.tables import Table, contrasts_table, days_table, split_table, variants_table
from analytics.wording import capitalized, confidence, count


def markdown_report(comparison: Comparison) -> str:
    """The sample-ratio verdict, the conclusion, the tables and how to read them."""
    tables = [split_table(comparison), variants_table(comparison)]
    if comparison.contrasts:
        tables.append(contrasts_table(comparison))
    if comparison.days:
        tables.append(days_table(comparison.days))
    parts = [f"# {heading(comparison)}", *sentences(comparison)]
    for table in tables:
        parts += [f"## {table.caption}", table.to_markdown()]
    notes = "\n".join(f"- {note}" for note in reading_notes(comparison))
    return "\n\n".join([*parts, "## How to read this", notes]) + "\n"


def html_report(comparison: Comparison) -> str:
    """The sample-ratio verdict, the conclusion, and a table beside every plot.

    One file: no script, no font, no address outside; its content security policy forbids them too.
    """
    title = capitalized(comparison.metric.title)
    sections = [
        _verdict(comparison),
        _section(f"{title} per variant", ctr_plot(comparison), variants_table(comparison)),
    ]
    if comparison.contrasts:
        sections.append(_differences(comparison))
    if comparison.days and comparison.days.days:
        aside = "All days up to each day, with the interval of one look."
        table = days_table(comparison.days)
        sections.append(_section("Day by day", daily_plot(comparison.days), table, aside, is_folded=True))
    sections.append(_section("The split", "", split_table(comparison)))
    notes = "".join(f"<li>{escape(note)}</li>" for note in reading_notes(comparison))
    sections.append(f'<section><h2>How to read this</h2><ul class="notes">{notes}</ul></section>')
    return PAGE.format(title=escape(heading(comparison)), style=STYLE, sections="\n".join(sections))


def heading(comparison: Comparison) -> str:
    """The title of a report."""
    title = capitalized(comparison.metric.title)
    return f"{title} in experiment {comparison.experiment}" if comparison.experiment else f"{title} compared"


def reading_notes(comparison: Comparison) -> list[str]:
    """What each number is, for a reader who was not there."""
    metric, sure = comparison.metric, confidence(comparison.alpha)
    notes = [
        f"{capitalized(metric.title)} is the sum of {metric.numerator} over the sum of {metric.denominator}. "
        "Its error comes from the spread between users (delta method), because what one user does is alike; "
        "to count impressions as independent would make it too small.",
        f"The {sure} interval and p are for one look, at a time chosen beforehand. p (Holm) counts in all "
        "comparisons of the table; intervals do not.",
        f"The any-time interval holds at all looks together: stop when you like, and it is still right in "
        f"{sure} of experiments. It was tuned for {count(comparison.planned_users)} users in two variants.",
        "The relative interval is Fieller's: it excludes zero exactly when the absolute one does.",
        f"The sample-ratio check raises the alarm below p = {comparison.srm.threshold:g}. After an alarm no "
        "other number should be used.",
    ]
    if comparison.days:
        notes.append("The daily course counts all days up to each day; its bands are for one look each.")
    return notes


def _verdict(comparison: Comparison) -> str:
    tone, tag = _tone(comparison)
    split, *findings = (escape(sentence) for sentence in sentences(comparison))
    items = "".join(f"<li>{finding}</li>" for finding in findings)
    verdict = f'<span class="tag">{tag}</span><p>{split}</p><ul>{items}</ul>'
    return f'<section class="verdict {tone}">{verdict}</section>'


def _tone(comparison: Comparison) -> tuple[str, str]:
    if comparison.srm.p is None:
        return "unsure", "Split not checked"
    return ("bad", "Split is broken") if comparison.srm.is_alarm else ("good", "Split as planned")


def _differences(comparison: Comparison) -> str:
    aside = (
        "The broad line is the interval for one planned look, the thin line holds however often you look. "
        "A line that stays clear of zero shows a difference."
    )
    return _section("Differences", uplift_plot(comparison), contrasts_table(comparison), aside)


def _section(title: str, plot: str, table: Table, aside: str = "", *, is_folded: bool = False) -> str:
    explained = f'<p class="aside">{escape(aside)}</p>' if aside else ""
    shown = table.to_html()
    if is_folded:
        shown = f"<details><summary>The same as a table</summary>{shown}</details>"
    return f"<section><h2>{escape(title)}</h2>{explained}{plot}{shown}</section>"
