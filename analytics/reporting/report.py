"""A result as one HTML file that asks for nothing outside itself, as Markdown, or as a notebook's view."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from analytics.cleaning import LogFunnel
from analytics.inference.novelty import Since
from analytics.outcome import Effect, Result, Segment, look_words
from analytics.reporting.page import PAGE, STYLE
from analytics.reporting.plots import STYLE as PLOT_STYLE
from analytics.reporting.plots import ctr_plot, daily_plot, relative_plot
from analytics.reporting.tables import Table, days_table, split_table, variants_table
from analytics.results import DailySeries
from analytics.wording import (
    MISSING,
    capitalized,
    chance,
    confidence,
    count,
    p_value,
    percent,
    percent_span,
    signed_amount,
    signed_span,
    variance_cut,
)

MIXED_SHARE = 0.01
"""Above this share of users in several variants, leaving them out may bias what is left."""

RULES = {
    "missing_ids": "an id is missing or blank",
    "bad_time": "the time is missing or unreadable",
    "outside_window": "outside the window of the experiment",
    "duplicates": "counted already under the same id",
    "two_variants": "the user saw more than one variant",
    "bots": "more impressions than a person would have",
    "orphans": "no impression that counts has that id",
    "early": "before the impression",
    "late": "later than the attribution window",
    "repeated": "the impression was clicked before",
    "impression_dropped": "the impression was left out with its user",
    "other_currency": "in a currency without a rate",
}
"""The rules of `cleaning`, in words."""


def html_report(result: Result) -> str:
    """The sample-ratio verdict and the conclusion, then every number, a table beside every plot.

    No script, no font, no address outside; its content security policy forbids them too.
    """
    days = result.by_day()
    sections = [_verdict(result)]
    if len(result.variants) > 1:
        sections.append(_effects_section(result))
    sections += [_metric_section(result, m.metric.name, i, days) for i, m in enumerate(result.measures)]
    sections += [
        _section(f"By {segment.name}", segment_table(result, segment)) for segment in result.segments
    ]
    sections += [
        _section(title, table)
        for title, table in (
            ("Guardrails", guardrails_table(result)),
            ("Does it last?", novelty_table(result)),
        )
        if table.rows
    ]
    first = next(iter(result.comparisons.values()))
    sections.append(_section("The split", split_table(first), aside=_split_aside(result)))
    if result.funnel is not None:
        tables = "".join(funnel_table(log).to_html() for log in result.funnel.logs)
        sections.append(
            f"<section><h2>Which rows count</h2>{_aside(_funnel_aside(result))}{tables}</section>"
        )
    notes = "".join(f"<li>{escape(note)}</li>" for note in reading_notes(result))
    sections.append(f'<section><h2>How to read this</h2><ul class="notes">{notes}</ul></section>')
    style = STYLE + PLOT_STYLE
    return PAGE.format(title=escape(heading(result)), style=style, sections="\n".join(sections))


def markdown_report(result: Result) -> str:
    """The conclusion, the tables and how to read them."""
    first = next(iter(result.comparisons.values()))
    tables = [effects_table(result), *map(variants_table, result.comparisons.values()), split_table(first)]
    tables += [segment_table(result, segment) for segment in result.segments]
    tables += [table for table in (guardrails_table(result), novelty_table(result)) if table.rows]
    tables += [funnel_table(log) for log in (result.funnel.logs if result.funnel else ())]
    tables += [days_table(series) for series in result.by_day().values()]
    parts = [f"# {heading(result)}", *result.decision.reasons]
    for table in tables:
        parts += [f"## {table.caption}", table.to_markdown()]
    notes = "\n".join(f"- {note}" for note in reading_notes(result))
    return "\n\n".join([*parts, "## How to read this", notes]) + "\n"


def notebook_html(result: Result) -> str:
    """The conclusion and the effects, for the output of a notebook's cell."""
    said = "".join(f"<p>{escape(reason)}</p>" for reason in result.decision.reasons)
    plot = relative_plot(_rows(result), result.variants, result.alpha, name=f"relative-{id(result):x}")
    style = f"<style>{PLOT_STYLE}</style>"
    return f"<div>{style}{said}{plot}{effects_table(result).to_html()}</div>"


def heading(result: Result) -> str:
    """The title of a report."""
    title = capitalized(result.measures[0].metric.title)
    return f"{title} in experiment {result.name}" if result.name else f"{title} compared"


