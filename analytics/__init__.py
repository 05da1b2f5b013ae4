"""Experiment analysis: click-through per user by the delta method, with its interval and its caveats.

units = analytics.simulate_units(np.random.default_rng(0), 20_000, {"original": 0.05, "personal": 0.055})
print(analytics.compare(units, control="original").conclusion)
"""

from typing import TYPE_CHECKING, Any

from analytics.compare import compare, daily_series
from analytics.errors import AnalyticsError
from analytics.event_values import EventValues
from analytics.inference.aa import AaTest, aa_test
from analytics.inference.bayes import Posterior, posterior
from analytics.inference.contrasts import contrast_estimates, contrast_variants
from analytics.inference.corrections import adjust
from analytics.inference.cuped import VariantEstimate, estimate_variants
from analytics.inference.guardrails import NonInferiority, noninferiority
from analytics.inference.novelty import Novelty, novelty, trend_units
from analytics.inference.quantiles import quantile
from analytics.inference.ratio import Estimate, Interval, difference, ratio_from_sums, ratio_of_means
from analytics.inference.segments import Interaction, interaction, segment_interaction
from analytics.inference.sequential import Anytime, Fixed, Look, PlannedLooks
from analytics.inference.srm import SampleRatio, SampleRatioBy, sample_ratio, sample_ratio_by
from analytics.inference.winsor import cap_at, capped
from analytics.measures import Measure
from analytics.metrics import CTR, Covariate, Metric
from analytics.off_policy import PolicyUplift, PolicyValue, policy_uplift, policy_value
from analytics.results import Comparison, Contrast, DailySeries, DayPoint, VariantResult
from analytics.simulate import simulate_days, simulate_units, simulate_with_history
from analytics.sums import Moments, Sums
from analytics.units import UnitDays, Units

if TYPE_CHECKING:
    from analytics.cleaning import Cleaning as Cleaning
    from analytics.definition import Definition as Definition
    from analytics.experiment import OBF as OBF
    from analytics.experiment import Experiment as Experiment
    from analytics.frames.tables import Tables as Tables
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
    "Tables": "frames.tables",
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
