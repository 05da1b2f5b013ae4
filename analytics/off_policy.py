"""What another policy would have earned, from a log whose propensities are known.

Each logged decision i showed an action with propensity p_i and earned the reward r_i; the target policy
would have chosen the same action with probability t_i, so the decision counts with the weight
w_i = t_i / p_i. Every estimator is one sum over decisions divided by another, so its error comes from
`ratio_of_means` with one pair per user: decisions of one user are not independent.

An interval is only given where the log supports it. Without a click on what the target would show an
interval looks falsely tight, and a handful of huge weights makes it worthless; both are refused.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.errors import InsufficientData
from analytics.inference.ratio import Estimate, ratio_of_means

Method = Literal["ips", "snips", "dr", "switch"]

SMALLEST_SAMPLE = 100.0
"""Effective sample size below which an estimate is refused."""

FEWEST_MATCHED_CLICKS = 10.0
"""Effective number of rewarded decisions below which an estimate is refused."""

WEIGHT_TOLERANCE = 0.1
"""The mean weight may miss 1 by this much before the log is said not to hold what the target shows."""

SMALLEST_PROPENSITY = 1e-100
"""No policy explores so little; a smaller number is a fault of the log, and its weight may overflow."""

LARGEST_WEIGHT = 20.0
"""Weight above which `switch` trusts the reward model instead of the log."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PolicyValue:
    """The mean reward per decision under the target policy.

    Attributes:
        value, standard_error, ci_low, ci_high: None when refused; `why_none` says why.
        n_decisions, n_users: what was logged.
        effective_sample_size: (sum w)^2 / sum w^2, the decisions that equal weights would need.
        matched_clicks: the same over the decisions with a reward: how many clicks the estimate rests on.
        mean_weight: 1 on average when every action of the target could have been logged.
        largest_weight: of any one decision.
    """

    method: Method
    n_decisions: int
    n_users: int
    effective_sample_size: float
    matched_clicks: float
    mean_weight: float
    largest_weight: float
    value: float | None = None
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    why_none: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class PolicyUplift:
    """What the challenger would have earned more than the champion, judged by the same decisions.

    Attributes:
        effect: challenger minus champion, in reward per decision; with its interval and two-sided p.
        why_none: why there is no difference to state; the policies' own reasons, if they were refused.
    """

    challenger: PolicyValue
    champion: PolicyValue
    effect: float | None = None
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    why_none: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


def policy_value(
    reward: ArrayLike,
    propensity: ArrayLike,
    target_probability: ArrayLike,
    *,
    user: ArrayLike | None = None,
    method: Method = "snips",
    predicted_reward: ArrayLike | None = None,
    predicted_value: ArrayLike | None = None,
    largest_weight: float = LARGEST_WEIGHT,
    alpha: float = 0.05,
) -> PolicyValue:
    """The target policy's mean reward per decision, by one of four estimators, with w = target / propensity:

        ips     mean(w r)
        snips   sum(w r) / sum(w)
        dr      mean(v + w (r - q))
        switch  mean(v + w (r - q) [w <= largest_weight])

    Args:
        reward: r, (n,), for example 0 or 1 for a click.
        propensity: p, (n,), with which the logged action was chosen, in (0, 1].
        target_probability: t, (n,), with which the target would have chosen that action, in [0, 1].
        user: (n,), whose decision it was; without it every decision counts as a user of its own.
        predicted_reward: q, (n,), a model's reward for the logged action; for `dr` and `switch`.
        predicted_value: v, (n,), the sum over all actions of the target's probability times the model's
            reward; for `dr` and `switch`. The model must not have been fitted to these decisions.
        alpha: the interval covers 1 - alpha, by Student's t over users.
    Returns:
        No value but `why_none` when the log cannot support one: no decisions, a propensity that is missing
        or zero, a number that is not finite, an effective sample size below `SMALLEST_SAMPLE`, fewer
        matched clicks than `FEWEST_MATCHED_CLICKS`, or a mean weight that is not 1.
    Raises:
        ValueError: arrays of different lengths, an unknown method, or a method without its model.
    Source: Horvitz and Thompson, JASA 1952; Swaminathan and Joachims, NeurIPS 2015 (self-normalized);
        Dudik, Langford and Li, ICML 2011, arXiv:1103.4601 (doubly robust); Wang, Agarwal and Dudik,
        ICML 2017, arXiv:1612.01205 (switch, with the doubly robust form of its first part). The threshold
        is given, not tuned.

    >>> clicks = np.tile([1, 0, 0, 0], 200)
    >>> policy_value(clicks, np.full(800, 0.5), np.full(800, 0.5)).value
    0.25
    """
    log = _Log.of(reward, propensity, target_probability, user)
    parts = _parts(log, method, predicted_reward, predicted_value, largest_weight)
    return _value(log, method, parts, alpha)


