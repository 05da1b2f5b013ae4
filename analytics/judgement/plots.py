"""Judgements as inline SVG, in the manner of `analytics.reporting.plots`."""

from __future__ import annotations

from analytics.judgement.opinions import Opinions
from analytics.judgement.results import Preference
from analytics.metrics import Metric
from analytics.reporting.plots import estimates_plot
from analytics.wording import confidence

PREFERRED = Metric("preferred", "preferred", "comparisons")
SCORE = Metric("score", "score", "users")
"""How numbers are written: in percent, and as they are."""


def preference_plot(preference: Preference, *, name: str = "preference", has_style: bool = True) -> str:
    """How likely each style is preferred to an average one; a dotted line marks one half."""
    rows = {
        one.name: (one.preferred, one.preferred_low, one.preferred_high) for one in preference.styles.values()
    }
    title = f"Preferred to a style of average strength, {confidence(preference.alpha)} intervals"
    return estimates_plot(rows, PREFERRED, title, reference=0.5, name=name, has_style=has_style)


def opinion_plot(opinions: Opinions, *, name: str = "opinion", has_style: bool = True) -> str:
    """The score of each style by the average rater."""
    rows = {one.name: (one.score, one.ci_low, one.ci_high) for one in opinions.styles.values()}
    title = f"Score by the average rater, {confidence(opinions.alpha)} intervals"
    return estimates_plot(rows, SCORE, title, name=name, has_style=has_style)
