"""What to do about a result, and why, in plain sentences."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from analytics.conclusion import p_words, split_sentence
from analytics.wording import (
    amount,
    confidence,
    percent,
    percent_span,
    quoted,
    signed_amount,
    signed_span,
)

if TYPE_CHECKING:
    from analytics.measures import Measure
    from analytics.outcome import Effect, Result

Verdict = Literal["do not trust", "ship", "do not ship", "wait"]


@dataclass(frozen=True)
class Decision:
    """What to do, and why.

    Attributes:
        variant: the one to ship, when there is one.
    """

    verdict: Verdict
    variant: str | None
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self) | {"reasons": list(self.reasons)}


def decide(result: Result) -> Decision:
    """What the numbers say to do, in the order in which to believe them.

    A broken split ends it. A guardrail that is shown to be worse (by more than its margin) rules its variant
    out, and one with a margin holds it back until it is shown to stay within. Of the variants left, the one
    furthest ahead in the first goal is the one to ship, if that is shown beyond doubt; if all are shown to be
    behind the answer is no, and otherwise it is to wait.
    """
    split = split_sentence(next(iter(result.comparisons.values())))
    if result.srm.is_alarm:
        return Decision("do not trust", None, (split,))
    reasons = [split]
    harmed = {variant for variant, _ in _harms(result)}
    for variant, metric in _harms(result):
        reasons.append(f"{quoted(variant)} made the guardrail {quoted(metric)} worse: do not ship it.")
    goals = [m for m in result.measures if m.role == "goal"]
    if not goals or len(result.variants) < 2:
        return Decision("wait", None, (*reasons, "There is no goal, or nothing to compare it with."))
    goal = goals[0]
    sign = 1.0 if goal.increase_is_good else -1.0
    names = [name for name in result.variants if (name, goal.metric.name) in result.effects]
    effects = [result[name, goal.metric.name] for name in names]
    reasons += [goal_sentence(result, goal, effect) for effect in effects]
    shown = [e for e in effects if e.is_significant(result.alpha)]
    ahead = [e for e in shown if sign * (e.effect or 0.0) > 0 and e.variant not in harmed]
    unproven = [(variant, metric) for variant, metric in _unproven(result) if variant not in harmed]
    held_back = {variant for variant, _ in unproven}
    for variant, metric in unproven:
        if variant in {e.variant for e in ahead}:
            reasons.append(f"{quoted(variant)} is not shown yet to keep {quoted(metric)} within its margin.")
    ready = [e for e in ahead if e.variant not in held_back]
    if ready:
        best = max(ready, key=lambda e: sign * (e.effect or 0.0))
        reasons.append(f"Ship {quoted(best.variant)}.")
        return Decision("ship", best.variant, tuple(reasons))
    if effects and not ahead and all(e in shown or e.variant in harmed for e in effects):
        reasons.append(f"Keep {quoted(result.control)}.")
        return Decision("do not ship", None, tuple(reasons))
    reasons.append("Nothing is decided yet: gather more users, or accept that the difference is small.")
    return Decision("wait", None, tuple(reasons))


def goal_sentence(result: Result, goal: Measure, effect: Effect) -> str:
    """One variant in the first goal, with the p-value that counts in every comparison."""
    metric, name = goal.metric, quoted(effect.variant)
    if effect.p is None or effect.ci is None:
        return f"{name} cannot be judged: {effect.why_none}."
    comparison = result.comparisons[metric.name]
    interval = percent_span(*effect.relative_ci) if effect.relative_ci else signed_span(*effect.ci, metric)
    size = signed_amount(effect.effect, metric) if effect.relative is None else percent(effect.relative)
    evidence = f"{size}, {confidence(result.alpha)} interval {interval}, p\u00a0{p_words(effect.p_adjusted)}"
    if not effect.is_significant(result.alpha):
        return f"No difference in {metric.title} between {name} and the control is shown ({evidence})."
    verb = "raised" if (effect.effect or 0.0) > 0 else "lowered"
    before = amount(comparison.variants[result.control].value, metric)
    return f"{name} {verb} {metric.title} from {before} ({evidence})."


def _guarded(result: Result) -> list[tuple[Measure, Effect]]:
    guardrails = [m for m in result.measures if m.role == "guardrail"]
    keys = [(m, (variant, m.metric.name)) for m in guardrails for variant in result.variants]
    return [(m, result.effects[key]) for m, key in keys if key in result.effects]


def _harms(result: Result) -> list[tuple[str, str]]:
    """Guardrails that are shown to be worse by more than their margin: (variant, metric)."""
    found = []
    for measure, effect in _guarded(result):
        ends = effect.relative_ci or (effect.ci if measure.margin == 0 else None)
        if ends is None or not (measure.margin > 0 or effect.is_significant(result.alpha)):
            continue
        best = ends.high if measure.increase_is_good else -ends.low
        if best < -measure.margin:
            found.append((effect.variant, effect.metric))
    return found


def _unproven(result: Result) -> list[tuple[str, str]]:
    """Guardrails with a margin that are not shown to stay within it: (variant, metric)."""
    return [
        (effect.variant, effect.metric)
        for measure, effect in _guarded(result)
        if measure.margin > 0 and not (effect.noninferiority and effect.noninferiority.is_noninferior)
    ]
