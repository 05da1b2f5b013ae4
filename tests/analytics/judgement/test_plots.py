"""Plots and tables of judgements say the numbers that were computed, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np

from analytics.judgement import Pairs, opinions, prefer, simulate_pairs, simulate_scores
from analytics.judgement.plots import opinion_plot, preference_plot
from analytics.judgement.tables import duels_table, opinions_table, strengths_table
from analytics.judgement.verdicts import percentage

STYLES = {"acrylic": 0.0, "batik <b>": 0.8, "chalk": -0.6}
PREFERENCE = prefer(simulate_pairs(np.random.default_rng(0), STYLES, n_raters=20))
OPINIONS = opinions(
    simulate_scores(np.random.default_rng(0), {n: 3 + s for n, s in STYLES.items()}, n_raters=20)
)


def test_a_plot_says_every_style_with_its_interval_and_escapes_names() -> None:
    plot = preference_plot(PREFERENCE)
    for one in PREFERENCE.styles.values():
        assert f"{100 * one.preferred:.1f}%" in plot
    assert "<b>" not in plot
    assert "batik &lt;b&gt;" in plot
    assert f"{OPINIONS['chalk'].score:.2f}" in opinion_plot(OPINIONS)


def test_nothing_judged_draws_nothing() -> None:
    nothing = prefer(Pairs(np.array([], str), np.array([], str), np.array([])))
    assert preference_plot(nothing) == ""
    assert duels_table(nothing).rows == ()


def test_the_tables_have_a_row_for_every_style_and_for_every_rival_of_the_leader() -> None:
    strengths, duels = strengths_table(PREFERENCE), duels_table(PREFERENCE)
    assert [row[0] for row in strengths.rows] == list(PREFERENCE.styles)
    assert [row[0] for row in duels.rows] == ["batik <b> beside acrylic", "batik <b> beside chalk"]
    assert strengths.rows[0][4] == percentage(PREFERENCE["batik <b>"].preferred)
    assert len(opinions_table(OPINIONS).rows) == 3
