"""The geometry of the plots: rows of intervals, and courses over days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from analytics.metrics import Metric
from analytics.reporting.svg import BOLD, Point, Scale, element, fit, label, line, padded, path, text_width
from analytics.results import DailySeries, DayPoint
from analytics.wording import amount, span, tick_amount

SIZE = 13.0
"""Font size, px."""

WIDEST_NAME = 230.0
"""Room for the name of a row in a wide plot, px."""

MOST_DOTS = 31
"""Days up to which each day has its own dot, with the numbers as its tooltip."""


@dataclass(frozen=True)
class Place:
    """Room to draw in, px."""

    name: str
    width: float
    is_narrow: bool


@dataclass(frozen=True)
class Row:
    """One line of an interval plot: a dot, a broad interval, and thin whiskers where there are any."""

    name: str
    colour: int
    value: str
    interval: str
    centre: float | None
    ends: tuple[float, float] | None
    whiskers: tuple[float, float] | None = None


def draw_rows(
    rows: Sequence[Row], metric: Metric, place: Place, *, reference: float | None, is_zero: bool
) -> tuple[float, list[str]]:
    """Height and elements of an interval plot; `reference` is a vertical line through all rows."""
    is_stacked = place.is_narrow and any(_line_width(row) > place.width for row in rows)
    texts_height = 44.0 if is_stacked else 28.0 if place.is_narrow else 0.0
    names_width = texts_width = 0.0
    if not place.is_narrow:
        names_width = min(max(text_width(row.name, SIZE * BOLD) for row in rows), WIDEST_NAME) + 20.0
        texts_width = max(text_width(row.interval, 12.0) for row in rows) + 24.0
    row_height, top = (texts_height + 28.0, 0.0) if place.is_narrow else (46.0, 8.0)
    bottom = top + row_height * len(rows)
    known = [b for r in rows for b in (r.centre, *(r.ends or ()), *(r.whiskers or ())) if b is not None]
    if reference is not None:
        known.append(reference)
    low, high = padded(known or [0.0, 1.0])
    x = Scale(low, high, names_width + 8.0, place.width - texts_width - 8.0)
    drawn = [
        label(x(v), bottom + 17.0, tick_amount(v, metric, is_difference=is_zero), "muted", "middle")
        for v in _ticks(x, place)
    ]
    for i, row in enumerate(rows):
        y = top + row_height * i
        marks_top = y + texts_height
        verticals = [line(x(v), marks_top, x(v), y + row_height, "grid") for v in _ticks(x, place)]
        if reference is not None:
            kind = "zero" if is_zero else "reference"
            verticals.append(line(x(reference), marks_top, x(reference), y + row_height, kind))
        drawn += [*verticals, *_row_texts(row, y, place, is_stacked=is_stacked)]
        drawn.append(_row_marks(row, (marks_top + y + row_height) / 2, x))
    return bottom + 24.0, drawn


def draw_days(
    series: DailySeries, colours: Mapping[str, int], place: Place, *, has_tips: bool = True
) -> tuple[float, list[str]]:
    """Height and elements of the courses over days, with the legend above."""
    drawn, top = _legend(series, colours, place)
    bottom = top + (220.0 if place.is_narrow else 270.0)
    days = series.days
    ordinals = [float(date.fromisoformat(day).toordinal()) for day in days]
    low, high = _visible_range(series)
    y = Scale(low, high, bottom, top)
    x = Scale(ordinals[0], max(ordinals[-1], ordinals[0] + 1.0), 46.0, place.width - 12.0)
    for value in y.ticks(4 if place.is_narrow else 5):
        drawn.append(line(46.0, y(value), place.width, y(value), "grid"))
        drawn.append(label(38.0, y(value) + 4.0, tick_amount(value, series.metric), "muted", "end"))
    for i in _spread(len(days), 4 if place.is_narrow else 8):
        drawn.append(
            label(x(ordinals[i]), bottom + 20.0, short_date(days[i]), "muted", _anchor(i, len(days)))
        )
    courses = [(colours[name], points) for name, points in series.variants.items()]
    drawn += [_band(points, colour, x, y) for colour, points in courses]
    drawn += [_course(points, colour, x, y) for colour, points in courses]
    if has_tips and len(days) <= MOST_DOTS:
        drawn += [
            _dots(name, points, colours[name], series.metric, x, y)
            for name, points in series.variants.items()
        ]
    return bottom + 30.0, drawn


def _line_width(row: Row) -> float:
    return text_width(row.name + row.value, SIZE * BOLD) + text_width(row.interval, 12.0) + 24.0


def _ticks(x: Scale, place: Place) -> list[float]:
    return x.ticks(3 if place.is_narrow else 6)


def _row_texts(row: Row, y: float, place: Place, *, is_stacked: bool) -> list[str]:
    """Name, value and interval: beside the marks, or above them in one line or in two."""
    right, below = place.width, y + 36.0
    if is_stacked:
        start = text_width(row.value, SIZE) * 1.06 + 10.0
        name = label(0.0, y + 18.0, fit(row.name, place.width, SIZE * BOLD), "strong")
        return [name, label(0.0, below, row.value), label(start, below, row.interval, "muted")]
    name = label(
        0.0, y + (20.0 if place.is_narrow else 27.5), fit(row.name, WIDEST_NAME, SIZE * BOLD), "strong"
    )
    if place.is_narrow:
        value = label(right - text_width(row.interval, 12.0) - 8.0, y + 20.0, row.value, "strong", "end")
        return [name, value, label(right, y + 20.0, row.interval, "muted", "end")]
    value = label(right, y + 20.0, row.value, "strong", "end")
    return [name, value, label(right, below, row.interval, "muted", "end")]


def _row_marks(row: Row, y: float, x: Scale) -> str:
    if row.centre is None:
        return label((x.start + x.end) / 2, y + 4.0, "no data yet", "muted", "middle")
    marks = []
    if row.whiskers is not None:
        low, high = map(x, row.whiskers)
        stroke = f"whisker s{row.colour}"
        marks += [line(low, y, high, y, stroke)]
        marks += [line(end, y - 5.0, end, y + 5.0, stroke) for end in (low, high)]
    if row.ends is not None:
        marks.append(line(x(row.ends[0]), y, x(row.ends[1]), y, f"interval s{row.colour}"))
    marks.append(element("circle", cx=x(row.centre), cy=y, r=6.0, class_=f"dot f{row.colour}"))
    return element("g", element("title", text=f"{row.name}: {row.value} ({row.interval})"), *marks)


def _legend(series: DailySeries, colours: Mapping[str, int], place: Place) -> tuple[list[str], float]:
    """Name and latest value of each variant, as many to a line as fit, and where the plot may begin."""
    drawn: list[str] = []
    x, y = 0.0, 14.0
    for name, points in series.variants.items():
        shown = fit(name, place.width - 110.0, SIZE * BOLD)
        latest = amount(points[-1].value if points else None, series.metric)
        width = 46.0 + text_width(shown, SIZE * BOLD) + text_width(latest, SIZE)
        if x > 0 and x + width > place.width:
            x, y = 0.0, y + 22.0
        drawn.append(element("circle", cx=x + 6.0, cy=y - 4.5, r=5.0, class_=f"f{colours[name]}"))
        parts = element("tspan", text=shown, class_="strong"), element("tspan", text=latest, dx=7.0)
        drawn.append(element("text", *parts, x=x + 18.0, y=y))
        x += width
    return drawn, y + 18.0


def _visible_range(series: DailySeries) -> tuple[float, float]:
    """All courses, and the bands of the later half: those of the first days would flatten the rest."""
    points = [p for of_variant in series.variants.values() for p in of_variant]
    later = set(series.days[len(series.days) // 2 :])
    values = [p.value for p in points if p.value is not None]
    bands = [b for p in points if p.day in later for b in (p.ci_low, p.ci_high) if b is not None]
    return padded([*values, *bands] or [0.0, 1.0])


def _band(points: Sequence[DayPoint], colour: int, x: Scale, y: Scale) -> str:
    known = [
        (_x(p, x), p.ci_low, p.ci_high) for p in points if p.ci_low is not None and p.ci_high is not None
    ]
    if len(known) < 2:
        return "".join(line(at, y.clamped(a), at, y.clamped(b), f"interval s{colour}") for at, a, b in known)
    upper: list[Point] = [(at, y.clamped(high)) for at, _, high in known]
    lower: list[Point] = [(at, y.clamped(low)) for at, low, _ in known]
    return path(upper + lower[::-1], f"band f{colour}", closed=True)


def _course(points: Sequence[DayPoint], colour: int, x: Scale, y: Scale) -> str:
    known = [(_x(p, x), y(p.value)) for p in points if p.value is not None]
    if not known:
        return ""
    at, height = known[-1]
    end = element("circle", cx=at, cy=height, r=4.5, class_=f"dot f{colour}")
    return path(known, f"course s{colour}") + end


def _dots(name: str, points: Sequence[DayPoint], colour: int, metric: Metric, x: Scale, y: Scale) -> str:
    """An unseen, larger target around each day, whose tooltip holds the numbers."""
    dots = []
    for p in points:
        if p.value is None:
            continue
        words = (
            f"{name}, {short_date(p.day)}: {amount(p.value, metric)} ({span(p.ci_low, p.ci_high, metric)})"
        )
        title = element("title", text=words)
        dots.append(element("circle", title, cx=_x(p, x), cy=y(p.value), r=8.0, class_=f"target f{colour}"))
    return "".join(dots)


def short_date(day: str) -> str:
    """`3 Mar`."""
    at = date.fromisoformat(day)
    return f"{at.day} {at:%b}"


def _x(point: DayPoint, x: Scale) -> float:
    return x(date.fromisoformat(point.day).toordinal())


def _spread(n: int, most: int) -> list[int]:
    """The first index, the last, and evenly between them, at most `most` of n."""
    if n <= most:
        return list(range(n))
    step = -(-(n - 1) // (most - 1))
    return [*range(0, n - 1 - step // 2, step), n - 1]


def _anchor(i: int, n: int) -> str:
    return "end" if i == n - 1 and n > 1 else "middle" if i else "start"
