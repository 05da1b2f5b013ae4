"""The little of SVG that the plots need: elements, scales, ticks, and text that fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

CHARACTER_WIDTH = 0.56
"""Mean width of a character of a sans-serif face, in font sizes."""

BOLD = 1.16
"""How much wider a bold character is."""


@dataclass(frozen=True)
class Scale:
    """A linear map from [low, high] in data to [start, end] in pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def clamped(self, value: float) -> float:
        """The pixel of a value, or of the nearer end of the scale."""
        return self(min(max(value, self.low), self.high))

    def ticks(self, wanted: int) -> list[float]:
        """About `wanted` round values within the scale, at least two: steps of 1, 2 or 5 times 10^n."""
        rough = (self.high - self.low) / wanted
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)] if last > first else self.ticks(wanted + 1)


Point = tuple[float, float]
"""x and y, px; y grows downwards."""


def padded(values: list[float], share: float = 0.08) -> tuple[float, float]:
    """The range of the values with some air on both sides, never of zero width."""
    low, high = min(values), max(values)
    air = (high - low) * share or abs(high) * 0.1 or 1.0
    return low - air, high + air


def element(name: str, *children: str, text: str = "", **attributes: str | float) -> str:
    """One element; `class_` and `text_anchor` become class and text-anchor; numbers keep one decimal."""
    written = "".join(f' {_attribute(key)}="{_value(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{escape(text, quote=False)}{''.join(children)}</{name}>"


def line(x1: float, y1: float, x2: float, y2: float, class_: str, *children: str) -> str:
    """A straight line."""
    return element("line", *children, x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def label(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> str:
    """A line of text whose baseline starts, ends or has its middle at (x, y)."""
    return element("text", text=text, x=x, y=y, class_=class_, text_anchor=anchor)


def path(points: Sequence[Point], class_: str, *, closed: bool = False) -> str:
    """Straight lines through the points."""
    steps = "L".join(f"{_value(x)} {_value(y)}" for x, y in points)
    return element("path", d=f"M{steps}{'Z' if closed else ''}", class_=class_)


def text_width(text: str, size: float) -> float:
    """About how wide a text will be, px."""
    return len(text) * size * CHARACTER_WIDTH


def fit(text: str, width: float, size: float) -> str:
    """The text, its middle cut out when it would be wider than `width`: names differ at their ends."""
    longest = max(int(width / (size * CHARACTER_WIDTH)), 5)
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2
    return f"{text[: longest - 1 - tail]}…{text[-tail:]}"


def _attribute(key: str) -> str:
    return key.rstrip("_") if key in ("class_",) else key if key == "viewBox" else key.replace("_", "-")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escape(value)
    return f"{value:.1f}".removesuffix(".0")
