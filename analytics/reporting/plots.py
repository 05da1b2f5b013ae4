"""Plots of a comparison as inline SVG: one string each, to set into any page.

Each plot is drawn twice, for a wide and for a narrow place, and a container query shows the one that
fits, so that text keeps its size on a phone. Colours are CSS variables with a light and a dark default;
a page may set `--plot-ink`, `--plot-muted`, `--plot-grid`, `--plot-surface` and `--plot-0` (the control)
to `--plot-5`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from analytics.conclusion import distinct_contrasts
from analytics.metrics import Metric
from analytics.outcome import Effect
from analytics.reporting.drawing import Place, Row, draw_days, draw_rows
from analytics.reporting.svg import element
from analytics.results import Comparison, DailySeries
from analytics.wording import (
    MISSING,
    amount,
    capitalized,
    confidence,
    percent,
    percent_span,
    points,
    signed_amount,
    signed_span,
    span,
)

N_COLOURS = 6

PLACES = (Place("wide", 880.0, is_narrow=False), Place("narrow", 340.0, is_narrow=True))

STYLE = """
.plot{container-type:inline-size;max-width:960px;margin:0;
--ink:var(--plot-ink,#1f2328);--muted:var(--plot-muted,#59636e);--grid:var(--plot-grid,#e6e8eb);
--surface:var(--plot-surface,#fff);
--c0:var(--plot-0,#6e7781);--c1:var(--plot-1,#0b6bcb);--c2:var(--plot-2,#c4520a);
--c3:var(--plot-3,#0f7b6c);--c4:var(--plot-4,#8250df);--c5:var(--plot-5,#bf3989)}
@media (prefers-color-scheme:dark){.plot{
--ink:var(--plot-ink,#e6edf3);--muted:var(--plot-muted,#9198a1);--grid:var(--plot-grid,#30363d);
--surface:var(--plot-surface,#0d1117);
--c0:var(--plot-0,#9da7b1);--c1:var(--plot-1,#58a6ff);--c2:var(--plot-2,#f0883e);
--c3:var(--plot-3,#3fb9a5);--c4:var(--plot-4,#bc8cff);--c5:var(--plot-5,#f778ba)}}
.plot svg{display:block;width:100%;height:auto;overflow:visible;font-size:13px;line-height:1;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums}
.plot .narrow{display:none}
@container (max-width:600px){.plot .wide{display:none}.plot .narrow{display:block}}
.plot text{fill:var(--ink)}.plot .muted{fill:var(--muted);font-size:12px}.plot .strong{font-weight:600}
.plot .grid{stroke:var(--grid)}.plot .zero{stroke:var(--muted);stroke-width:1.5}
.plot .reference{stroke:var(--c0);stroke-width:1.5;stroke-dasharray:1 5;stroke-linecap:round}
.plot .interval{stroke-width:9;stroke-linecap:round;opacity:.34}.plot .whisker{stroke-width:1.5}
.plot .course{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.plot .band{stroke:none;opacity:.14}.plot .dot{stroke:var(--surface);stroke-width:1.5}
.plot .target{opacity:0}.plot .target:hover{opacity:.5}
""" + "".join(f".plot .s{i}{{stroke:var(--c{i})}}.plot .f{i}{{fill:var(--c{i})}}" for i in range(N_COLOURS))
"""The style sheet of all plots. Each plot carries it, unless the page serves it itself."""


def ctr_plot(comparison: Comparison, *, name: str = "ctr", has_style: bool = True) -> str:
    """The metric of each variant with its interval; a dotted line marks the control.

    Args:
        name: unique among the plots of one page; titles are tied to pictures by it.
        has_style: whether it carries STYLE; without it, the page has to.
    """
    metric = comparison.metric
    colours = _colours(comparison.variants)
    rows = [
        Row(
            v.name,
            colours[v.name],
            amount(v.value, metric),
            span(v.ci_low, v.ci_high, metric),
            v.value,
            _ends(v.ci_low, v.ci_high),
        )
        for v in comparison.variants.values()
    ]
    title = f"{capitalized(metric.title)} per variant with {confidence(comparison.alpha)} intervals"
    control = comparison.variants[comparison.control].value
    return _responsive(
        name,
        title,
        _in_words(rows),
        lambda place: draw_rows(rows, metric, place, reference=control, is_zero=False),
        has_style=has_style,
    )


def uplift_plot(comparison: Comparison, *, name: str = "uplift", has_style: bool = True) -> str:
    """The effect of each comparison: a broad line for one look, a thin one for looking every day.

    Returns an empty string when there is nothing to compare.
    """
    metric = comparison.metric
    colours = _colours(comparison.variants)
    rows = [
        Row(
            f"{c.treatment} vs {c.control}",
            colours[c.treatment],
            signed_amount(c.effect, metric) + ("" if c.effect is None else points(metric)),
            signed_span(c.ci_low, c.ci_high, metric),
            c.effect,
            _ends(c.ci_low, c.ci_high),
            _ends(c.anytime_low, c.anytime_high),
        )
        for c in distinct_contrasts(comparison)
    ]
    if not rows:
        return ""
    title = f"Difference in {metric.title} with {confidence(comparison.alpha)} intervals"
    return _responsive(
        name,
        title,
        _in_words(rows),
        lambda place: draw_rows(rows, metric, place, reference=0.0, is_zero=True),
        has_style=has_style,
    )


def daily_plot(
    series: DailySeries, *, name: str = "daily", has_style: bool = True, has_tips: bool = True
) -> str:
    """The metric of each variant over all days up to each day, with its band.

    Args:
        has_tips: whether each day tells its numbers under the pointer, which weighs half of the plot.

    Returns an empty string when there are no days.
    """
    if not series.days:
        return ""
    metric = series.metric
    latest = [
        f"{variant}: {amount(points[-1].value, metric)}"
        for variant, points in series.variants.items()
        if points
    ]
    title = f"{capitalized(metric.title)} so far, day by day, with {confidence(series.alpha)} bands"
    description = f"From {series.days[0]} to {series.days[-1]}. By the last day: {'; '.join(latest)}."
    colours = _colours(series.variants)
    return _responsive(
        name,
        title,
        description,
        lambda place: draw_days(series, colours, place, has_tips=has_tips),
        has_style=has_style,
    )


def estimates_plot(
    estimates: Mapping[str, tuple[float | None, float | None, float | None]],
    metric: Metric,
    title: str,
    *,
    reference: float | None = None,
    name: str = "estimates",
    has_style: bool = True,
) -> str:
    """Any values with their intervals, one row each: strengths, scores, values of policies.

    Args:
        estimates: by name: the value and both ends of its interval, None where there is none.
        metric: how numbers are written; nothing is computed from it.
        reference: where a dotted line goes through all rows.
    Returns:
        The plot, or an empty string without estimates.
    """
    rows = [
        Row(one, 1, amount(value, metric), span(low, high, metric), value, _ends(low, high))
        for one, (value, low, high) in estimates.items()
    ]
    if not rows:
        return ""
    return _responsive(
        name,
        title,
        _in_words(rows),
        lambda place: draw_rows(rows, metric, place, reference=reference, is_zero=False),
        has_style=has_style,
    )


def _responsive(
    name: str,
    title: str,
    description: str,
    draw: Callable[[Place], tuple[float, list[str]]],
    *,
    has_style: bool,
) -> str:
    """The plot for each place; the narrow one is hidden from nobody who sees only it."""
    pictures = []
    for place in PLACES:
        height, drawn = draw(place)
        about, words = f"{name}-{place.name}-title", f"{name}-{place.name}-desc"
        pictures.append(
            element(
                "svg",
                element("title", text=title, id=about),
                element("desc", text=description, id=words),
                *drawn,
                viewBox=f"0 0 {place.width:g} {height:g}",
                class_=place.name,
                role="img",
                aria_labelledby=about,
                aria_describedby=words,
            )
        )
    style = f"<style>{STYLE}</style>" if has_style else ""
    return f'<div class="plot">{style}{"".join(pictures)}</div>'


def _colours(names: Iterable[str]) -> dict[str, int]:
    """The first, the control, is grey; colours repeat after the sixth."""
    return {name: i if i < N_COLOURS else 1 + (i - 1) % (N_COLOURS - 1) for i, name in enumerate(names)}


def _ends(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _in_words(rows: Iterable[Row]) -> str:
    return "; ".join(f"{row.name}: {row.value} ({row.interval})" for row in rows)


def relative_plot(
    rows: Sequence[tuple[str, str, Effect]], variants: Iterable[str], alpha: float, *, name: str = "relative"
) -> str:
    """Relative effects with their intervals, one line each; the style sheet is the page's to bring.

    Args:
        rows: (what to call it, its variant, the effect).
        variants: in the order in which they get their colours, the control first.
    """
    colours = _colours(variants)
    drawn = [
        Row(
            title,
            colours[variant],
            percent(effect.relative),
            percent_span(*effect.relative_ci) if effect.relative_ci else MISSING,
            effect.relative,
            _ends(*effect.relative_ci) if effect.relative_ci else None,
        )
        for title, variant, effect in rows
    ]
    if not drawn:
        return ""
    title = f"Change relative to the control, percent, with {confidence(alpha)} intervals"
    return _responsive(
        name,
        title,
        _in_words(drawn),
        lambda place: draw_rows(drawn, RELATIVE, place, reference=0.0, is_zero=True),
        has_style=False,
    )


RELATIVE = Metric("relative change", "treatment", "control")
"""What the axis of relative effects is labelled as: a share, in percent."""
