from typing import Any

import pytest

from stylize.evaluate.goals import Verdict, goals


def summary(**overall: float | None) -> dict[str, Any]:
    """A summary that aims high, except for what is given."""
    figures: dict[str, float | None] = {
        "J_ratio": 1.2,
        "identified_full_rate": 1.0,
        "identified_default_rate": 0.99,
        "recognised_default_rate": 0.98,
        "ssim_default": 0.8,
        "checkerboard_ratio": 1.0,
        "psnr_strength_0_db": 100.0,
    }
    figures |= overall
    styles = {"best": {"J_ratio": 1.1}, "worst": {"J_ratio": 1.25}}
    return {"overall": figures, "styles": styles, "mixes": {"clean_rate": 1.0}}


def test_a_network_that_has_it_all_has_it_all() -> None:
    assert {goal.verdict for goal in goals(summary())} == {Verdict.AIMED}


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("J_ratio", 1.3, Verdict.AIMED),
        ("J_ratio", 1.8, Verdict.REACHED),
        ("J_ratio", 1.8001, Verdict.MISSED),
        ("J_ratio", None, Verdict.UNKNOWN),
        ("identified_full_rate", 0.98, Verdict.REACHED),
        ("identified_full_rate", 0.9799, Verdict.MISSED),
        ("ssim_default", 0.599, Verdict.MISSED),
        ("psnr_strength_0_db", 60.0, Verdict.REACHED),
    ],
)
def test_figures_are_judged_as_they_are_not_as_they_are_shown(
    name: str, value: float | None, verdict: Verdict
) -> None:
    others = [goal.verdict for goal in goals(summary(**{name: value}))]
    assert others.count(verdict) == (len(others) if verdict is Verdict.AIMED else 1)


def test_cells_show_bounds_with_their_direction() -> None:
    first, *_, mixes = goals(summary(J_ratio=None))
    assert first.cells == (
        "J at full strength against the optimum",
        "2.4x",
        "≤ 1.80x",
        "≤ 1.30x",
        "-",
        "not measured",
    )
    assert mixes.cells[4:] == ("100 %", "as aimed for")
