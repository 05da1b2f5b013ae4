"""Retraining: examples from the log, a challenger, the gate, the registry."""

from personalize.retrain.nightly import retrain
from personalize.retrain.report import RetrainReport

__all__ = ["RetrainReport", "retrain"]