def policy_uplift(
    reward: ArrayLike,
    propensity: ArrayLike,
    challenger_probability: ArrayLike,
    champion_probability: ArrayLike,
    *,
    user: ArrayLike | None = None,
    method: Method = "snips",
    predicted_reward: ArrayLike | None = None,
    challenger_value: ArrayLike | None = None,
    champion_value: ArrayLike | None = None,
    largest_weight: float = LARGEST_WEIGHT,
    alpha: float = 0.05,
) -> PolicyUplift:
    """Challenger minus champion on one log, with an interval that knows both were judged by the same users.

    Two separate intervals would count the noise that both policies share twice. The error is that of the
    users' differences: with y / x the sums of each policy and e = (y - R x) / mean(x) per user,
        Var = sum((e_challenger - e_champion)^2) / (n (n - 1))

    Args and Raises: as `policy_value`, with a probability and a model value for each policy.
    """
    policies = (challenger_probability, challenger_value), (champion_probability, champion_value)
    values, residuals = [], []
    for probability, model_value in policies:
        log = _Log.of(reward, propensity, probability, user)
        parts = _parts(log, method, predicted_reward, model_value, largest_weight)
        values.append(_value(log, method, parts, alpha))
        residuals.append(_residuals(log, parts) if values[-1].value is not None else None)
    challenger, champion = values
    result = PolicyUplift(challenger, champion)
    if residuals[0] is None or residuals[1] is None:
        names = {"the challenger": challenger.why_none, "the champion": champion.why_none}
        return replace(result, why_none="; ".join(f"{name}: {why}" for name, why in names.items() if why))
    spread = residuals[0] - residuals[1]
    n = len(spread)
    error = float(np.sqrt(np.sum(spread**2) / (n * (n - 1))))
    uplift = Estimate((challenger.value or 0.0) - (champion.value or 0.0), error, n - 1)
    try:
        p = uplift.p()
    except InsufficientData:
        same = "both policies choose alike wherever the log can tell them apart"
        return replace(result, effect=uplift.value, why_none=same)
    low, high = uplift.interval(alpha)
    return replace(result, effect=uplift.value, standard_error=error, ci_low=low, ci_high=high, p=p)


@dataclass(frozen=True)
class _Log:
    """Checked arrays, (n,); `user` counts from 0 to n_users - 1."""

    reward: Floats
    weight: Floats
    user: NDArray[np.intp]
    n_users: int
    problem: str | None

    @classmethod
    def of(cls, reward: ArrayLike, propensity: ArrayLike, target: ArrayLike, user: ArrayLike | None) -> _Log:
        r, p, t = (_floats(values) for values in (reward, propensity, target))
        ids = np.arange(len(r)) if user is None else np.asarray(user)
        shapes = [values.shape for values in (r, p, t, ids)]
        if len(set(shapes)) > 1 or r.ndim != 1:
            raise ValueError(f"one reward, propensity, probability and user per decision, got {shapes}")
        names, codes = np.unique(ids, return_inverse=True)
        problem = _problem(r, p, t)
        nothing = np.zeros(len(r))
        reward, weight = (nothing, nothing) if problem else (r, t / p)
        return cls(reward, weight, codes.reshape(-1), len(names), problem)

    def by_user(self, values: Floats) -> Floats:
        """(n_users,), the sums over each user's decisions."""
        return np.asarray(np.bincount(self.user, weights=values, minlength=self.n_users), np.float64)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _problem(reward: Floats, propensity: Floats, target: Floats) -> str | None:
    """Why a log cannot be used at all."""
    if len(reward) == 0:
        return "there are no logged decisions"
    unknown = int(np.sum(~((propensity > 0) & (propensity <= 1))))
    if unknown:
        return f"{unknown} of {len(reward)} propensities are missing or outside (0, 1]"
    if np.min(propensity) < SMALLEST_PROPENSITY:
        return f"a propensity of {np.min(propensity):.3g} is too small to divide by"
    if not np.all((target >= 0) & (target <= 1)):
        return "the target's probabilities must all lie in [0, 1]"
    if not np.all(np.isfinite(reward)):
        return "a reward is not a finite number"
    return None


