"""The unit table, one row per user, and the same by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.derived import with_derived
from analytics.event_values import EventValues
from analytics.sums import Moments, pairs_of

COLUMNS = ("clicks", "impressions", "purchases", "revenue")
"""What is summed where it exists; the first two must."""


@dataclass(frozen=True)
class Units:
    """One row per user: the variant, and quantities that add up over a user's events.

    Args:
        user, variant: (n,), text; each user once.
        columns: name -> (n,) numbers: `clicks` and `impressions`, and where known `purchases`,
            `revenue` or quantities from before the experiment such as `pre_clicks`.
        events: name -> the single events of these users, for quantiles of them.
    Raises:
        ValueError: arrays of different lengths.
    """

    user: NDArray[Any]
    variant: NDArray[Any]
    columns: Mapping[str, NDArray[Any]]
    events: Mapping[str, EventValues] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_lengths(self.user, self.variant, *self.columns.values())

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def moments(self, wanted: Iterable[str] | None = None) -> dict[str, Moments]:
        """Moments by variant, in order of name.

        Args:
            wanted: columns to sum, derived ones too; without it every column there is.
        Raises:
            KeyError: a wanted column is not there.
        """
        columns = with_derived(self.columns, self.columns if wanted is None else wanted)
        whole = Units(self.user, self.variant, columns, self.events)
        return {
            str(name): whole.of_rows(np.flatnonzero(self.variant == name)).moments_together()
            for name in np.unique(self.variant)
        }

    def moments_together(self) -> Moments:
        """Moments of all of them, whatever their variant."""
        return Moments.of(self.columns, len(self), self.events)

    def of_rows(self, rows: NDArray[np.intp]) -> Units:
        """The users in these rows, with their events."""
        return Units(
            self.user[rows],
            self.variant[rows],
            {name: values[rows] for name, values in self.columns.items()},
            {name: events.of_users(rows) for name, events in self.events.items()},
        )


@dataclass(frozen=True)
class UnitDays:
    """One row per user and day on which the user did something.

    Args:
        user, variant: (n,), text.
        day: (n,), ISO dates as text, so that alphabetical order is order in time.
        columns: name -> (n,) numbers of that day alone.
    Raises:
        ValueError: arrays of different lengths.
    """

    user: NDArray[Any]
    variant: NDArray[Any]
    day: NDArray[Any]
    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        _check_lengths(self.user, self.variant, self.day, *self.columns.values())

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def units(self) -> Units:
        """The totals of all days."""
        return self.totals(self.columns)

    def totals(self, columns: Mapping[str, NDArray[Any]]) -> Units:
        """The totals of all days of other quantities, name -> (n,) numbers in the order of these rows."""
        starts = np.flatnonzero(self._is_first)
        first = self._order[starts]
        totals = {name: _sum_groups(values[self._order], starts) for name, values in columns.items()}
        return Units(self.user[first], self.variant[first], totals)

    @cached_property
    def days_since_start(self) -> NDArray[np.int64]:
        """Each row's day, (n,), counted from the first day of all."""
        dates, code = np.unique(self.day, return_inverse=True)
        numbers = np.array([date.fromisoformat(str(text)).toordinal() for text in dates], dtype=np.int64)
        return np.asarray((numbers - numbers.min(initial=np.iinfo(np.int64).max))[code])

    @cached_property
    def days_since_exposure(self) -> NDArray[np.int64]:
        """Each row's day, (n,), counted from the user's own first day."""
        _, user = np.unique(self.user, return_inverse=True)
        first = np.full(user.max(initial=-1) + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, user, self.days_since_start)
        return np.asarray(self.days_since_start - first[user])

    def cumulative_moments(self) -> dict[str, dict[str, Moments]]:
        """Per variant and day: the moments of the users' totals from the first day up to that day.

        A user's square counts once, as it stands on that day; so each row adds only what it changes,
        T^2 - (T - t)^2 with T the user's total after the row and t the row itself.
        """
        is_first = self._is_first
        day, variant = self.day[self._order], self.variant[self._order]
        rows = {name: values[self._order] for name, values in self.columns.items()}
        after = {name: _running_totals(values, is_first) for name, values in rows.items()}
        changes = {
            (a, b): after[a] * rows[b] + rows[a] * after[b] - rows[a] * rows[b] for a, b in pairs_of(rows)
        }
        names, name_code = np.unique(variant, return_inverse=True)
        dates, date_code = np.unique(day, return_inverse=True)
        cells, cell = np.unique(name_code * len(dates) + date_code, return_inverse=True)
        parts = _sum_cells(cell, is_first, rows, changes)
        steps: dict[str, dict[str, Moments]] = {}
        for number, moments in zip(cells, parts, strict=True):
            name, date = divmod(int(number), len(dates))
            steps.setdefault(str(names[name]), {})[str(dates[date])] = moments
        return accumulate_days(steps)

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """By variant, user and day."""
        return np.lexsort((self.day, self.user, self.variant))

    @cached_property
    def _is_first(self) -> NDArray[np.bool_]:
        """In that order, whether a row is the first of its user and variant."""
        user, variant = self.user[self._order], self.variant[self._order]
        changed = (user[1:] != user[:-1]) | (variant[1:] != variant[:-1])
        return np.concatenate([np.ones(min(1, len(user)), bool), changed])


