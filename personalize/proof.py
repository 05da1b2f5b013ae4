"""The door to `analytics`: the comparison of an experiment's variants, from sums made in the database."""

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from sqlalchemy import Engine as Database

from personalize.errors import UnknownExperiment

if TYPE_CHECKING:
    from analytics import Comparison as Comparison

BASELINES_FIRST = ("random", "original", "popular", "personal")


def compare_experiment(database: Database, name: str) -> "Comparison":
    """Click-through per variant, each variant against every simpler one, and the sample-ratio check.

    The simplest variant is the control: no personalization before some, the unstyled photo before
    any style. Variants of other names come last, in alphabetical order.

    Raises:
        UnknownExperiment: neither planned nor seen.
    """
    import analytics
    from analytics.database import read_experiment

    try:
        sums = read_experiment(database, name)
    except analytics.errors.UnknownExperiment:
        raise UnknownExperiment(name) from None
    variants = sorted({*sums.moments, *(sums.shares or {})}, key=_simplicity)
    return analytics.compare(
        {variant: sums.moments[variant] for variant in variants if variant in sums.moments},
        control=variants[0],
        pairs=[(treatment, baseline) for baseline, treatment in combinations(variants, 2)],
        shares={variant: sums.shares[variant] for variant in variants if variant in sums.shares}
        if sums.shares
        else None,
        days=sums.days,
        experiment=name,
    )


def _simplicity(variant: str) -> tuple[int, str]:
    known = BASELINES_FIRST.index(variant) if variant in BASELINES_FIRST else len(BASELINES_FIRST)
    return known, variant


@dataclass(frozen=True)
class ComparisonFigures:
    """A comparison as HTML fragments: SVG plots, and the table that says the same beside each.

    `style_sheet` is what the plots want; they carry it no more, because a strict page forbids inline styles.
    """

    split_table: str
    ctr_plot: str
    uplift_plot: str
    daily_plot: str
    variants_table: str
    contrasts_table: str
    days_table: str


def draw_comparison(comparison: "Comparison") -> ComparisonFigures:
    """The plots and tables of a comparison; an empty string where there is nothing to draw."""
    from analytics import plots, tables

    days = comparison.days
    return ComparisonFigures(
        split_table=tables.split_table(comparison).to_html(),
        ctr_plot=plots.ctr_plot(comparison, has_style=False),
        uplift_plot=plots.uplift_plot(comparison, has_style=False),
        daily_plot=plots.daily_plot(days, has_style=False) if days else "",
        variants_table=tables.variants_table(comparison).to_html(),
        contrasts_table=tables.contrasts_table(comparison).to_html(),
        days_table=tables.days_table(days).to_html() if days else "",
    )


def plot_style_sheet() -> str:
    """The style sheet that the plots of `draw_comparison` want."""
    from analytics.plots import STYLE

    return STYLE
