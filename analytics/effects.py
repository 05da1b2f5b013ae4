"""Effects by name, adjusted for all that were looked at: of the whole experiment, and within its segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analytics.compare import compare
from analytics.inference.bayes import Posterior, posterior
from analytics.inference.corrections import Correction, adjust
from analytics.inference.cuped import estimate_variants
from analytics.inference.guardrails import NonInferiority, noninferiority
from analytics.inference.ratio import Estimate
from analytics.inference.segments import segment_interaction
from analytics.inference.sequential import Look
from analytics.measures import Measure
from analytics.outcome import Effect, Segment
from analytics.question import Group
from analytics.results import Comparison
from analytics.sums import Moments, merged


def pair_effects(
    comparisons: Mapping[str, Comparison],
    measures: Sequence[Measure],
    moments: Mapping[str, Moments],
    control: str,
    correction: Correction,
) -> dict[tuple[str, str], Effect]:
    """Every pair's effect on every metric, with p-values adjusted for all of them together.

    A pair and its mirror image are one comparison.
    """
    found = [(measure, c) for measure in measures for c in comparisons[measure.metric.name].contrasts]
    raw = {(m.metric.name, frozenset((c.treatment, c.control))): c.p for m, c in found}
    adjusted = dict(zip(raw, adjust(list(raw.values()), correction), strict=True))
    estimates = {m.metric.name: estimate_variants(moments, m.metric) for m in measures}
    effects = {}
    for measure, contrast in found:
        name, comparison = measure.metric.name, comparisons[measure.metric.name]
        pair = [estimates[name].get(variant) for variant in (contrast.treatment, contrast.control)]
        new, old = (one and one.adjusted for one in pair)
        beside = _beside(measure, new, old, comparison) if new and old else ()
        key = contrast.treatment if contrast.control == control else contrast.name
        p = adjusted[name, frozenset((contrast.treatment, contrast.control))]
        effects[key, name] = Effect.of(name, contrast, p, *beside)
    return effects


def _beside(
    measure: Measure, new: Estimate, old: Estimate, comparison: Comparison
) -> tuple[Posterior, NonInferiority | None]:
    """The Bayesian reading, and of a guardrail with a margin whether it is kept."""
    alpha = comparison.alpha
    believed = posterior(new, old, alpha=alpha)
    if measure.role != "guardrail" or measure.margin == 0:
        return believed, None
    verdict = noninferiority(
        new,
        old,
        margin=measure.margin,
        increase_is_good=measure.increase_is_good,
        alpha=alpha,
        look=comparison.look,
    )
    return believed, verdict


def segment_effects(
    groups: Mapping[Group, Moments],
    measures: Sequence[Measure],
    control: str,
    shares: Mapping[str, float] | None,
    names: Sequence[str],
    correction: Correction,
    alpha: float,
    look: Look,
) -> tuple[Segment, ...]:
    """Every segment's effects, adjusted over all segments together, and whether they differ.

    Args:
        groups: moments by variant and by a value of each of the segments in `names`.
    """
    found = {}
    for position, name in enumerate(names):
        for value, moments in _by_value(groups, position).items():
            found[name, value] = {
                m.metric.name: compare(
                    moments, control=control, metric=m.metric, shares=shares, alpha=alpha, look=look
                )
                for m in measures
            }
    cells = [
        (key, metric, contrast)
        for key, comparisons in found.items()
        for metric, comparison in comparisons.items()
        for contrast in comparison.contrasts
    ]
    adjusted = adjust([contrast.p for _, _, contrast in cells], correction)
    effects: dict[tuple[str, str], dict[tuple[str, str], Effect]] = {key: {} for key in found}
    for (key, metric, contrast), p in zip(cells, adjusted, strict=True):
        effects[key][contrast.treatment, metric] = Effect.of(metric, contrast, p)
    segments = []
    for position, name in enumerate(names):
        by_value = _by_value(groups, position)
        variants = sorted({v for moments in by_value.values() for v in moments} - {control})
        segments.append(
            Segment(
                name,
                {value: effects[name, value] for value in by_value},
                {value: next(iter(found[name, value].values())).srm for value in by_value},
                {
                    (variant, m.metric.name): segment_interaction(by_value, m.metric, variant, control)
                    for variant in variants
                    for m in measures
                },
            )
        )
    return tuple(segments)


def _by_value(groups: Mapping[Group, Moments], position: int) -> dict[str, dict[str, Moments]]:
    values = sorted({group.segments[position] for group in groups})
    return {
        value: merged((group.variant, m) for group, m in groups.items() if group.segments[position] == value)
        for value in values
    }
