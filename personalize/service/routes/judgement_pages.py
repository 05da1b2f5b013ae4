"""The pages of human judgement: where renders are rated, and what the ratings say beside the clicks."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response

from personalize.judgement import Figure, StylesJudged, StyleStanding
from personalize.service.dependencies import BackendDep
from personalize.service.http_errors import Problem
from personalize.service.pages import render_page
from personalize.service.rating_schemas import RatingKind
from personalize.service.routes.images import thumbnail_url
from personalize.service.routes.ratings import CHANCE, draw_task, judged_styles

router = APIRouter(include_in_schema=False)

SCORES = {1: "poor", 2: "fair", 3: "good", 4: "very good", 5: "excellent"}
TRACK = 100.0


@dataclass(frozen=True)
class Mark:
    """A figure drawn on a track 100 units long: the dot, and both ends of its interval."""

    at: float
    start: float
    end: float


@dataclass(frozen=True)
class Cell:
    """A figure as the page shows it."""

    text: str
    interval: str
    basis: str
    mark: Mark | None
    why_none: str | None


@dataclass(frozen=True)
class StyleRow:
    style_id: str
    title: str
    thumbnail_url: str | None
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Column:
    """How one of the figures is written, and from where to where it is drawn."""

    name: str
    heading: str
    hint: str
    scale: float = 1.0
    decimals: int = 0
    unit: str = ""
    basis: str = ""
    low: float | None = 0.0
    high: float | None = 1.0


COLUMNS = {
    "By eye": (
        Column(
            "preferred", "Preferred", "chance to be preferred to an average style", 100, 0, "%", "comparisons"
        ),
        Column("opinion", "Score", "from 1 to 5, by the average rater", 1, 2, "", "scores", 1.0, 5.0),
    ),
    "By measure": (
        Column("psnr_db", "PSNR", "likeness to the photo, in decibels", 1, 1, " dB", low=None, high=None),
        Column("ssim", "SSIM", "likeness to the photo, at most 1", 1, 2),
        Column("recognised", "Recognised", "renders in which the product is recognised", 100, 0, "%"),
        Column("identified", "Identified", "renders from which the style can be told", 100, 0, "%"),
    ),
    "By behaviour": (
        Column(
            "ctr", "Clicked", "clicked impressions over impressions", 100, 1, "%", "impressions", None, None
        ),
    ),
}


@router.get("/rate")
async def show_rating(backend: BackendDep, kind: Annotated[RatingKind, Query()] = "pair") -> Response:
    """Two renders to choose from, or one to score; the sides are drawn by chance."""
    try:
        task = await draw_task(backend, kind, CHANCE)
    except Problem:
        task = None
    context = {"kind": kind, "task": task, "scores": SCORES, "experiment": backend.settings.experiment}
    return render_page("rate.html", context)


@router.get("/styles")
async def show_styles(backend: BackendDep) -> Response:
    """Each style by eye, by measure and by behaviour, side by side."""
    judged = await judged_styles(backend)
    context = {
        "judged": judged,
        "groups": COLUMNS,
        "rows": _rows(judged),
        "days": backend.settings.history_window.days,
        "experiment": backend.settings.experiment,
    }
    return render_page("styles.html", context)


def _rows(judged: StylesJudged) -> list[StyleRow]:
    columns = [column for group in COLUMNS.values() for column in group]
    ranges = {column.name: _range(column, judged.standings) for column in columns}
    return [
        StyleRow(
            one.style_id,
            one.title,
            thumbnail_url(one.style_id),
            {
                column.name: _cell(getattr(one, column.name), column, ranges[column.name])
                for column in columns
            },
        )
        for one in judged.standings
    ]


def _range(column: Column, standings: tuple[StyleStanding, ...]) -> tuple[float, float]:
    """What the track stands for: the column's own ends, or from zero to the largest value or upper end."""
    if column.low is not None and column.high is not None:
        return column.low, column.high
    figures = [getattr(one, column.name) for one in standings]
    return 0.0, max((figure.high or figure.value or 0.0 for figure in figures), default=0.0) or 1.0


def _cell(figure: Figure, column: Column, ends: tuple[float, float]) -> Cell:
    if figure.value is None:
        return Cell("–", "", "", None, figure.why_none)
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f"{_number(figure.low, column)} to {_number(figure.high, column)}{column.unit}"
    basis = (
        f"{figure.n:,} {column.basis if figure.n != 1 else column.basis.removesuffix('s')}"
        if column.basis
        else ""
    )
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    mark = Mark(*(_place(value, ends) for value in (figure.value, low, high)))
    return Cell(_number(figure.value, column) + column.unit, interval, basis, mark, figure.why_none)


def _number(value: float, column: Column) -> str:
    return f"{value * column.scale:.{column.decimals}f}".replace("-", "−")


def _place(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return round(TRACK * min(max((value - low) / (high - low), 0.0), 1.0), 2)
