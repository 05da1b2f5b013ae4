"""Many runs side by side: the table, the figures that count, the curves."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from personalize.simulate.arena import N_POINTS, Result

COLOURS = ("#c2410c", "#b45309", "#2563eb", "#7c3aed", "#0f766e", "#6b7280")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 380, 56, 40, 48


def summarise(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Per world and policy the means over seeds, in the order of their first run.

    against_bar: click rate over the better of LinUCB's and popularity's in the same worlds, minus 1; against_
    random: the same over random; None where there is nothing to compare with.
    """
    keys = list(dict.fromkeys((one.world, one.policy) for one in results))
    rows = [_row(world, policy, _of(results, world, policy)) for world, policy in keys]
    rates = {(row["world"], row["policy"]): row["click_rate"] for row in rows}
    for row in rows:
        bars = [
            rates[row["world"], name] for name in ("linucb", "popularity") if (row["world"], name) in rates
        ]
        row["against_bar"] = row["click_rate"] / max(bars) - 1 if bars else None
        row["against_random"] = row["click_rate"] / row["random_rate"] - 1
    return rows


def _row(world: str, policy: str, runs: Sequence[Result]) -> dict[str, Any]:
    return {
        "world": world,
        "policy": policy,
        "seeds": [one.seed for one in runs],
        "click_rate": _mean([one.click_rate for one in runs]),
        "random_rate": _mean([one.random_rate for one in runs]),
        "capture": _mean([one.capture for one in runs]),
        "late_capture": _mean([one.late_capture for one in runs]),
        "regret": _mean([one.regret for one in runs]),
        "new_style_share": _mean([one.new_style_share for one in runs]),
        "cpu_seconds": _mean([one.cpu_seconds for one in runs]),
    }


def draw_curves(results: Sequence[Result], world: str) -> str:
    """An SVG of capture over time, a line per policy, the mean over seeds; it needs no script and no font."""
    policies = list(dict.fromkeys(one.policy for one in results if one.world == world))
    lines = [
        _line(policy, _mean_curve(_of(results, world, policy)), COLOURS[n % len(COLOURS)], n)
        for n, policy in enumerate(policies)
    ]
    n_impressions = max((one.n_impressions for one in results if one.world == world), default=0)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'font-family="system-ui, sans-serif" font-size="13">',
            f"<title>Capture over time in the world {escape(world)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="24" font-size="15" fill="#111827">{escape(world)}: share of the possible '
            "gain over random</text>",
            *_axes(n_impressions),
            *lines,
            "</svg>",
        ]
    )


def _axes(n_impressions: int) -> list[str]:
    marks = []
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(level)
        marks.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - 150}" stroke="#e5e7eb"/>')
        marks.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#4b5563">{level:g}</text>'
        )
    for share in (0.0, 0.5, 1.0):
        anchor = f'text-anchor="middle" fill="#4b5563">{share * n_impressions:,.0f}'
        marks.append(f'<text x="{_x(share):.1f}" y="{HEIGHT - BOTTOM + 20}" {anchor}</text>')
    marks.append(
        f'<text x="{_x(0.5):.1f}" y="{HEIGHT - 10}" text-anchor="middle" fill="#4b5563">impressions</text>'
    )
    return marks


def _line(policy: str, curve: Sequence[float], colour: str, n: int) -> str:
    points = [
        f"{_x((i + 0.5) / N_POINTS):.1f},{_y(min(max(value, -0.1), 1.0)):.1f}"
        for i, value in enumerate(curve)
        if not np.isnan(value)
    ]
    label = f'<text x="{WIDTH - 140}" y="{TOP + 20 + 20 * n}" fill="{colour}">{escape(policy)}</text>'
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>{label}'


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - 150 - LEFT)


def _y(level: float) -> float:
    return TOP + (1 - level) / 1.1 * (HEIGHT - BOTTOM - TOP)


def _of(results: Sequence[Result], world: str, policy: str) -> list[Result]:
    return [one for one in results if (one.world, one.policy) == (world, policy)]


def _mean_curve(runs: Sequence[Result]) -> list[float]:
    columns = zip(*(one.curve for one in runs), strict=True)
    means = [_mean(list(column)) for column in columns]
    return [float("nan") if mean is None else mean for mean in means]


def _mean(values: Sequence[float | None]) -> float | None:
    """Over what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