@dataclass(frozen=True)
class ExperimentSums:
    """All that an analysis needs of one experiment.

    Attributes:
        moments: by variant.
        days: by variant and day, from the first day up to that one; None without daily data.
        shares: planned shares by variant, None when no plan is stored.
    """

    moments: Mapping[str, Moments]
    days: Mapping[str, Mapping[str, Moments]] | None
    shares: Mapping[str, float] | None


def accumulate_days(steps: Mapping[str, Mapping[str, Moments]]) -> dict[str, dict[str, Moments]]:
    """Running sums of what each day added, over every day that any variant knows."""
    days = sorted({day for of_variant in steps.values() for day in of_variant})
    running: dict[str, dict[str, Moments]] = {}
    for name, of_variant in steps.items():
        so_far = Moments.empty(tuple(next(iter(of_variant.values())).totals))
        running[name] = {}
        for day in days:
            if day in of_variant:
                so_far = so_far + of_variant[day]
            running[name][day] = so_far
    return running


def _sum_cells(
    cell: NDArray[np.intp],
    is_first: NDArray[np.bool_],
    rows: Mapping[str, NDArray[Any]],
    changes: Mapping[tuple[str, str], NDArray[Any]],
) -> list[Moments]:
    """What the rows of each cell add, (n,) rows in cells numbered from 0."""
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    n_new = _sum_groups(is_first[order].astype(np.int64), starts).tolist()
    totals = {name: _sum_groups(values[order], starts).tolist() for name, values in rows.items()}
    products = {pair: _sum_groups(values[order], starts).tolist() for pair, values in changes.items()}
    return [
        Moments(n, {name: t[i] for name, t in totals.items()}, {pair: p[i] for pair, p in products.items()})
        for i, n in enumerate(n_new)
    ]


def _running_totals(values: NDArray[Any], is_first: NDArray[np.bool_]) -> NDArray[Any]:
    total = np.cumsum(values)
    before = (total - values)[is_first]
    return np.asarray(total - np.repeat(before, np.diff(np.append(np.flatnonzero(is_first), len(values)))))


def _sum_groups(values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
    return np.add.reduceat(values, starts) if len(starts) else values


def _check_lengths(*arrays: NDArray[Any]) -> None:
    if len({np.shape(array) for array in arrays}) > 1 or np.ndim(arrays[0]) != 1:
        raise ValueError(f"one value per row is wanted in every column, got {[np.shape(a) for a in arrays]}")
