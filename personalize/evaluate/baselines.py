"""Rankers that everybody knows, each with its one setting: the bar, and what ours is stacked on.

Each gives scores of all S styles for users at moments, (n, S), from the earlier part of a log alone.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from personalize.evaluate.log import EventLog
from personalize.features.runs import Floats, Ints

PURCHASE_WEIGHT = 3.0
"""Clicks that a purchase is worth; 2 to 4 is what it was measured to be worth as a signal."""

MAX_STYLES = 5_000
"""Styles that the models of pairs of styles look at, the most liked ones: they hold a dense S x S matrix."""

N_NEIGHBOURS = 100
PRIOR_SHOWN = 20.0
"""Impressions that the log's mean click rate is worth in a style's own."""


class Baseline(Protocol):
    def scores(self, users: Ints, at_us: Ints) -> Floats:
        """(n, S), higher is better."""
        ...


def weights(log: EventLog) -> Floats:
    """(n,) what each event is worth: 0 shown, 1 clicked, PURCHASE_WEIGHT bought."""
    return np.array([0.0, 1.0, PURCHASE_WEIGHT])[log.grade]


class Popular:
    """How often a style was liked; where impressions were logged, how often of those."""

    def __init__(self, log: EventLog) -> None:
        liked = np.bincount(log.style, weights=weights(log), minlength=log.n_styles).astype(np.float64)
        shown = np.bincount(log.style, minlength=log.n_styles).astype(np.float64)
        self._score = _rate(liked, shown, log)

    def scores(self, users: Ints, at_us: Ints) -> Floats:
        return np.broadcast_to(self._score, (len(users), len(self._score)))


class RecentlyPopular:
    """The same with every event weighing half after `half_life_us`, as of each moment asked about."""

    def __init__(self, log: EventLog, half_life_us: float) -> None:
        self._log = log
        self._half_life_us = half_life_us
        self._weights = weights(log)
        self._reached = (np.iinfo(np.int64).min, np.zeros((2, log.n_styles)))

    def scores(self, users: Ints, at_us: Ints) -> Floats:
        moments, place = np.unique(at_us, return_inverse=True)
        if moments[0] < self._reached[0]:
            self._reached = (np.iinfo(np.int64).min, np.zeros((2, self._log.n_styles)))
        return np.stack([self._as_of(int(moment)) for moment in moments])[place]

    def _as_of(self, at_us: int) -> Floats:
        """(S,) by going on from the latest moment asked about, which is not later; fast in order of time."""
        log, (since, counted) = self._log, self._reached
        rows = slice(*np.searchsorted(log.at_us, [since, at_us]))
        decay = np.exp2((log.at_us[rows] - at_us) / self._half_life_us)
        new = [
            np.bincount(log.style[rows], weights=each, minlength=log.n_styles)
            for each in (decay * self._weights[rows], decay)
        ]
        counted = np.stack(new) + counted * np.exp2(max(float(since) - at_us, -1e18) / self._half_life_us)
        self._reached = (at_us, counted)
        return _rate(counted[0], counted[1], log)


def _rate(liked: Floats, shown: Floats, log: EventLog) -> Floats:
    """Likes per impression, smoothed towards their mean; likes alone where there are no impressions."""
    if not log.has_impressions:
        return liked
    mean = liked.sum() / max(float(shown.sum()), 1e-12)
    rates: Floats = (liked + PRIOR_SHOWN * mean) / (shown + PRIOR_SHOWN)
    return rates


@dataclass(frozen=True, slots=True)
class Tastes:
    """What each user liked, (U, C) sparse, of the C most liked styles; `styles` (C,) are their codes."""

    liked: Any
    styles: Ints
    n_styles: int

    @staticmethod
    def of(log: EventLog) -> "Tastes":
        from scipy.sparse import csr_array

        count = np.bincount(log.style, weights=weights(log), minlength=log.n_styles)
        styles = np.sort(np.argsort(-count, kind="stable")[:MAX_STYLES])
        column = np.full(log.n_styles, -1)
        column[styles] = np.arange(len(styles))
        rows = log.liked & (column[log.style] >= 0)
        matrix = csr_array(
            (weights(log)[rows], (log.user[rows], column[log.style[rows]])), shape=(log.n_users, len(styles))
        )
        matrix.data = np.log1p(matrix.data)  # csr_array has summed what stands in one place
        return Tastes(matrix, styles, log.n_styles)

    def gram(self) -> Floats:
        """(C, C) how often two styles were liked by the same users."""
        product: Floats = (self.liked.T @ self.liked).toarray()
        return product

    def spread(self, scores: Floats) -> Floats:
        """(n, C) to (n, S), 0 for the other styles."""
        everything = np.zeros((len(scores), self.n_styles))
        everything[:, self.styles] = scores
        return everything


class Neighbours:
    """Item-kNN: likes of styles that the same users like, weighed by cosine similarity.

    sim(i, j) = (x_i . x_j) / (|x_i| |x_j| + shrink), the N_NEIGHBOURS most alike of each style kept.
    Source: Sarwar et al., WWW 2001; with the shrinkage of Bell and Koren, 2007.
    """

    def __init__(self, tastes: Tastes, gram: Floats, shrink: float) -> None:
        self._tastes = tastes
        length = np.sqrt(np.diag(gram))
        similarity = gram / (np.outer(length, length) + shrink + 1e-12)
        np.fill_diagonal(similarity, 0.0)
        n_left_out = len(similarity) - N_NEIGHBOURS
        if n_left_out > 0:
            least = np.argpartition(similarity, n_left_out, axis=1)[:, :n_left_out]
            np.put_along_axis(similarity, least, 0.0, axis=1)
        self._similarity = similarity.T

    def scores(self, users: Ints, at_us: Ints) -> Floats:
        return self._tastes.spread(self._tastes.liked[users] @ self._similarity)


class Ease:
    """The linear model that predicts each style from all others, in closed form.

    B = I - P / diag(P) with P = (X^T X + l2 I)^-1; the diagonal of B is zero.
    Source: Steck, WWW 2019, arXiv:1905.03375.
    """

    def __init__(self, tastes: Tastes, gram: Floats, l2: float) -> None:
        self._tastes = tastes
        inverse = _inverse(gram + l2 * np.eye(len(gram)))
        self._weights = -inverse / np.diag(inverse)
        np.fill_diagonal(self._weights, 0.0)

    def scores(self, users: Ints, at_us: Ints) -> Floats:
        return self._tastes.spread(self._tastes.liked[users] @ self._weights)


def _inverse(positive: Floats) -> Floats:
    """Of a symmetric positive definite matrix, by Cholesky: a third of the work of a general inverse."""
    from scipy.linalg.lapack import dpotrf, dpotri

    factor, failed = dpotrf(positive, lower=True, overwrite_a=True)
    inverse, failed = dpotri(factor, lower=True, overwrite_c=True) if not failed else (factor, failed)
    if failed:
        pseudo: Floats = np.asarray(np.linalg.pinv(positive), dtype=np.float64)
        return pseudo
    full: Floats = np.tril(inverse)
    full += np.tril(full, -1).T
    return full


class Factors:
    """Taste in few directions: each user's likes projected on the leading singular vectors (PureSVD).

    Source: Cremonesi, Koren and Turrin, RecSys 2010.
    """

    def __init__(self, tastes: Tastes, n_factors: int) -> None:
        from scipy.sparse.linalg import svds

        self._tastes = tastes
        size = min(n_factors, min(tastes.liked.shape) - 1)
        if size < 1:
            self._directions = np.zeros((tastes.liked.shape[1], 1))
            return
        start = np.random.default_rng(0).normal(size=min(tastes.liked.shape))
        self._directions = svds(tastes.liked, k=size, v0=start)[2].T

    def scores(self, users: Ints, at_us: Ints) -> Floats:
        return self._tastes.spread((self._tastes.liked[users] @ self._directions) @ self._directions.T)
