"""A/A mode: the shop's own users, split at random again and again, with nothing changed for anyone.

Whatever is found is false. If it is found about as often as alpha says, the metric can be trusted with this
analysis; if it is found more often, something about the metric breaks it, such as a few users who decide
everything, or rows that are not users.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.derived import with_derived
from analytics.inference.contrasts import contrast_variants
from analytics.inference.distributions import kolmogorov_p, normal_quantile
from analytics.inference.ratio import Interval
from analytics.metrics import Metric
from analytics.sums import Moments, pairs_of
from analytics.units import Units

SUSPICION = 0.001
"""A sound analysis is called unsound with about this chance, on either of the two checks."""

NO_QUANTILE = (
    "splits of the same events share the few values around the quantile, so how often they differ tells of "
    "these values and not of the metric"
)
"""Thousand splits of 500 users found a difference in 2 to 7% of them, and not in 5, in a sound world each."""

CELLS = 4_000_000
"""Users times splits that are drawn at once, to bound memory."""


@dataclass(frozen=True)
class AaTest:
    """How often nothing was taken for something.

    Attributes:
        runs: splits that gave a p-value.
        rate: share of them below alpha, with its 95 % interval.
        uniform_p: of p-values that are uniform, as they should be (Kolmogorov and Smirnov).
        p_values: one per split.
        is_sound: True when neither check is suspicious.
    """

    metric: Metric
    n_users: int
    runs: int
    alpha: float
    p_values: tuple[float, ...]
    rate: float | None = None
    rate_low: float | None = None
    rate_high: float | None = None
    uniform_p: float | None = None
    is_sound: bool | None = None
    why_none: str | None = None

    @property
    def conclusion(self) -> str:
        """What it says, in words."""
        if self.rate is None or self.rate_low is None or self.rate_high is None:
            return f"Nothing can be said about {self.metric.title}: {self.why_none}."
        found = (
            f"{self.n_users:,} users split at random {self.runs:,} times: a difference in "
            f"{self.metric.title} was found in {100 * self.rate:.1f}% of the splits "
            f"(95% interval {100 * self.rate_low:.1f} to {100 * self.rate_high:.1f}%), "
            f"where chance alone finds {100 * self.alpha:g}%"
        )
        if self.is_sound:
            return f"{found}. The metric can be trusted with this analysis."
        return (
            f"{found}. Do not trust the metric with this analysis: look for a few users who decide "
            "everything, or for rows that are not users."
        )

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self) | {"conclusion": self.conclusion}


def aa_test(
    units: Units,
    metric: Metric,
    rng: np.random.Generator,
    *,
    runs: int = 1000,
    treatment_share: float = 0.5,
    alpha: float = 0.05,
) -> AaTest:
    """Analyse `runs` random splits of the same users, each user in the treatment by a coin of its own.

    Variants in the units are ignored, so the users of a past experiment should be those of one variant.
    Of a quantile nothing is said.

    Raises:
        KeyError: a column of the metric is not there.
        ValueError: no runs, or a share outside (0, 1).
    Source: Kohavi, Tang and Xu, Trustworthy Online Controlled Experiments, 2020, chapter 19.
    """
    if runs < 1 or not 0.0 < treatment_share < 1.0:
        raise ValueError(f"wanted at least one run and a share in (0, 1), got {runs}, {treatment_share}")
    if metric.quantile is not None:
        return AaTest(metric, len(units), 0, alpha, (), why_none=NO_QUANTILE)
    p_values: list[float] = []
    reason: str | None = None
    for moments in _splits(
        with_derived(units.columns, metric.columns), len(units), rng, runs, treatment_share
    ):
        [contrast] = contrast_variants(moments, metric, [("treatment", "control")], alpha=alpha)
        if contrast.p is not None:
            p_values.append(contrast.p)
        reason = reason or contrast.why_none
    if not p_values:
        return AaTest(metric, len(units), 0, alpha, (), why_none=reason)
    rate = float(np.mean(np.array(p_values) < alpha))
    low, high = wilson_interval(rate, len(p_values))
    wide = wilson_interval(rate, len(p_values), SUSPICION)
    uniform_p = _uniform_p(np.sort(p_values))
    is_sound = wide.low <= alpha <= wide.high and uniform_p >= SUSPICION
    return AaTest(
        metric, len(units), len(p_values), alpha, tuple(p_values), rate, low, high, uniform_p, is_sound
    )


def wilson_interval(rate: float, n: int, alpha: float = 0.05) -> Interval:
    """The 1 - alpha interval of a share seen in n independent trials.

    Source: Wilson, JASA 1927, 22(158).

    >>> [round(end, 4) for end in wilson_interval(0.05, 1000)]
    [0.0381, 0.0653]
    """
    z = normal_quantile(1.0 - alpha / 2.0)
    middle = rate + z * z / (2.0 * n)
    reach = z * math.sqrt(rate * (1.0 - rate) / n + z * z / (4.0 * n * n))
    scale = 1.0 + z * z / n
    return Interval((middle - reach) / scale, (middle + reach) / scale)


def _splits(
    columns: dict[str, NDArray[Any]], n_users: int, rng: np.random.Generator, runs: int, share: float
) -> Iterator[dict[str, Moments]]:
    """Moments of treatment and control of each split; one matrix product makes those of many."""
    values = {name: np.asarray(column, np.float64) for name, column in columns.items()}
    pairs = pairs_of(values)
    with np.errstate(over="ignore", invalid="ignore"):
        table = np.column_stack(
            [np.ones(n_users), *values.values(), *(values[a] * values[b] for a, b in pairs)]
        )
        everyone = table.sum(axis=0)
        for size in _chunks(runs, max(1, CELLS // max(n_users, 1))):
            treated = (rng.random((size, n_users)) < share).astype(np.float64) @ table
            for sums in treated:
                parts = {"treatment": sums, "control": everyone - sums}
                yield {name: _moments(part, list(values), pairs) for name, part in parts.items()}


def _chunks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


def _moments(sums: NDArray[np.float64], names: list[str], pairs: list[tuple[str, str]]) -> Moments:
    n, *rest = sums.tolist()
    totals = dict(zip(names, rest, strict=False))
    return Moments(round(n), totals, dict(zip(pairs, rest[len(names) :], strict=True)))


def _uniform_p(ordered: NDArray[np.float64]) -> float:
    n = len(ordered)
    above = np.arange(1, n + 1) / n - ordered
    gap = float(max(above.max(), (1.0 / n - above).max()))
    return kolmogorov_p(math.sqrt(n) * gap)
