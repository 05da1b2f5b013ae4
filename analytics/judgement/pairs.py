"""Pairwise judgements as arrays, and whether they say enough for a maximum likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEFT, RIGHT, NEITHER = 1.0, 0.0, 0.5
"""What was preferred, as the share of a win that the style on the left earns."""


@dataclass(frozen=True)
class Pairs:
    """One row a comparison: two styles side by side, and which of them was preferred.

    Args:
        left, right: (n,), text: the style shown on each side.
        outcome: (n,), LEFT, RIGHT or NEITHER (1, 0 or 0.5).
        rater: (n,), text: who judged; None when that is not known.
    Raises:
        ValueError: arrays of different lengths, a style beside itself, or another outcome.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    outcome: NDArray[Any]
    rater: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        arrays = [self.left, self.right, self.outcome, *([] if self.rater is None else [self.rater])]
        shapes = [np.shape(array) for array in arrays]
        if len(set(shapes)) > 1 or len(shapes[0]) != 1:
            raise ValueError(f"one value per comparison is wanted in every column, got shapes {shapes}")
        if bool(np.any(np.asarray(self.left) == np.asarray(self.right))):
            raise ValueError("a style was compared with itself; leave such rows out")
        if not bool(np.isin(self.outcome, (LEFT, RIGHT, NEITHER)).all()):
            raise ValueError("an outcome is 1 (left preferred), 0 (right preferred) or 0.5 (neither)")

    def __len__(self) -> int:
        return len(self.left)

    @cached_property
    def styles(self) -> list[str]:
        """Every style that was compared, in alphabetical order."""
        return [str(name) for name in np.unique(np.concatenate([self.left, self.right]))] if len(self) else []

    @cached_property
    def indices(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The places in `styles` of the left and of the right ones, (n,) each."""
        places = np.unique(np.concatenate([self.left, self.right]), return_inverse=True)[1]
        return places[: len(self)], places[len(self) :]

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """For each style, which group it belongs to; styles of different groups were never compared,
        nor through others.
        """
        left, right = self.indices
        return _components(len(self.styles), left, right, directed=False)

    def why_no_maximum(self, *, has_side: bool) -> str | None:
        """Why the likelihood has no single highest point, or None when it has.

        Within a group, Bradley-Terry strengths exist when there is no way to split the styles in two
        so that one half never loses to the other: when the graph of wins is strongly connected (Ford).
        With a side effect `c` more is asked: no strengths t may exist with which every outcome is
        "expected", t_left - t_right + c >= 0 where the left won and <= 0 where the right won. For
        c = +1 and c = -1 these are difference constraints, which have a solution unless their graph
        has a cycle of negative length.

        Source: Ford, American Mathematical Monthly 1957, 64(8); Albert and Anderson, Biometrika 1984,
        71(1), for separation in general.
        """
        winners, losers = self._wins()
        strong = _components(len(self.styles), winners, losers, directed=True)
        if len(np.unique(strong)) > len(np.unique(self.groups)):
            return self._one_sided(strong)
        if has_side and any(self._is_explained_by_side(direction) for direction in (1.0, -1.0)):
            return "the side alone explains the judgements, or was never changed for a pair"
        return None

    def _wins(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(winner, loser) of every comparison; a tie counts both ways."""
        left, right = self.indices
        left_won, right_won = self.outcome > 0, self.outcome < 1
        return np.r_[left[left_won], right[right_won]], np.r_[right[left_won], left[right_won]]

    def _one_sided(self, strong: NDArray[np.intp]) -> str:
        """Names what never lost, or never won, where one style alone did."""
        winners, losers = self._wins()
        never_lost = [name for i, name in enumerate(self.styles) if i not in losers]
        never_won = [name for i, name in enumerate(self.styles) if i not in winners]
        facts = [
            f"{_quoted(names)} {verb}"
            for names, verb in ((never_lost, "never lost"), (never_won, "never won"))
            if names
        ]
        return " and ".join(facts) or "some styles won every comparison with the others"

    def _is_explained_by_side(self, direction: float) -> bool:
        from scipy.sparse.csgraph import NegativeCycleError, bellman_ford

        left, right = self.indices
        lengths: dict[tuple[int, int], float] = {}
        for won, source, target, length in (
            (self.outcome > 0, left, right, direction),
            (self.outcome < 1, right, left, -direction),
        ):
            for edge in set(zip(source[won].tolist(), target[won].tolist(), strict=True)):
                lengths[edge] = min(length, lengths.get(edge, length))
        for group in np.unique(self.groups):
            start = int(np.flatnonzero(self.groups == group)[0])
            try:
                bellman_ford(_sparse(len(self.styles), lengths), indices=[start])
            except NegativeCycleError:
                return False
        return True


def _components(
    n: int, source: NDArray[np.intp], target: NDArray[np.intp], *, directed: bool
) -> NDArray[np.intp]:
    from scipy.sparse.csgraph import connected_components

    edges = dict.fromkeys(zip(source.tolist(), target.tolist(), strict=True), 1.0)
    found = connected_components(_sparse(n, edges), directed=directed, connection="strong")
    return np.asarray(found[1], dtype=np.intp)


def _sparse(n: int, lengths: dict[tuple[int, int], float]) -> Any:
    from scipy.sparse import csr_array

    places = np.array(list(lengths), dtype=np.intp).reshape(-1, 2)
    return csr_array((np.array(list(lengths.values())), (places[:, 0], places[:, 1])), shape=(n, n))


def _quoted(names: Sequence[str]) -> str:
    from analytics.wording import listed, quoted

    shown = [quoted(name) for name in names[:3]]
    return listed(shown) if len(names) <= 3 else f"{', '.join(shown)} and {len(names) - 3} more"
