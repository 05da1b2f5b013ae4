"""What is asked of the features, and the frame of columns they come in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from personalize.features.beliefs import Scores
from personalize.features.history import microseconds
from personalize.features.runs import Floats, Ints


@dataclass(frozen=True, slots=True)
class Requests:
    """Who looks at a product of which category, and when; one entry per (page, product).

    Products of one page share user and moment and stand next to each other, which is all that
    `build_features` needs to compute what it knows of the user once per page.
    `category` None is a product of no category: only what holds for all categories is used.
    `contexts` are what the shop sent along, see `personalize.features.context`; empty for nothing.
    """

    user_ids: tuple[str, ...]
    categories: tuple[str | None, ...]
    at_us: Ints
    contexts: tuple[Mapping[str, object], ...] = ()

    def __post_init__(self) -> None:
        if not self.contexts:
            object.__setattr__(self, "contexts", ({},) * len(self.user_ids))
        if not len(self.user_ids) == len(self.categories) == len(self.at_us) == len(self.contexts):
            raise ValueError(
                f"expected as many users as categories, moments and contexts, got {len(self.user_ids)}, "
                f"{len(self.categories)}, {len(self.at_us)} and {len(self.contexts)}"
            )

    def __len__(self) -> int:
        return len(self.user_ids)

    @staticmethod
    def of(
        user_ids: Sequence[str],
        categories: Sequence[str | None],
        now: Sequence[datetime] | datetime,
        contexts: Sequence[Mapping[str, object]] = (),
    ) -> "Requests":
        """Requests at one moment, or each at its own."""
        moments = [now] * len(user_ids) if isinstance(now, datetime) else now
        at_us = np.fromiter(map(microseconds, moments), dtype=np.int64, count=len(moments))
        return Requests(tuple(user_ids), tuple(categories), at_us, tuple(contexts))

    def page_starts(self) -> Ints:
        """(R,) for each request the index of its page: neighbours with the same user and moment."""
        users = np.array(self.user_ids, dtype=object)
        starts = np.ones(len(self), dtype=np.bool_)
        starts[1:] = (users[1:] != users[:-1]) | (self.at_us[1:] != self.at_us[:-1])
        return np.cumsum(starts) - 1


@dataclass(frozen=True, slots=True)
class FeatureFrame:
    """Features of requests x candidates, the only thing a scorer accepts.

    values (R * K, F) float32, request-major: the K candidates of a request stand together. NaN means
    "has not happened". `candidates` (R, K) indexes `style_ids`. `beliefs` are the online layer's, the
    unstyled original last, when all candidates were asked for.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    style_ids: tuple[str, ...]
    candidates: Ints
    beliefs: Scores | None = None

    def __post_init__(self) -> None:
        if self.values.shape != (self.candidates.size, len(self.names)):
            raise ValueError(
                f"expected values of shape {(self.candidates.size, len(self.names))}, got {self.values.shape}"
            )

    @property
    def n_requests(self) -> int:
        return len(self.candidates)

    @property
    def n_candidates(self) -> int:
        return int(self.candidates.shape[1])

    def column(self, name: str) -> NDArray[np.float32]:
        """One feature of every row, (R * K,)."""
        return self.values[:, self.names.index(name)]

    @property
    def original_belief(self) -> Floats:
        """Log odds of a click on the unstyled original, (R,); 0 in a frame without beliefs."""
        return np.zeros(self.n_requests) if self.beliefs is None else self.beliefs.log_odds[:, -1]

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """Which candidates are new, the unstyled original last, (K + 1,); none in a frame without beliefs."""
        if self.beliefs is None:
            return np.zeros(self.n_candidates + 1, dtype=np.bool_)
        return self.beliefs.is_new

    def take(self, requests: NDArray[np.intp] | NDArray[np.bool_] | Sequence[int]) -> "FeatureFrame":
        """The frame of some of the requests, in the order given."""
        index = np.asarray(requests, dtype=None if len(requests) else np.intp)
        shape = (self.n_requests, self.n_candidates, len(self.names))
        candidates = self.candidates[index]
        return FeatureFrame(
            self.values.reshape(shape)[index].reshape(candidates.size, len(self.names)),
            self.names,
            self.style_ids,
            candidates,
            None if self.beliefs is None else self.beliefs.take(index),
        )
