"""A comparison in plain sentences, the sample-ratio verdict first."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.results import Comparison, Contrast
from analytics.wording import (
    amount,
    capitalized,
    confidence,
    count,
    listed,
    p_value,
    percent,
    percent_span,
    points,
    quoted,
    signed_amount,
    signed_span,
)


def conclude(comparison: Comparison) -> str:
    """What the numbers say, in the order in which to believe them."""
    return " ".join(sentences(comparison))


def sentences(comparison: Comparison) -> list[str]:
    """One finding each: first the split, then every comparison once."""
    contrasts = distinct_contrasts(comparison)
    found = [split_sentence(comparison), *(contrast_sentence(comparison, c) for c in contrasts)]
    if not contrasts:
        found.append("There is only one variant, so there is nothing to compare it with.")
    if sum(c.p is not None for c in contrasts) > 1:
        found.append("The p-values are adjusted for several comparisons (Holm).")
    return [sentence for sentence in (*found, *_adjustment(contrasts), comparison.look.sentence) if sentence]


def split_sentence(comparison: Comparison) -> str:
    """Whether the users were split as planned, with what the check could have seen."""
    srm = comparison.srm
    if srm.p is None:
        return f"The split of users could not be checked: {srm.why_none}."
    if srm.is_alarm:
        return (
            f"Do not believe these numbers yet: users were not split as planned "
            f"(sample-ratio p\u00a0{p_words(srm.p)}; {_observed(comparison)}). "
            "Find out where users were lost or counted twice before reading on."
        )
    reach = (
        f"losing {100 * srm.detectable_loss:.2g}% of one variant's users would have shown"
        if srm.detectable_loss is not None
        else "so few users could not show even the loss of a whole variant"
    )
    return f"Users were split as planned (sample-ratio p\u00a0{p_words(srm.p)}; {reach})."


def contrast_sentence(comparison: Comparison, contrast: Contrast) -> str:
    """Which of the two is ahead, by how much, and how sure that is."""
    treatment, control = quoted(contrast.treatment), quoted(contrast.control)
    if contrast.p is None:
        return f"{treatment} and {control} cannot be compared: {contrast.why_none}."
    sure = confidence(comparison.alpha)
    evidence = f"{sure} interval {_interval(comparison, contrast)}, p\u00a0{p_words(contrast.p_holm)}"
    if not contrast.is_significant(comparison.alpha):
        if contrast.p < comparison.alpha:
            evidence += " once all comparisons are counted"
        return f"No difference between {treatment} and {control} has been shown ({evidence})."
    verb = "raised" if (contrast.effect or 0) > 0 else "lowered"
    before = amount(comparison.variants[contrast.control].value, comparison.metric)
    after = amount(comparison.variants[contrast.treatment].value, comparison.metric)
    return (
        f"{treatment} {verb} {comparison.metric.title} from {before} ({control}) to {after}: "
        f"{_uplift(comparison, contrast)} ({evidence})."
    )


def distinct_contrasts(comparison: Comparison) -> list[Contrast]:
    """Each comparison once: of a pair and its mirror image the one whose control comes first."""
    order = list(comparison.variants)
    found: dict[frozenset[str], Contrast] = {}
    for contrast in comparison.contrasts:
        pair = frozenset((contrast.treatment, contrast.control))
        if pair not in found or order.index(contrast.control) < order.index(contrast.treatment):
            found[pair] = contrast
    return list(found.values())


def _adjustment(contrasts: Sequence[Contrast]) -> list[str]:
    """What the past explained, and what of it could not be used."""
    cuts = [c.variance_reduction for c in contrasts if c.variance_reduction is not None]
    problems = dict.fromkeys(c.why_not_adjusted for c in contrasts if c.why_not_adjusted)
    found = [f"{capitalized(problem)}." for problem in problems]
    if cuts:
        least, most = (f"{100 * cut:.0f}" for cut in (min(cuts), max(cuts)))
        share = f"{most}%" if least == most else f"{least} to {most}%"
        found.insert(0, f"What users did before explains {share} of the variance and is taken out.")
    return found


def _uplift(comparison: Comparison, contrast: Contrast) -> str:
    if contrast.relative_low is None:
        return signed_amount(contrast.effect, comparison.metric) + points(comparison.metric)
    return percent(contrast.relative_uplift)


def _interval(comparison: Comparison, contrast: Contrast) -> str:
    if contrast.relative_low is None:
        ends = signed_span(contrast.ci_low, contrast.ci_high, comparison.metric)
        return ends + points(comparison.metric)
    return percent_span(contrast.relative_low, contrast.relative_high)


def _observed(comparison: Comparison) -> str:
    srm = comparison.srm
    return listed(
        [
            f"{count(n)} in {quoted(name)} where {count(round(srm.expected[name]))} were due"
            for name, n in srm.observed.items()
        ]
    )


def p_words(p: float | None) -> str:
    """`= 0.032` or `< 0.0001`, held together on a line."""
    text = p_value(p)
    return (text if text.startswith("<") else f"= {text}").replace(" ", "\u00a0")
