"""An experiment's plan from a file: the keys of `analytics.definition`, and `policies` by variant."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from analytics.definition import Definition, parse_definition, read_settings
from analytics.errors import AnalyticsError
from personalize.data.experiments import ExperimentPlan
from personalize.errors import ExperimentRefused


def read_plan(path: Path) -> ExperimentPlan:
    """The plan in a TOML or JSON file; a variant without a policy of its own is served by that of its name.

    Raises:
        ExperimentRefused: the file cannot be read, or a value cannot be; the sentence says which.
    """
    try:
        settings = read_settings(path)
        policies = settings.pop("policies", {})
        definition = parse_definition(settings)
        values = {f.name: getattr(definition, f.name) for f in fields(Definition)}
        return ExperimentPlan(**values, policies=_by_variant(policies, definition))
    except (AnalyticsError, ValueError) as error:
        raise ExperimentRefused(str(path), str(error)) from error


def _by_variant(policies: Any, definition: Definition) -> dict[str, str]:
    if not isinstance(policies, Mapping):
        raise ValueError("policies wants one table, such as personal = 'personal'")
    unknown = sorted(set(policies) - set(definition.variants))
    if unknown:
        raise ValueError(f"there is a policy for {unknown[0]!r}, which is no variant")
    return {variant: str(policies.get(variant, variant)) for variant in definition.variants}
