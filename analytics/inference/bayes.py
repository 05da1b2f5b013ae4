"""The Bayesian reading of the same difference, for those who ask how likely it is that B beats A."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from analytics.errors import InsufficientData
from analytics.inference.distributions import normal_probability, normal_quantile
from analytics.inference.ratio import SMALLEST, Estimate, difference

PRIOR_DEVIATION = 0.2
"""Standard deviation of relative effects before the data: two in three change a metric by less."""


@dataclass(frozen=True)
class Posterior:
    """What to believe of treatment minus control after the data.

    Attributes:
        effect, ci_low, ci_high: mean and 1 - alpha credible interval, in the metric's unit.
        chance_to_win: probability that the effect is above zero.
        expected_loss: of the treatment: how much the metric loses on average if it is worse after all,
            in its unit; `expected_loss_of_control` is what keeping the control forgoes.
        prior_deviation: of the effect before the data, in the metric's unit.
    """

    effect: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    chance_to_win: float | None = None
    expected_loss: float | None = None
    expected_loss_of_control: float | None = None
    prior_deviation: float | None = None
    why_none: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


def posterior(
    treatment: Estimate,
    control: Estimate,
    *,
    prior_deviation: float = PRIOR_DEVIATION,
    alpha: float = 0.05,
) -> Posterior:
    """The posterior of the effect under a normal prior around zero and the normal likelihood of its estimate.

    With d and s the effect and its standard error and t the prior deviation times the control,
        shrinkage = t^2 / (t^2 + s^2),    effect = shrinkage d,    variance = shrinkage s^2
        expected loss = sd phi(m / sd) - m Phi(-m / sd)
    Shrinkage answers the winner's curse: a small experiment's large effect is mostly luck. It assumes one
    look no more than the frequentist interval does not: a prior does not make peeking harmless.

    Args:
        prior_deviation: in shares of the control.
    Raises:
        ValueError: a deviation not above zero, or alpha outside (0, 1).
    Source: Gelman et al., Bayesian Data Analysis, section 2.5; Stucchio, Bayesian A/B Testing at VWO, 2015,
        for the expected loss.
    """
    if not prior_deviation > 0 or not 0.0 < alpha < 1.0:
        raise ValueError(
            f"wanted a prior deviation above 0 and alpha in (0, 1), got {prior_deviation}, {alpha}"
        )
    try:
        uplift = difference(treatment, control)
    except InsufficientData as reason:
        return Posterior(why_none=str(reason))
    if uplift.standard_error == 0:
        return Posterior(why_none="all users of both variants behave alike, so there is no error to weigh")
    if control.value < SMALLEST:
        return Posterior(why_none="the prior is relative to the control, which is not above zero")
    prior = prior_deviation * control.value
    root = math.hypot(1.0, uplift.standard_error / prior)
    mean = uplift.value / root / root
    deviation = uplift.standard_error / root
    reach = normal_quantile(1.0 - alpha / 2.0) * deviation
    z = mean / deviation
    density = math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi)
    chance_to_win, chance_to_lose = normal_probability(z), normal_probability(-z)
    return Posterior(
        effect=mean,
        ci_low=mean - reach,
        ci_high=mean + reach,
        chance_to_win=chance_to_win,
        expected_loss=max(deviation * (density - z * chance_to_lose), 0.0),
        expected_loss_of_control=max(deviation * (density + z * chance_to_win), 0.0),
        prior_deviation=prior,
    )
