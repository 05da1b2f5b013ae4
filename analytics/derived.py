"""Columns made from a column of the unit table, named by how they are made.

    any(purchases)      1 for a user with purchases above zero, else 0
    min(revenue,250)    revenue, or 250 where it is more

The name is all that a reader of SQL or of files needs to build the same column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["any", "min"]
PATTERN = re.compile(r"any\(([^(),]+)\)|min\(([^(),]+),([^(),]+)\)")


@dataclass(frozen=True)
class Derived:
    """One derived column.

    Attributes:
        column: the plain column that it is made from.
        bound: the largest value that `min` leaves; None for `any`.
    """

    kind: Kind
    column: str
    bound: float | None = None

    @property
    def name(self) -> str:
        """The name that `parse` reads back."""
        if self.bound is None:
            return f"any({self.column})"
        return f"min({self.column},{int(self.bound) if self.bound.is_integer() else self.bound!r})"

    @classmethod
    def parse(cls, name: str) -> Derived | None:
        """What a name says, or None when it names a plain column.

        Raises:
            ValueError: `min` without a finite bound.

        >>> Derived.parse("min(revenue,250)")
        Derived(kind='min', column='revenue', bound=250.0)
        """
        match = PATTERN.fullmatch(name)
        if match is None:
            return None
        anything, bounded, text = match.groups()
        if anything:
            return cls("any", anything.strip())
        try:
            bound = float(text)
        except ValueError:
            bound = math.nan
        if not math.isfinite(bound):
            raise ValueError(f"a cap reads min(revenue,250), not {name!r}")
        return cls("min", bounded.strip(), bound)

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """The derived values of (n,) values; what is not finite stays so, for the reason to be told."""
        whole = values.dtype.kind in "iub"
        if self.bound is None:
            made: NDArray[Any] = (values > 0).astype(np.int64)
        else:
            made = np.minimum(values, int(self.bound) if whole and self.bound.is_integer() else self.bound)
        return made if whole else np.where(np.isfinite(values), made, values)


def plain_columns(names: Iterable[str]) -> tuple[str, ...]:
    """The columns to read so that all of these can be made, each once, in order."""
    derived = ((name, Derived.parse(name)) for name in names)
    return tuple(dict.fromkeys(made.column if made else name for name, made in derived))


def with_derived(columns: Mapping[str, NDArray[Any]], names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The columns of these names, made where they are not there.

    Raises:
        KeyError: a plain column that is not there.
    """
    made = {}
    for name in names:
        derived = None if name in columns else Derived.parse(name)
        made[name] = derived.apply(columns[derived.column]) if derived else columns[name]
    return made
