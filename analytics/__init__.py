"""Experiment analysis: click-through per user by the delta method, with its interval and its caveats.

units = analytics.simulate_units(np.random.default_rng(0), 20_000, {"original": 0.05, "personal": 0.055})
print(analytics.compare(units, control="original").conclusion)
"""

from analytics.aa import AaTest, aa_test
from analytics.bayes import Posterior, posterior
from analytics.compare import compare, daily_series
from analytics.contrasts import contrast_estimates, contrast_variants
from analytics.corrections import adjust
from analytics.cuped import VariantEstimate, estimate_variants
from analytics.errors import AnalyticsError
from analytics.guardrails import NonInferiority, noninferiority
from analytics.metrics import CTR, Covariate, Metric
from analytics.novelty import Novelty, novelty, trend_units
from analytics.off_policy import PolicyUplift, PolicyValue, policy_uplift, policy_value
from analytics.quantiles import quantile
from analytics.ratio import Estimate, Interval, difference, ratio_from_sums, ratio_of_means
from analytics.results import Comparison, Contrast, DailySeries, DayPoint, VariantResult
from analytics.segments import Interaction, interaction, segment_interaction
from analytics.sequential import Anytime, Fixed, Look, PlannedLooks
from analytics.simulate import simulate_days, simulate_units, simulate_with_history
from analytics.srm import SampleRatio, SampleRatioBy, sample_ratio, sample_ratio_by
from analytics.sums import Moments, Sums
from analytics.units import UnitDays, Units
from analytics.winsor import cap_at, capped

__all__ = [
    "CTR",
    "AaTest",
    "AnalyticsError",
    "Anytime",
    "Comparison",
    "Contrast",
    "Covariate",
    "DailySeries",
    "DayPoint",
    "Estimate",
    "Fixed",
    "Interaction",
    "Interval",
    "Look",
    "Metric",
    "Moments",
    "NonInferiority",
    "Novelty",
    "PlannedLooks",
    "PolicyUplift",
    "PolicyValue",
    "Posterior",
    "SampleRatio",
    "SampleRatioBy",
    "Sums",
    "UnitDays",
    "Units",
    "VariantEstimate",
    "VariantResult",
    "aa_test",
    "adjust",
    "cap_at",
    "capped",
    "compare",
    "contrast_estimates",
    "contrast_variants",
    "daily_series",
    "difference",
    "estimate_variants",
    "interaction",
    "noninferiority",
    "novelty",
    "policy_uplift",
    "policy_value",
    "posterior",
    "quantile",
    "ratio_from_sums",
    "ratio_of_means",
    "sample_ratio",
    "sample_ratio_by",
    "segment_interaction",
    "simulate_days",
    "simulate_units",
    "simulate_with_history",
    "trend_units",
]
