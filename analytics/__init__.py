"""Experiment analysis: click-through per user by the delta method, with its interval and its caveats.

units = analytics.simulate_units(np.random.default_rng(0), 20_000, {"original": 0.05, "personal": 0.055})
print(analytics.compare(units, control="original").conclusion)
"""

from analytics.compare import compare, daily_series
from analytics.errors import AnalyticsError
from analytics.metrics import CTR, Metric
from analytics.ratio import Estimate, Interval, ratio_from_sums, ratio_of_means
from analytics.results import Comparison, Contrast, DailySeries, DayPoint, VariantResult
from analytics.simulate import simulate_days, simulate_units
from analytics.srm import SampleRatio, sample_ratio
from analytics.sums import Moments, Sums
from analytics.units import UnitDays, Units

__all__ = [
    "CTR",
    "AnalyticsError",
    "Comparison",
    "Contrast",
    "DailySeries",
    "DayPoint",
    "Estimate",
    "Interval",
    "Metric",
    "Moments",
    "SampleRatio",
    "Sums",
    "UnitDays",
    "Units",
    "VariantResult",
    "compare",
    "daily_series",
    "ratio_from_sums",
    "ratio_of_means",
    "sample_ratio",
    "simulate_days",
    "simulate_units",
]