def _parts(
    log: _Log,
    method: Method,
    predicted_reward: ArrayLike | None,
    predicted_value: ArrayLike | None,
    largest_weight: float,
) -> tuple[Floats, Floats]:
    """The numerator and denominator of the estimator, (n,) each."""
    if method not in get_args(Method):
        raise ValueError(f"the method is one of {', '.join(get_args(Method))}, not {method!r}")
    ones = np.ones(len(log.reward))
    if method == "ips":
        return log.weight * log.reward, ones
    if method == "snips":
        return log.weight * log.reward, log.weight
    if predicted_reward is None or predicted_value is None:
        raise ValueError(f"{method!r} wants the predicted reward and the predicted value of every decision")
    q, v = _floats(predicted_reward), _floats(predicted_value)
    if q.shape != log.reward.shape or v.shape != log.reward.shape:
        raise ValueError(f"one prediction per decision is wanted, got {q.shape} and {v.shape}")
    limit = largest_weight if method == "switch" else np.inf
    trusted = np.where(log.weight <= limit, log.weight, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        return v + trusted * (log.reward - q), ones


def _value(log: _Log, method: Method, parts: tuple[Floats, Floats], alpha: float) -> PolicyValue:
    result = PolicyValue(
        method=method,
        n_decisions=len(log.reward),
        n_users=log.n_users,
        effective_sample_size=_effective(log.weight),
        matched_clicks=_effective(log.weight[log.reward != 0]),
        mean_weight=float(np.mean(log.weight)) if len(log.weight) else 0.0,
        largest_weight=float(np.max(log.weight, initial=0.0)),
    )
    reason = log.problem or _lack_of_support(log, result)
    if reason is None and not all(np.all(np.isfinite(part)) for part in parts):
        reason = "a prediction is not a finite number"
    if reason is not None:
        return replace(result, why_none=reason)
    try:
        estimate = ratio_of_means(*map(log.by_user, parts))
    except InsufficientData as error:
        return replace(result, why_none=str(error))
    if estimate.standard_error == 0:
        return replace(result, why_none="all users earned alike, so the error cannot be estimated")
    low, high = estimate.interval(alpha)
    return replace(
        result, value=estimate.value, standard_error=estimate.standard_error, ci_low=low, ci_high=high
    )


def _lack_of_support(log: _Log, result: PolicyValue) -> str | None:
    if result.effective_sample_size < SMALLEST_SAMPLE:
        return (
            f"the log is worth only {result.effective_sample_size:.3g} decisions to this policy, "
            f"fewer than {SMALLEST_SAMPLE:g}; log more of what it would show"
        )
    if result.matched_clicks < FEWEST_MATCHED_CLICKS:
        return (
            f"only {result.matched_clicks:.3g} clicks fell on what this policy would show, "
            f"fewer than {FEWEST_MATCHED_CLICKS:g}; log more of it"
        )
    if log.n_users < 2:
        return "one user alone shows no spread between users, so there is no error to state"
    mean = ratio_of_means(log.by_user(log.weight), log.by_user(np.ones(len(log.weight))))
    miss = abs(mean.value - 1.0)
    if miss > WEIGHT_TOLERANCE and miss > mean.critical(0.001) * mean.standard_error:
        return (
            f"the weights average {mean.value:.3g} instead of 1: the propensities are wrong, "
            "or this policy shows what the log never could"
        )
    return None


def _residuals(log: _Log, parts: tuple[Floats, Floats]) -> Floats:
    """(n_users,), what each user adds to the error of the estimate, times n."""
    y, x = map(log.by_user, parts)
    return np.asarray((y - y.sum() / x.sum() * x) / x.mean())


def _effective(weight: Floats) -> float:
    """Kish's effective number of equally weighted decisions."""
    largest = np.max(weight, initial=0.0)
    if largest == 0:
        return 0.0
    scaled = weight / largest
    return float(np.sum(scaled) ** 2 / np.sum(scaled**2))
