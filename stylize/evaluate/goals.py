"""What a checkpoint should reach, beside what it did."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stylize.evaluate.fidelity import IDENTICAL_DB


class Verdict(StrEnum):
    """How a figure stands to its goal."""

    AIMED = "as aimed for"
    REACHED = "reached"
    MISSED = "missed"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Goal:
    """One row of the table of goals.

    Attributes:
        title: what is measured.
        published: what published single-style networks show, in words.
        to_reach, to_aim: bounds; to_aim is the better one.
        is_less_better: whether figures should lie under their bounds.
        form: how a figure is written.
        figure: what was reached; None where it was not measured.
    """

    title: str
    published: str
    to_reach: float
    to_aim: float
    is_less_better: bool
    form: Callable[[float], str]
    figure: float | None

    @property
    def verdict(self) -> Verdict:
        """How the figure stands to the bounds."""
        if self.figure is None:
            return Verdict.UNKNOWN
        if self._meets(self.to_aim):
            return Verdict.AIMED
        return Verdict.REACHED if self._meets(self.to_reach) else Verdict.MISSED

    @property
    def cells(self) -> tuple[str, str, str, str, str, str]:
        """Title, published, to reach, to aim for, found, verdict."""
        sign = "≤" if self.is_less_better else "≥"
        bounds = [
            f"{sign} {text}" if (text := self.form(bound))[0].isdigit() else text
            for bound in (self.to_reach, self.to_aim)
        ]
        found = "-" if self.figure is None else self.form(self.figure)
        return (self.title, self.published, bounds[0], bounds[1], found, self.verdict.value)

    def _meets(self, bound: float) -> bool:
        assert self.figure is not None
        return self.figure <= bound if self.is_less_better else self.figure >= bound


HEADINGS = ("measure", "published nets", "to reach", "to aim for", "found", "verdict")


def goals(summary: dict[str, Any]) -> list[Goal]:
    """The table of goals for a summary of stylize.evaluate.summary.

    Bounds are compared with the figures as they are, not as they are rounded for showing.
    """
    overall, mixes = summary["overall"], summary["mixes"]

    def at_most(title: str, published: str, reach: float, aim: float, figure: float | None) -> Goal:
        return Goal(title, published, reach, aim, True, _times, figure)

    def at_least(
        title: str,
        published: str,
        reach: float,
        aim: float,
        form: Callable[[float], str],
        figure: float | None,
    ) -> Goal:
        return Goal(title, published, reach, aim, False, form, figure)

    return [
        at_most("J at full strength against the optimum", "2.4x", 1.8, 1.3, overall["J_ratio"]),
        at_most("the same, worst style", "3.4x", 1.8, 1.3, _worst_ratio(summary)),
        at_least("identified at full strength", "75 %", 0.98, 1.0, _percent, overall["identified_full_rate"]),
        at_least("identified at default", "-", 0.90, 0.98, _percent, overall["identified_default_rate"]),
        at_least(
            "recognised at default, relative to clean",
            "68 % (full)",
            0.85,
            0.97,
            _percent,
            overall["recognised_default_rate"],
        ),
        at_least("SSIM at default", ".46 (full)", 0.60, 0.75, _two_digits, overall["ssim_default"]),
        at_most("checkerboard energy against the style", "visible", 1.2, 1.05, overall["checkerboard_ratio"]),
        at_least(
            "strength 0 against the photo", "-", 35, IDENTICAL_DB, _decibels, overall["psnr_strength_0_db"]
        ),
        at_least("50/50 mixes no worse than the worse parent", "-", 1.0, 1.0, _percent, mixes["clean_rate"]),
    ]


def _worst_ratio(summary: dict[str, Any]) -> float | None:
    ratios = [style["J_ratio"] for style in summary["styles"].values() if style["J_ratio"] is not None]
    return max(ratios, default=None)


def _times(value: float) -> str:
    return f"{value:.2f}x"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %".replace(".0 %", " %")


def _two_digits(value: float) -> str:
    return f"{value:.2f}"


def _decibels(value: float) -> str:
    return "identical" if value >= IDENTICAL_DB else f"{value:.0f} dB"
