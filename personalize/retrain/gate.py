"""The rule that promotes: two evaluations on the same held-back rows in, a decision with its reasons out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analytics.off_policy import Method, PolicyUplift, policy_uplift
from personalize.features.runs import Floats, Ints
from personalize.retrain.decisions import Choices
from personalize.retrain.evaluation import Evaluation, K

MIN_HOLDOUT_CLICKS = 50
"""Clicks on the held-back rows below which nothing can be judged."""

CONFIDENCE = 0.95
N_RESAMPLES = 2000

METHODS: tuple[Method, ...] = ("dr", "snips", "switch")
"""Off-policy estimators; the first decides."""


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
    """`promote`, and in plain words why or why not; the gains and the off-policy values it rests on."""

    promote: bool
    reasons: tuple[str, ...]
    gains: tuple[Gain, ...] = ()
    worth: tuple[PolicyUplift, ...] = ()

    def refused_for(self, objections: Sequence[str]) -> "GateDecision":
        """The same, refused for these objections if there are any."""
        return replace(self, promote=False, reasons=(*objections, *self.reasons)) if objections else self

    def to_dict(self) -> dict[str, Any]:
        return {
            "promote": self.promote,
            "reasons": list(self.reasons),
            "gains": [gain.to_dict() for gain in self.gains],
            "off_policy": {uplift.challenger.method: uplift.to_dict() for uplift in self.worth},
        }


@dataclass(frozen=True, slots=True)
class Match:
    """The challenger and another scorer, evaluated on the same rows."""

    challenger: Evaluation
    other: Evaluation


def judge(
    bars: Sequence[Match],
    champion: Match | None,
    choices: Choices | None = None,
    *,
    seed: int,
    needs_support: bool = False,
) -> GateDecision:
    """Whether the challenger may serve.

    It must predict clicks better than what the shop has without it, the online layer and popularity: the
    intervals of its gains in log loss lie above zero. It must not be surely worse, in log loss or in NDCG,
    than they are or the champion is: no interval lies below zero. Log loss carries the decision
    because it uses every impression; NDCG uses only slates with a click, and on a day of a small shop is
    mostly noise. And the log must not say that it would earn surely less than what serves now (doubly
    robust; self-normalized and SWITCH are reported beside it).

    Where the log cannot support an off-policy value, that is said with the reason. Prediction decides then,
    because a shop that learns fast soon wants what it has hardly shown; `needs_support` refuses instead.

    Args:
        bars, champion: the challenger against each, on rows that neither has seen; None when there is no
            champion to compare with.
        choices: what the challenger and what serves now would have done in logged decisions.
    """
    challenger = bars[0].challenger
    if challenger.n_clicks < MIN_HOLDOUT_CLICKS:
        reason = (
            f"too few clicks to judge by: {challenger.n_clicks} on the held-back impressions, "
            f"{MIN_HOLDOUT_CLICKS} are needed"
        )
        return GateDecision(False, (reason,))
    found = [gains_in(match, seed=seed) for match in (*bars, *([champion] if champion else []))]
    gains = tuple(gain for pair in found for gain in pair)
    verdicts = [_clears(loss) for loss, _ in found[: len(bars)]]
    verdicts += [_holds(order) for _, order in found[: len(bars)]]
    verdicts += [_holds(gain) for pair in found[len(bars) :] for gain in pair]
    worth = worth_of(choices) if choices is not None else ()
    verdicts += [_earns(uplift, needs_support) for uplift in worth[:1]]
    objections_first = sorted(verdicts, key=lambda verdict: verdict[0])
    reasons = tuple(reason for _, reason in objections_first)
    return GateDecision(all(passed for passed, _ in verdicts), reasons, gains, worth)


def worth_of(choices: Choices) -> tuple[PolicyUplift, ...]:
    """What the challenger would have earned more than what serves, in clicks per impression, by `METHODS`."""
    return tuple(
        policy_uplift(
            choices.reward,
            choices.propensity,
            choices.challenger,
            choices.champion,
            user=choices.user,
            method=method,
            predicted_reward=choices.predicted_reward,
            challenger_value=choices.challenger_value,
            champion_value=choices.champion_value,
            alpha=1 - CONFIDENCE,
        )
        for method in METHODS
    )


def _earns(uplift: PolicyUplift, needs_support: bool) -> tuple[bool, str]:
    if uplift.effect is None or uplift.ci_low is None or uplift.ci_high is None:
        return not needs_support, f"off-policy value: the log cannot tell, {uplift.why_none}"
    interval = (
        f"{1000 * uplift.effect:+.3g} clicks per 1,000 impressions against what serves now "
        f"({CONFIDENCE:.0%} interval {1000 * uplift.ci_low:+.3g} to {1000 * uplift.ci_high:+.3g})"
    )
    if uplift.ci_high < 0:
        return False, f"off-policy value: would surely earn less, {interval}"
    return True, f"off-policy value: {interval}"


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
