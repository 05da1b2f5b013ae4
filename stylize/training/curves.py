"""Loss curves of a training run as one picture."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1200, 240
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 64, 220, 34, 28
INK, GRID = "#333333", "#dddddd"
COLORS = ("#3b6fb6", "#d1603d", "#4c9a5b", "#8d5fb0", "#c2942b", "#4aa7b5", "#b5487c", "#6b6b6b")
SMOOTHING_SHARE = 0.02
"""Width of the moving average, as a share of the run: one batch says little."""


def draw_curves(log: Path) -> Image.Image:
    """One panel for the objective, one for its terms, one for each style's style loss, against the step.

    Args:
        log: the JSON lines of stylize.training.run_folder.append_log.
    """
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    panels: list[tuple[str, Mapping[str, Sequence[tuple[int, float]]]]] = [
        ("objective", {"loss": [(row["step"], row["loss"]) for row in rows]}),
        ("terms", _series(rows, "losses")),
        ("style loss, by style, at full strength", _series(_full(rows), "style_losses")),
    ]
    sheet = Image.new("RGB", (WIDTH, HEIGHT * len(panels)), "white")
    for place, (title, series) in enumerate(panels):
        sheet.paste(_panel(title, series), (0, place * HEIGHT))
    return sheet


def _full(rows: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return [row for row in rows if row["kind"] == "full"]


def _series(rows: Sequence[Mapping[str, object]], name: str) -> dict[str, list[tuple[int, float]]]:
    series: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        for key, value in row[name].items():  # type: ignore[attr-defined]
            series[key].append((row["step"], value))  # type: ignore[arg-type]
    return series


def _panel(title: str, series: Mapping[str, Sequence[tuple[int, float]]]) -> Image.Image:
    panel = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(size=12)
    draw.text((MARGIN_LEFT, 8), title, fill=INK, font=ImageFont.load_default(size=15))
    smooth = {name: _smoothed(np.array(points, dtype=float)) for name, points in series.items() if points}
    if not smooth:
        return panel
    everything = np.concatenate(list(smooth.values()))
    steps = (everything[:, 0].min(), everything[:, 0].max())
    top = _round_up(float(np.quantile(everything[:, 1], 0.995)))
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - MARGIN_BOTTOM - share * (HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)
        draw.line([(MARGIN_LEFT, y), (WIDTH - MARGIN_RIGHT, y)], fill=GRID)
        draw.text((MARGIN_LEFT - 8, y), f"{share * top:g}", fill=INK, font=font, anchor="rm")
        x = MARGIN_LEFT + share * (WIDTH - MARGIN_LEFT - MARGIN_RIGHT)
        draw.text(
            (x, HEIGHT - 14),
            f"{steps[0] + share * (steps[1] - steps[0]):,.0f}",
            fill=INK,
            font=font,
            anchor="mm",
        )
    for place, (name, points) in enumerate(sorted(smooth.items())):
        color = COLORS[place % len(COLORS)]
        draw.line(_to_pixels(points, steps, top), fill=color, width=2)
        column_x, row_y = WIDTH - MARGIN_RIGHT + 12, MARGIN_TOP + 12 * place
        draw.text((column_x, row_y), f"{name[:24]} {points[-1, 1]:.3g}", fill=color, font=font, anchor="lm")
    return panel


def _smoothed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over windows, at most 400 of them: (n, 2) -> (m, 2)."""
    width = max(1, round(len(points) * SMOOTHING_SHARE))
    n_windows = max(1, min(400, len(points) // width))
    return np.array([part.mean(axis=0) for part in np.array_split(points, n_windows)])


def _to_pixels(
    points: NDArray[np.float64], steps: tuple[float, float], top: float
) -> list[tuple[float, float]]:
    across = (points[:, 0] - steps[0]) / max(1.0, steps[1] - steps[0])
    up = np.clip(points[:, 1] / top, 0, 1)
    x = MARGIN_LEFT + across * (WIDTH - MARGIN_LEFT - MARGIN_RIGHT)
    y = HEIGHT - MARGIN_BOTTOM - up * (HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, so that the axis has round marks."""
    if not (math.isfinite(value) and value > 0):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
