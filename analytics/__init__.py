"""Experiment analysis: click-through per user by the delta method, with its interval and its caveats.

units = analytics.simulate_units(np.random.default_rng(0), 20_000, {"original": 0.05, "personal": 0.055})
print(analytics.compare(units, control="original").conclusion)
"""

from typing import TYPE_CHECKING, Any

from analytics.aa import AaTest, aa_test
from analytics.bayes import Posterior, posterior
from analytics.compare import compare, daily_series
from analytics.contrasts import contrast_estimates, contrast_variants
from analytics.corrections import adjust
from analytics.cuped import VariantEstimate, estimate_variants
from analytics.errors import AnalyticsError
from analytics.event_values import EventValues
from analytics.guardrails import NonInferiority, noninferiority
from analytics.measures import Measure
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

if TYPE_CHECKING:
    from analytics.cleaning import Cleaning as Cleaning
    from analytics.definition import Definition as Definition
    from analytics.experiment import OBF as OBF
    from analytics.experiment import Experiment as Experiment
    from analytics.frames import Tables as Tables
    from analytics.outcome import Result as Result
    from analytics.reading import Database as Database
    from analytics.rollup import Rollup as Rollup

_LATER = {
    "OBF": "experiment",
    "Cleaning": "cleaning",
    "Database": "reading",
    "Definition": "definition",
    "Experiment": "experiment",
    "Result": "outcome",
    "Rollup": "rollup",
    "Tables": "frames",
}
"""What needs SQLAlchemy is imported when it is asked for: the statistics do without."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"analytics.{_LATER[name]}"), name)


__all__ = [
    "CTR",
    "OBF",
    "AaTest",
    "AnalyticsError",
    "Anytime",
    "Cleaning",
    "Comparison",
    "Contrast",
    "Covariate",
    "DailySeries",
    "Database",
    "DayPoint",
    "Definition",
    "Estimate",
    "EventValues",
    "Experiment",
    "Fixed",
    "Interaction",
    "Interval",
    "Look",
    "Measure",
    "Metric",
    "Moments",
    "NonInferiority",
    "Novelty",
    "PlannedLooks",
    "PolicyUplift",
    "PolicyValue",
    "Posterior",
    "Result",
    "Rollup",
    "SampleRatio",
    "SampleRatioBy",
    "Sums",
    "Tables",
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
