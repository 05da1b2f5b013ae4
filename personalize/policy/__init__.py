"""Policies: which styles may be shown, scores to probabilities, and a draw from them."""

from personalize.policy.candidates import Rule, Rules
from personalize.policy.exploration import Exploration
from personalize.policy.policies import POLICIES, Plan, blend_weights, is_policy, plan_styles

__all__ = ["POLICIES", "Exploration", "Plan", "Rule", "Rules", "blend_weights", "is_policy", "plan_styles"]
