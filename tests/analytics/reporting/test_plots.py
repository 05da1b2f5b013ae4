"""Plots are well-formed, say what they show, and survive names and data of any kind."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from analytics import Comparison, UnitDays, compare, daily_series, simulate_days
from analytics.reporting.plots import STYLE, ctr_plot, daily_plot, uplift_plot
from analytics.reporting.svg import Scale, fit


def parsed(plot: str) -> list[ElementTree.Element]:
    """The pictures of a plot; not being well-formed fails here."""
    return ElementTree.fromstring(plot).findall("svg")


def plots(comparison: Comparison) -> list[str]:
    assert comparison.days is not None
    return [ctr_plot(comparison), uplift_plot(comparison), daily_plot(comparison.days)]


def test_each_plot_has_a_wide_and_a_narrow_picture_that_name_themselves(comparison: Comparison) -> None:
    for plot in plots(comparison):
        pictures = parsed(plot)
        assert [picture.get("class") for picture in pictures] == ["wide", "narrow"]
        for picture in pictures:
            title, description = picture.find("title"), picture.find("desc")
            assert title is not None
            assert description is not None
            assert picture.get("aria-labelledby") == title.get("id")
            assert picture.get("aria-describedby") == description.get("id")
            assert "original" in (description.text or "")


def test_ids_are_unique_over_all_plots_of_a_page(comparison: Comparison) -> None:
    ids = re.findall(r' id="([^"]+)"', "".join(plots(comparison)))
    assert len(ids) == len(set(ids)) == 12


def test_everything_is_drawn_within_its_frame(comparison: Comparison) -> None:
    for plot in plots(comparison):
        for picture in parsed(plot):
            _, _, width, height = map(float, (picture.get("viewBox") or "").split())
            for mark in picture.iter():
                for name, limit in {
                    "x1": width,
                    "x2": width,
                    "cx": width,
                    "y1": height,
                    "y2": height,
                    "cy": height,
                }.items():
                    if name in mark.attrib:
                        assert 0 <= float(mark.attrib[name]) <= limit, (mark.tag, mark.attrib)


def test_the_dot_of_a_higher_rate_lies_further_right(comparison: Comparison) -> None:
    wide = parsed(ctr_plot(comparison))[0]
    dots = [float(dot.attrib["cx"]) for dot in wide.iter("circle")]
    values = [variant.value or 0.0 for variant in comparison.variants.values()]
    assert np.argsort(dots).tolist() == np.argsort(values).tolist()


def test_names_cannot_break_out_of_the_picture() -> None:
    nasty = '</svg><script>alert("x")</script>&'
    world = simulate_days(np.random.default_rng(0), 60, {"a": 0.2, nasty: 0.3}, n_days=3)
    for plot in plots(compare(world, control="a")):
        assert "<script" not in plot
        assert len(parsed(plot)) == 2


@pytest.mark.parametrize("n_days", [1, 2, 40, 400])
def test_any_number_of_days_can_be_drawn(n_days: int) -> None:
    world = simulate_days(np.random.default_rng(0), 200, {"a": 0.2, "b": 0.3}, n_days=n_days)
    for picture in parsed(daily_plot(daily_series(world.cumulative_moments()))):
        labels = [t.text for t in picture.iter("text") if re.fullmatch(r"\d+ [A-Z][a-z]{2}", t.text or "")]
        assert 1 <= len(labels) <= 8


def test_a_page_may_carry_the_style_itself(comparison: Comparison) -> None:
    bare = ctr_plot(comparison, has_style=False)
    assert "style" not in bare
    assert bare == ctr_plot(comparison).replace(f"<style>{STYLE}</style>", "")


def test_no_days_are_no_plot() -> None:
    assert daily_plot(daily_series({})) == ""


def test_a_variant_without_users_is_drawn_as_such(days: UnitDays) -> None:
    found = compare(days, control="original", shares={"original": 1, "popular": 1, "personal": 1, "late": 1})
    for plot in plots(found)[:2]:
        assert plot.count("no data yet") == 2


def test_one_variant_alone_has_no_uplift_to_plot() -> None:
    world = simulate_days(np.random.default_rng(0), 60, {"a": 0.2}, n_days=3)
    assert uplift_plot(compare(world, control="a")) == ""


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0437, 0.0702), (-3e-5, 2e-5), (1e6, 7e6)])
def test_ticks_are_round_and_within_the_scale(low: float, high: float) -> None:
    ticks = Scale(low, high, 0.0, 100.0).ticks(5)
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-12 <= tick <= high + 1e-12 for tick in ticks)
    step = ticks[1] - ticks[0]
    assert f"{step:.0e}"[0] in "125"


def test_a_long_name_loses_its_middle_and_keeps_both_ends() -> None:
    assert fit("short", 200.0, 13.0) == "short"
    cut = fit("a variant with a very long name, number 7", 120.0, 13.0)
    assert cut.startswith("a varia")
    assert cut.endswith("umber 7")
    assert len(cut) == 16
