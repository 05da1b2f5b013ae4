"""Judgements in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.wording import capitalized, count, listed, p_value, quoted

if TYPE_CHECKING:
    from analytics.judgement.opinions import Opinions
    from analytics.judgement.results import Preference

MOST_NAMED = 4


def preference_sentences(preference: Preference) -> list[str]:
    """How much was compared, what leads, and what the side did."""
    if preference.why_none:
        return [f"{capitalized(preference.why_none)}."]
    raters = "" if preference.n_raters is None else f" by {_raters(preference.n_raters)}"
    ties = f", {count(preference.n_ties)} of them without a preference" if preference.n_ties else ""
    noun = "comparison" if preference.n_comparisons == 1 else "comparisons"
    lines = [f"{count(preference.n_comparisons)} {noun}{raters}{ties}.", _leader(preference)]
    side = preference.side
    if side is not None:
        if side.p < preference.alpha:
            share = percentage(side.left_rate)
            lines.append(
                f"Of two equal styles the left one was preferred {share} of the time (p {p_value(side.p)}); "
                "this is taken out."
            )
        else:
            lines.append(f"The side did not matter noticeably (p {p_value(side.p)}).")
    return lines


def _leader(preference: Preference) -> str:
    best = next(iter(preference.styles))
    close = [
        duel.second
        for duel in preference.duels
        if duel.first == best and (duel.p_holm is None or duel.p_holm >= preference.alpha)
    ]
    leader = preference.styles[best]
    interval = f"{percentage(leader.preferred_low)} to {percentage(leader.preferred_high)}"
    lead = (
        f"{quoted(best)} leads: preferred to an average style {percentage(leader.preferred)} "
        f"of the time ({interval})"
    )
    return f"{lead}{_not_told_apart(close)}."


def opinion_sentences(opinions: Opinions) -> list[str]:
    """How much was scored, and what leads."""
    if opinions.why_none:
        return [f"{capitalized(opinions.why_none)}."]
    best = next(iter(opinions.styles.values()))
    close = [one.second for one in opinions.differences if one.p_holm is None or one.p_holm >= opinions.alpha]
    interval = (
        "" if best.ci_low is None or best.ci_high is None else f" ({best.ci_low:.2f} to {best.ci_high:.2f})"
    )
    noun = "score" if opinions.n_scores == 1 else "scores"
    scored = f"{count(opinions.n_scores)} {noun} by {_raters(opinions.n_raters)}."
    return [scored, f"{quoted(best.name)} leads with {best.score:.2f}{interval}{_not_told_apart(close)}."]


def percentage(share: float) -> str:
    """`63%`, with more digits near the ends: `99.6%`."""
    is_near_end = min(share, 1.0 - share) < 0.02
    return f"{100.0 * share:.1f}%" if is_near_end else f"{100.0 * share:.0f}%"


def _not_told_apart(names: list[str]) -> str:
    if not names:
        return ""
    shown = listed([quoted(name) for name in names[:MOST_NAMED]])
    if len(names) > MOST_NAMED:
        others = len(names) - MOST_NAMED
        shown = f"{', '.join(map(quoted, names[:MOST_NAMED]))} and {others} more"
    return f"; it cannot be told from {shown}"


def _raters(n: int) -> str:
    return "one rater" if n == 1 else f"{count(n)} raters"
