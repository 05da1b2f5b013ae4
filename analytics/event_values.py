"""One number an event and whose it is: what a quantile is made of, as no sum holds it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class EventValues:
    """The values of one column of single events, such as the times of all pages.

    `a + b` is the events of both groups of users.

    Args:
        values: (n,) numbers.
        user: (n,) whole numbers from 0: the user's row in the unit table.
    Raises:
        ValueError: arrays of different lengths.
    """

    values: NDArray[Any]
    user: NDArray[np.intp]

    def __post_init__(self) -> None:
        if np.shape(self.values) != np.shape(self.user) or np.ndim(self.values) != 1:
            raise ValueError(
                f"one value and user per event, got {np.shape(self.values)} and {np.shape(self.user)}"
            )

    def __len__(self) -> int:
        return len(self.values)

    def __add__(self, other: EventValues) -> EventValues:
        others = other.user + self.user.max(initial=-1) + 1
        return EventValues(
            np.concatenate([self.values, other.values]), np.concatenate([self.user, others]).astype(np.intp)
        )

    def of_users(self, rows: NDArray[np.intp]) -> EventValues:
        """The events of the users in these rows of the unit table, (k,), who become 0 to k - 1."""
        place = np.full(max(self.user.max(initial=-1), rows.max(initial=-1)) + 1, -1, np.intp)
        place[rows] = np.arange(len(rows))
        user = place[self.user]
        is_theirs = user >= 0
        return EventValues(self.values[is_theirs], user[is_theirs])

    @cached_property
    def ordered(self) -> NDArray[Any]:
        """The values in rising order."""
        return np.sort(self.values)

    @cached_property
    def is_finite(self) -> bool:
        """True when every value is a finite number."""
        return bool(np.all(np.isfinite(self.values)))

    def counts(self, bound: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each user who has events: how many lie at or below the bound, and how many there are."""
        n_events = np.bincount(self.user)
        n_below = np.bincount(self.user[self.values <= bound], minlength=len(n_events))
        has_events = n_events > 0
        return n_below[has_events], n_events[has_events]