def effects_table(result: Result, *, is_brief: bool = False) -> Table:
    """Every variant against the control in every metric; fewer columns when brief."""
    measures = {measure.metric.name: measure for measure in result.measures}
    rows: list[tuple[str, ...]] = []
    for (_, name), effect in result.effects.items():
        metric, pair = measures[name].metric, f"{effect.variant} vs {effect.control}"
        unit = " pts" if metric.is_rate and effect.effect is not None else ""
        rows.append(
            (
                f"{name}: {pair}" if len(measures) > 1 else pair,
                measures[name].role,
                signed_amount(effect.effect, metric) + unit,
                signed_span(*effect.ci, metric) if effect.ci else MISSING,
                percent(effect.relative),
                percent_span(*effect.relative_ci) if effect.relative_ci else MISSING,
                p_value(effect.p),
                p_value(effect.p_adjusted),
                chance(effect.posterior.chance_to_win if effect.posterior else None),
                variance_cut(effect.variance_reduction),
            )
        )
    sure, look = confidence(result.alpha), look_words(result.look)
    caption = f"Differences from “{result.control}”, {sure} intervals for {look}"
    adjusted = f"p ({correction_words(result)})"
    header: tuple[str, ...] = ("Comparison", "Role", "Effect", "Interval", "Relative", "Relative interval")
    header = (*header, "p", adjusted, "Chance to win", "Variance cut")
    left_out = ["Role", "Interval", "p", "Chance to win"] if is_brief else []
    if all(effect.variance_reduction is None for effect in result.effects.values()):
        left_out.append("Variance cut")
    kept = [i for i, name in enumerate(header) if name not in left_out]
    header = tuple(header[i] for i in kept)
    rows = [tuple(row[i] for i in kept) for row in rows]
    return Table(caption, header, tuple(rows))


def guardrails_table(result: Result) -> Table:
    """Every guardrail with a margin: the worst that is not ruled out, and whether it is within the margin."""
    rows = [
        (
            f"{effect.metric}: {effect.variant}",
            f"{100 * found.margin:.3g}%",
            percent(found.worst),
            p_value(found.p),
            {True: "kept", False: "not shown", None: "not known"}[found.is_noninferior],
        )
        for effect in result.effects.values()
        if (found := effect.noninferiority)
    ]
    header = ("Guardrail", "Margin", "Worst not ruled out", "p of the margin", "Verdict")
    return Table("Guardrails: is it shown that they stay within their margins?", header, tuple(rows))


def novelty_table(result: Result) -> Table:
    """Whether the effect on the goals changes by the day, and by the day since users were first seen."""
    goals = {m.metric.name: m.metric for m in result.measures if m.role == "goal"}
    rows = []
    words_of: dict[Since, str] = {"start": "day of the experiment", "exposure": "day since first seen"}
    for since, words in words_of.items():
        for (variant, name), found in result.novelty(since, goals).items():
            if found.slope is not None:
                ends = [signed_amount(end, goals[name]) for end in (found.effect_first, found.effect_last)]
                rows.append((f"{name}: {variant}, by {words}", *ends, p_value(found.p)))
    header = ("Effect", "First day", "Last day", "p of no change")
    return Table("Does the effect fade or grow? A straight line through the days", header, tuple(rows))


def segment_table(result: Result, segment: Segment) -> Table:
    """The effects within each value, and whether they differ between the values."""
    rows = []
    for value, effects in segment.effects.items():
        for (variant, metric), effect in effects.items():
            rows.append(_segment_row(f"{value or 'not known'} · {metric}: {variant}", effect))
    for (variant, metric), found in segment.interactions.items():
        rows.append(
            (f"the same everywhere? {metric}: {variant}", MISSING, MISSING, p_value(found.p), MISSING)
        )
    header = (capitalized(segment.name), "Relative", "Interval", "p", f"p ({correction_words(result)})")
    return Table(f"Effects by {segment.name}; the last rows test whether they differ", header, tuple(rows))


def _segment_row(title: str, effect: Effect) -> tuple[str, ...]:
    interval = percent_span(*effect.relative_ci) if effect.relative_ci else MISSING
    return title, percent(effect.relative), interval, p_value(effect.p), p_value(effect.p_adjusted)


def funnel_table(log: LogFunnel) -> Table:
    """Every row of a log, once; the rules have a column where one dropped any."""
    dropped = [(RULES[rule], rule, count(n), _share(n / log.rows)) for rule, n in log.dropped.items() if n]
    kept = ("kept", "", count(log.kept), _share(log.kept / log.rows if log.rows else None))
    header = ("What became of them", "Rule", "Rows", "Share")
    rows: list[tuple[str, ...]] = [header, ("read", "", count(log.rows), ""), *dropped, kept]
    if not dropped:
        rows = [(what, n, share) for what, _, n, share in rows]
    return Table(f"Rows of {log.log}", rows[0], tuple(rows[1:]))


