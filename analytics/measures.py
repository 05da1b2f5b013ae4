"""A metric and what it is for, from code or from one text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analytics.metrics import Metric

Role = Literal["goal", "guardrail", "secondary"]


@dataclass(frozen=True)
class Measure:
    """A metric and what it is for.

    Attributes:
        role: a `goal` decides, a `guardrail` must not get worse, a `secondary` metric explains.
        margin: the share of the control by which a guardrail may be worse. With one, a variant is shipped
            only when it is shown to stay within it; without, when no harm is shown.
        increase_is_good: False for a metric such as latency.
        cap: the share of all users, such as 0.999, above whose quantile a numerator counts as that quantile
            (winsorised); None for no cap.
    """

    metric: Metric
    role: Role = "goal"
    margin: float = 0.0
    increase_is_good: bool = True
    cap: float | None = None

    @classmethod
    def parse(cls, text: str, role: Role = "goal") -> Measure:
        """A measure from the text of a metric, with `-` before its formula where an increase is bad.

        A guardrail may end in its margin.

        Raises:
            ValueError: the metric has another form, or the margin is no share.

        >>> late = Measure.parse("late=-returns/users:0.02", "guardrail")
        >>> late.metric.name, late.increase_is_good, late.margin
        ('late', False, 0.02)
        """
        spec, margin = text, ""
        if role == "guardrail":
            spec, _, margin = text.partition(":")
        name, equals, formula = spec.strip().rpartition("=")
        is_bad = formula.lstrip().startswith("-")
        metric = Metric.parse(name + equals + formula.lstrip().removeprefix("-"))
        return cls(metric, role, _share(text, margin), increase_is_good=not is_bad)


def _share(text: str, margin: str) -> float:
    try:
        share = float(margin or 0)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise ValueError(f"{text}: a margin is a share of at least 0 and below 1, such as 0.02")
    return share
