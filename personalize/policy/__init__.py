"""Policies: scores to probabilities, and a draw from them."""

from personalize.policy.exploration import Exploration
from personalize.policy.policies import POLICIES, Plan, plan_styles

__all__ = ["POLICIES", "Exploration", "Plan", "plan_styles"]
