"""Judgements as tables, each fit for Markdown, for a page and for a terminal."""

from __future__ import annotations

from analytics.judgement.agreement import Agreement
from analytics.judgement.opinions import Opinions
from analytics.judgement.results import Preference
from analytics.judgement.verdicts import percentage
from analytics.reporting.tables import Table
from analytics.wording import MINUS, MISSING, confidence, count, p_value


def strengths_table(preference: Preference) -> Table:
    """Each style with its comparisons and how likely it is preferred to an average one."""
    rows = tuple(
        (
            one.name,
            count(one.wins),
            count(one.ties),
            count(one.losses),
            percentage(one.preferred),
            f"{percentage(one.preferred_low)} to {percentage(one.preferred_high)}",
            _signed(one.strength),
        )
        for one in preference.styles.values()
    )
    caption = f"Preferred to a style of average strength, {confidence(preference.alpha)} intervals"
    return Table(caption, ("Style", "Won", "Tied", "Lost", "Preferred", "Interval", "Strength"), rows)


def duels_table(preference: Preference) -> Table:
    """The leading style beside each other one: how likely it is preferred, with both p-values."""
    leader = next(iter(preference.styles), None)
    rows = tuple(
        (
            f"{duel.first} beside {duel.second}",
            MISSING if duel.probability is None else percentage(duel.probability),
            MISSING
            if duel.probability_low is None or duel.probability_high is None
            else f"{percentage(duel.probability_low)} to {percentage(duel.probability_high)}",
            p_value(duel.p),
            p_value(duel.p_holm),
        )
        for duel in preference.duels
        if duel.first == leader
    )
    caption = f"The first preferred to the second, {confidence(preference.alpha)} intervals"
    return Table(caption, ("Pair", "Preferred", "Interval", "p", "p (Holm)"), rows)


def opinions_table(opinions: Opinions) -> Table:
    """Each style with its scores and what the average rater would give it."""
    rows = tuple(
        (
            one.name,
            count(one.n_scores),
            count(one.n_raters),
            f"{one.mean:.2f}",
            f"{one.score:.2f}",
            MISSING
            if one.ci_low is None or one.ci_high is None
            else f"{one.ci_low:.2f} to {one.ci_high:.2f}",
        )
        for one in opinions.styles.values()
    )
    caption = f"Score by the average rater, {confidence(opinions.alpha)} intervals"
    return Table(caption, ("Style", "Scores", "Raters", "Plain mean", "Score", "Interval"), rows)


def agreement_sentence(agreement: Agreement) -> str:
    """Krippendorff's alpha in words."""
    if agreement.value is None:
        return f"Agreement between raters is not known: {agreement.why_none}."
    interval = ""
    if agreement.ci_low is not None and agreement.ci_high is not None:
        interval = f", {_signed(agreement.ci_low)} to {_signed(agreement.ci_high)}"
    return (
        f"Agreement between raters (Krippendorff's alpha; 1 is full, 0 is chance): "
        f"{_decimal(agreement.value)}{interval}; what was judged more than once: {count(agreement.n_units)}."
    )


def _decimal(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)
