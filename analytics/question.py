"""What is asked of a source, and by which groups it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

UNKNOWN = ""
"""The segment of a user of whom it is not known."""


class Group(NamedTuple):
    """The users of one variant and, where segments were asked for, of one value of each."""

    variant: str
    segments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What to sum: quantities, and the columns whose values make segments.

    Attributes:
        events: columns of single impressions that are wanted as they are, for quantiles.
    """

    columns: tuple[str, ...]
    segments: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
