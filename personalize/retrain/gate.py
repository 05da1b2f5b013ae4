"""The rule that promotes: two evaluations on the same held-back rows in, a decision with its reasons out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from personalize.features.runs import Floats, Ints
from personalize.retrain.evaluation import Evaluation, K

MIN_HOLDOUT_CLICKS = 50
"""Clicks on the held-back rows below which nothing can be judged."""

CONFIDENCE = 0.9
N_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Gain:
    """What the challenger gains over another scorer, positive for better, with an interval over users.

    The gain in log loss is in millinats per impression, that in NDCG per slate with a click.
    """

    metric: str
    over: str
    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "over": self.over,
            "value": self.value,
            "ci_low": self.low,
            "ci_high": self.high,
        }

    def __str__(self) -> str:
        return (
            f"{self.metric} better by {self.value:.4g} than {self.over} "
            f"({CONFIDENCE:.0%} interval {self.low:.4g} to {self.high:.4g})"
        )


@dataclass(frozen=True, slots=True)
class GateDecision:
    """`promote`, and in plain words why or why not; the gains it rests on."""

    promote: bool
    reasons: tuple[str, ...]
    gains: tuple[Gain, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "promote": self.promote,
            "reasons": list(self.reasons),
            "gains": [gain.to_dict() for gain in self.gains],
        }


@dataclass(frozen=True, slots=True)
class Match:
    """The challenger and another scorer, evaluated on the same rows."""

    challenger: Evaluation
    other: Evaluation


def judge(popularity: Match, champion: Match | None, *, seed: int) -> GateDecision:
    """Whether the challenger may serve.

    It must predict clicks better than popularity: the interval of its gain in log loss lies above zero.
    It must not be surely worse, in log loss or in NDCG, than popularity or the champion: no interval lies
    below zero. Log loss carries the decision because it uses every impression; NDCG uses only slates
    with a click, and on a day of a small shop is mostly noise.

    Args:
        popularity, champion: the challenger against each, on rows that neither has seen; None when there
            is no champion to compare with.
    """
    challenger = popularity.challenger
    if challenger.n_clicks < MIN_HOLDOUT_CLICKS:
        reason = (
            f"too few clicks to judge by: {challenger.n_clicks} on the held-back impressions, "
            f"{MIN_HOLDOUT_CLICKS} are needed"
        )
        return GateDecision(False, (reason,))
    matches = [popularity] if champion is None else [popularity, champion]
    gains = tuple(gain for match in matches for gain in gains_in(match, seed=seed))
    verdicts = [_clears(gains[0]), *map(_holds, gains[1:])]
    objections_first = sorted(verdicts, key=lambda verdict: verdict[0])
    return GateDecision(
        all(passed for passed, _ in verdicts), tuple(reason for _, reason in objections_first), gains
    )


def gains_in(match: Match, *, seed: int) -> tuple[Gain, Gain]:
    """The challenger's gains in log loss and in NDCG, with percentile bootstrap intervals over users."""
    challenger, other = match.challenger, match.other
    loss = 1000.0 * (other.log_loss - challenger.log_loss)
    order = challenger.ndcg - other.ndcg
    judged = ~np.isnan(order)
    return (
        _gain("log loss", other.model_version, loss, challenger.row_user, seed),
        _gain(f"NDCG@{K}", other.model_version, order[judged], challenger.slate_user[judged], seed),
    )


def _gain(metric: str, over: str, differences: Floats, user: Ints, seed: int) -> Gain:
    low, high = bootstrap_interval(differences, user, seed=seed)
    return Gain(metric, over, float(differences.mean()), low, high)


def bootstrap_interval(values: Floats, user: Ints, *, seed: int) -> tuple[float, float]:
    """Percentile bootstrap interval, at `CONFIDENCE`, of a mean over rows whose users were drawn.

    Users are resampled with all their rows, because rows of one user are alike. Memory grows with the
    number of users, not with the number of resamples.
    """
    _, codes = np.unique(user, return_inverse=True)
    totals, counts = np.bincount(codes, weights=values), np.bincount(codes)
    rng = np.random.default_rng(seed)
    means = np.empty(N_RESAMPLES)
    for resample in range(N_RESAMPLES):
        drawn = rng.integers(len(counts), size=len(counts))
        means[resample] = totals[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _clears(gain: Gain) -> tuple[bool, str]:
    if gain.low > 0:
        return True, f"clears the bar: {gain}"
    return False, f"does not clear the bar: {gain}; the interval must lie above zero"


def _holds(gain: Gain) -> tuple[bool, str]:
    if gain.high < 0:
        return False, f"surely worse than {gain.over}: {gain}"
    return True, f"not surely worse than {gain.over}: {gain}"
