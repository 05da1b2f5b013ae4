"""Which styles may be shown where, when and to whom: merchandising rules."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from personalize.data.schema import ORIGINAL
from personalize.errors import RulesError
from personalize.policy.exploration import Mask


@dataclass(frozen=True, slots=True)
class Rule:
    """Says of some styles where they may be shown, or may not.

    styles: the styles it is about. products, categories: empty for all. first_day, last_day: inclusive,
    None for open. is_enabling: a style that some enabling rule names is shown only where one of them
    matches; one that a disabling rule names is not shown where it matches.
    """

    styles: frozenset[str]
    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    first_day: date | None = None
    last_day: date | None = None
    is_enabling: bool = True

    def matches(self, product_id: str, category: str, day: date) -> bool:
        """Whether the rule speaks of this product on this day."""
        return (
            (not self.products or product_id in self.products)
            and (not self.categories or category in self.categories)
            and (self.first_day is None or self.first_day <= day)
            and (self.last_day is None or day <= self.last_day)
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Merchandising rules; those of a shop that has none allow every style everywhere.

    max_per_page: how often one style may stand on a page, None for any number; the original is not
        counted, and is shown where nothing else is left.
    offers_original: whether the unstyled photo is a candidate like any style.
    """

    rules: tuple[Rule, ...] = ()
    max_per_page: int | None = None
    offers_original: bool = False

    @classmethod
    def load(cls, path: Path) -> "Rules":
        """Rules from a JSON file.

            {"max_per_page": 3, "offers_original": true, "rules": [
              {"enable": ["snow"], "categories": ["mug"], "from": "2026-12-01", "until": "2026-12-26"},
              {"disable": ["woodcut"], "products": ["mug-01"]}]}

        Raises:
            RulesError: the file cannot be read, or says something else.
        """
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            return cls.parse(stored)
        except (OSError, ValueError, TypeError) as error:
            raise RulesError(str(path), str(error)) from error

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> "Rules":
        """Rules from what `load` reads. Raises ValueError naming what is not understood."""
        _require_known(stored, {"max_per_page", "offers_original", "rules"})
        cap = stored.get("max_per_page")
        if cap is not None and (not isinstance(cap, int) or cap < 1):
            raise ValueError(f"max_per_page is {cap!r}; give a whole number from 1, or leave it out")
        return cls(
            tuple(map(_parse_rule, stored.get("rules", ()))), cap, bool(stored.get("offers_original", False))
        )

    def allowed(
        self,
        style_ids: Sequence[str],
        product_id: str,
        category: str,
        now: datetime,
        excluded: frozenset[str] = frozenset(),
    ) -> Mask:
        """Which of the styles, (K + 1,) with the original last, this product may be shown in."""
        if not self.rules and not excluded:
            mask = np.ones(len(style_ids) + 1, dtype=np.bool_)
        else:
            matching = [rule for rule in self.rules if rule.matches(product_id, category, now.date())]
            mask = np.array([*(self._may_show(style, matching, excluded) for style in style_ids), True])
        mask[-1] = self.offers_original and ORIGINAL not in excluded
        return mask

    def _may_show(self, style: str, matching: Sequence[Rule], excluded: frozenset[str]) -> bool:
        if style in excluded or any(style in rule.styles for rule in matching if not rule.is_enabling):
            return False
        is_bound = any(style in rule.styles for rule in self.rules if rule.is_enabling)
        return not is_bound or any(style in rule.styles for rule in matching if rule.is_enabling)


def _parse_rule(stored: Mapping[str, Any]) -> Rule:
    _require_known(stored, {"enable", "disable", "products", "categories", "from", "until"})
    if ("enable" in stored) == ("disable" in stored):
        raise ValueError(
            f"a rule needs either `enable` or `disable` with a list of styles, got {dict(stored)}"
        )
    is_enabling = "enable" in stored
    names = {
        key: stored.get(key, []) for key in ("enable" if is_enabling else "disable", "products", "categories")
    }
    for key, value in names.items():
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise ValueError(f"{key} is {value!r}; give a list of ids")
    styles, products, categories = map(frozenset, names.values())
    return Rule(styles, products, categories, _day(stored, "from"), _day(stored, "until"), is_enabling)


def _day(stored: Mapping[str, Any], key: str) -> date | None:
    return date.fromisoformat(stored[key]) if key in stored else None


def _require_known(stored: Mapping[str, Any], known: set[str]) -> None:
    if not isinstance(stored, Mapping):
        raise ValueError(f"expected an object, got {stored!r}")
    if unknown := sorted(set(stored) - known):
        raise ValueError(f"unknown keys {unknown}; there are {sorted(known)}")