def correction_words(result: Result) -> str:
    """The correction's name."""
    return {"holm": "Holm", "bh": "Benjamini-Hochberg", "none": "not adjusted"}[result.correction]


def reading_notes(result: Result) -> list[str]:
    """What each number is, for a reader who was not there."""
    sure = confidence(result.alpha)
    notes = [
        "Errors come from the spread between users (delta method): what one user does is alike, so to count "
        "impressions as independent would make the errors too small.",
        f"The {sure} intervals and p hold for {look_words(result.look)}. The adjusted p counts in every "
        "metric and variant of the table; intervals do not.",
        "The relative interval is Fieller's: it excludes zero exactly when the absolute one does.",
        "Chance to win is Bayesian: how likely the effect is above zero, when most changes are small "
        "(two in three below 20% of the control). It is no licence to stop when it looks good.",
        f"The sample-ratio check raises the alarm below p = {result.srm.threshold:g}. After an alarm no "
        "other number should be used.",
        "The variance cut is what behaviour before the experiment explained (CUPED); the effect is adjusted "
        "for it, the values per variant are not.",
        "The daily course counts all days up to each day; its bands are for one look each.",
    ]
    if any(m.metric.quantile for m in result.measures):
        notes.append(
            "The error of a quantile, too, comes from the spread between users: of the share of their events "
            "below it. Quantiles have no daily course and are not adjusted for the past."
        )
    missing = {e.why_none for e in result.effects.values() if e.why_none}
    return notes + [f"Where there is no number: {why}." for why in sorted(missing)]


def _verdict(result: Result) -> str:
    if result.srm.p is None:
        tone, tag = "unsure", "Split not checked"
    else:
        tone, tag = ("bad", "Split is broken") if result.srm.is_alarm else ("good", "Split as planned")
    said, *findings = (escape(sentence) for sentence in result.decision.reasons)
    items = "".join(f"<li>{finding}</li>" for finding in findings)
    inside = f'<span class="tag">{tag}</span><p>{said}</p><ul>{items}</ul>'
    return f'<section class="verdict {tone}">{inside}</section>'


def _rows(result: Result) -> list[tuple[str, str, Effect]]:
    several = len(result.measures) > 1
    return [
        (f"{metric}: {variant}" if several else variant, effect.variant, effect)
        for (variant, metric), effect in result.effects.items()
    ]


def _effects_section(result: Result) -> str:
    plot = relative_plot(_rows(result), result.variants, result.alpha)
    aside = "Percent of the control. A line that stays clear of zero shows a difference."
    return _section("Differences", effects_table(result), plot, aside)


def _metric_section(result: Result, name: str, position: int, days: Mapping[str, DailySeries]) -> str:
    comparison = result.comparisons[name]
    plot = ctr_plot(comparison, name=f"m{position}", has_style=False)
    parts = [plot, variants_table(comparison).to_html()]
    if name in days:
        plot = daily_plot(days[name], name=f"d{position}", has_style=False, has_tips=position == 0)
        parts.append(f"<h3>Day by day</h3>{plot}")
        table = days_table(days[name]).to_html()
        parts.append(f"<details><summary>The same as a table</summary>{table}</details>")
    title = escape(capitalized(comparison.metric.title))
    inside = "".join(parts)
    if position == 0:
        return f"<section><h2>{title}</h2>{inside}</section>"
    return f"<section><details><summary><h2>{title}</h2></summary>{inside}</details></section>"


def _section(title: str, table: Table, plot: str = "", aside: str = "") -> str:
    return f"<section><h2>{escape(title)}</h2>{_aside(aside)}{plot}{table.to_html()}</section>"


def _aside(text: str) -> str:
    return f'<p class="aside">{escape(text)}</p>' if text else ""


def _split_aside(result: Result) -> str:
    alarms = [
        f"{segment.name} {value or 'not known'}"
        for segment in result.segments
        for value, check in segment.srm.items()
        if check.is_alarm
    ]
    alarms += [f"the new users of {day}" for day in result.srm_by_day().alarms]
    return f"The split is broken within {', '.join(alarms)}." if alarms else ""


def _funnel_aside(result: Result) -> str:
    assert result.funnel is not None
    share = result.funnel.mixed_share
    text = f"Every row is counted once; {count(result.funnel.users)} users count."
    if share > MIXED_SHARE:
        text += f" {_share(share)} were left out for having seen several variants: look for the reason first."
    return text


def _share(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.3g}%"
