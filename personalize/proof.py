"""The door to `analytics`: the comparison of an experiment's variants, from sums made in the database."""

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from sqlalchemy import Engine as Database

from personalize.errors import UnknownExperiment

if TYPE_CHECKING:
    from analytics import Comparison as Comparison
    from analytics.cleaning import Funnel as Funnel

BASELINES_FIRST = ("random", "original", "popular", "personal")


@dataclass(frozen=True)
class Proof:
    """The comparison of an experiment, and what became of every row that it was made of.

    funnel: None where the database has no logs to clean, only sums by user.
    """

    comparison: "Comparison"
    funnel: "Funnel | None"


def prove(database: Database, name: str) -> Proof:
    """Click-through per variant, each variant against every simpler one, and the sample-ratio check.

    The same rows count as in `analytics compare`: its cleaning rules apply, and the rollup answers where one
    was refreshed. The simplest variant is the control: no personalization before some, the unstyled photo
    before any style. Variants of other names come last, in alphabetical order.

    Raises:
        UnknownExperiment: neither planned nor seen.
    """
    import analytics
    from analytics.cleaning import Cleaning
    from analytics.question import Question
    from analytics.reading import Database as Source
    from analytics.reading import read_source

    try:
        data = read_source(Source(database), name, Question(("clicks", "impressions")), Cleaning(), None)
    except analytics.errors.UnknownExperiment:
        raise UnknownExperiment(name) from None
    moments = {group.variant: found for group, found in data.groups.items()}
    shares = data.definition.variants if data.definition else {}
    variants = sorted({*moments, *shares}, key=_simplicity)
    comparison = analytics.compare(
        {variant: moments[variant] for variant in variants if variant in moments},
        control=variants[0],
        pairs=[(treatment, baseline) for baseline, treatment in combinations(variants, 2)],
        shares={variant: shares[variant] for variant in variants if variant in shares} or None,
        days=data.days(),
        experiment=name,
    )
    return Proof(comparison, data.funnel)


def _simplicity(variant: str) -> tuple[int, str]:
    known = BASELINES_FIRST.index(variant) if variant in BASELINES_FIRST else len(BASELINES_FIRST)
    return known, variant


@dataclass(frozen=True)
class ComparisonFigures:
    """A comparison as HTML fragments: SVG plots, and the table that says the same beside each.

    `style_sheet` is what the plots want; they carry it no more, because a strict page forbids inline styles.
    """

    split_table: str
    funnel_tables: str
    ctr_plot: str
    uplift_plot: str
    daily_plot: str
    variants_table: str
    contrasts_table: str
    days_table: str


def draw_proof(proof: Proof) -> ComparisonFigures:
    """The plots and tables of a comparison; an empty string where there is nothing to draw."""
    from analytics.reporting import plots, tables
    from analytics.reporting.report import funnel_table

    comparison, logs = proof.comparison, proof.funnel.logs if proof.funnel else ()
    days = comparison.days
    return ComparisonFigures(
        split_table=tables.split_table(comparison).to_html(),
        funnel_tables="".join(funnel_table(log).to_html() for log in logs if log.rows),
        ctr_plot=plots.ctr_plot(comparison, has_style=False),
        uplift_plot=plots.uplift_plot(comparison, has_style=False),
        daily_plot=plots.daily_plot(days, has_style=False) if days else "",
        variants_table=tables.variants_table(comparison).to_html(),
        contrasts_table=tables.contrasts_table(comparison).to_html(),
        days_table=tables.days_table(days).to_html() if days else "",
    )


def plot_style_sheet() -> str:
    """The style sheet that the plots of `draw_proof` want."""
    from analytics.reporting.plots import STYLE

    return STYLE
