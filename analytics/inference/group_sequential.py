"""Boundaries for looks that were planned: O'Brien and Fleming, exact, by integrating the joint distribution.

With a look at the share t of the planned information, the statistic times sqrt(t) is a Brownian motion B(t)
under no effect: its increments between looks are independent and normal. So the chance to have stayed
inside all boundaries so far is carried forward as a density on quadrature nodes, one look at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analytics.inference.distributions import normal_quantile, normal_two_sided_p

Floats = NDArray[np.float64]

NODES_PER_PANEL = 12
"""Quadrature nodes in a panel, two standard deviations of the narrowest step wide."""

TOLERANCE = 1e-13
"""Of a boundary, in standard errors."""

CLOSEST = 0.001
"""Share of the planned users that must come between two looks; closer, a confidence sequence is as good."""

FARTHEST = 37.0
"""Standard errors beyond which a normal tail is zero in floating point."""


def obrien_fleming(fractions: Sequence[float], alpha: float = 0.05) -> tuple[float, ...]:
    """The two-sided O'Brien-Fleming boundary at each look, in standard errors of that look.

    It is C / sqrt(t), very high at first and near the usual quantile at the end, with C such that the
    chance to cross it at any look is alpha when there is no effect.

    Args:
        fractions: t, the share of the planned users at each look, rising, the last one 1.
    Raises:
        ValueError: fractions that do not rise from above 0 to 1, or alpha outside (0, 1).
    Source: O'Brien and Fleming, Biometrics 1979, 35(3); the integration of Armitage, McPherson and Rowe,
        J. R. Stat. Soc. A 1969, 132(2).

    >>> [round(c, 3) for c in obrien_fleming([0.5, 1.0])]
    [2.797, 1.977]
    """
    times = _checked(fractions, alpha)
    height = _height(times, alpha)
    return tuple(height / math.sqrt(t) for t in times)


def obrien_fleming_p(statistic: float, look: int, fractions: Sequence[float]) -> float:
    """The smallest alpha at which the boundary would be crossed by this statistic at this look.

    Args:
        statistic: the effect in standard errors.
        look: counted from 1.
    """
    times = _checked(fractions, 0.05)
    height = min(abs(statistic), FARTHEST) * math.sqrt(times[look - 1])
    return _crossing(times, height) if height > 0 else 1.0


def lan_demets(fractions: Sequence[float], alpha: float = 0.05) -> tuple[float, ...]:
    """Two-sided boundaries that spend alpha as O'Brien and Fleming nearly do, for looks at any times.

    Up to the share t of the information each side may spend 2 - 2 Phi(z / sqrt(t)) with z the quantile of
    1 - alpha / 4; the last look need not be at 1. A boundary depends on the looks so far alone, so looks
    may come when they come, as long as their times do not depend on the effects seen.

    Raises:
        ValueError: as `obrien_fleming`, but the last fraction may be below 1.
    Source: Lan and DeMets, Biometrika 1983, 70(3).
    """
    times = _checked(fractions, alpha, must_end=False)
    quantile = normal_quantile(1.0 - alpha / 4.0)
    spent = 0.0
    paths, boundaries = _START, list[float]()
    for before, t in pairwise((0.0, *times)):
        allowed = 2.0 * normal_two_sided_p(quantile / math.sqrt(t)) - spent
        height = _height_that_loses(paths, t - before, allowed, FARTHEST * math.sqrt(t))
        boundaries.append(height / math.sqrt(t))
        paths = _advance(paths, t - before, height, _narrowest(times))
        spent += allowed
    return tuple(boundaries)


def crossing_probabilities(
    fractions: Sequence[float], boundaries: Sequence[float], drift: float = 0.0
) -> tuple[float, ...]:
    """The chance to leave the boundaries first at each look.

    Args:
        boundaries: two-sided, in standard errors of each look.
        drift: the expected statistic at the full information; 0 for no effect.
    """
    times = _checked(fractions, 0.05, must_end=False)
    paths, left = _START, list[float]()
    for (before, t), boundary in zip(pairwise((0.0, *times)), boundaries, strict=True):
        inside = paths.mass
        paths = _advance(paths, t - before, boundary * math.sqrt(t), _narrowest(times), drift)
        left.append(inside - paths.mass)
    return tuple(left)


@dataclass(frozen=True)
class _Paths:
    """Where B is among the paths that never left: quadrature nodes, (m,), and the chance at each."""

    nodes: Floats
    chance: Floats

    @property
    def mass(self) -> float:
        return float(self.chance.sum())

    def loss(self, step: float, height: float) -> float:
        """The chance to be beyond +-height one step later."""
        from scipy.special import ndtr

        ends = np.concatenate([self.nodes - height, -height - self.nodes]) / math.sqrt(step)
        return float(ndtr(ends).reshape(2, -1).sum(axis=0) @ self.chance)


_START = _Paths(np.zeros(1), np.ones(1))


def _advance(paths: _Paths, step: float, height: float, narrowest: float, drift: float = 0.0) -> _Paths:
    """The paths that are still within +-height one step later."""
    nodes, weights = _quadrature(height, narrowest)
    gaps = (nodes - drift * step)[:, None] - paths.nodes
    return _Paths(nodes, weights * (_normal_density(gaps, step) @ paths.chance))


def _crossing(times: tuple[float, ...], height: float) -> float:
    """The chance that |B| is at least `height` at one of the looks; equal steps share one kernel."""
    paths, crossed = _START, 0.0
    nodes, weights = _quadrature(height, _narrowest(times))
    kernels: dict[tuple[int, float], Floats] = {}
    for before, t in pairwise((0.0, *times)):
        step = round(t - before, 14)
        key = len(paths.nodes), step
        if key not in kernels:
            kernels[key] = weights[:, None] * _normal_density(nodes[:, None] - paths.nodes, step)
        crossed += paths.loss(step, height)
        paths = _Paths(nodes, kernels[key] @ paths.chance)
    return min(crossed, 1.0)


def _normal_density(gaps: Floats, variance: float) -> Floats:
    return np.asarray(np.exp(gaps**2 / (-2.0 * variance)) / math.sqrt(2.0 * math.pi * variance))


@lru_cache(maxsize=256)
def _height(times: tuple[float, ...], alpha: float) -> float:
    """The height that is crossed with chance alpha: between one look's and that of looking all the time."""
    from scipy.optimize import brentq

    low, high = normal_quantile(1.0 - alpha / 2.0), normal_quantile(1.0 - alpha / 4.0)
    if len(times) == 1:
        return low
    return float(brentq(lambda height: _crossing(times, height) - alpha, low, high, xtol=TOLERANCE))


def _height_that_loses(paths: _Paths, step: float, allowed: float, farthest: float) -> float:
    from scipy.optimize import brentq

    if paths.loss(step, farthest) >= allowed:
        return farthest
    return float(brentq(lambda height: paths.loss(step, height) - allowed, 0.0, farthest, xtol=TOLERANCE))


def _narrowest(times: tuple[float, ...]) -> float:
    return math.sqrt(min(t - before for before, t in pairwise((0.0, *times))))


def _quadrature(height: float, narrowest: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on [-height, height], in panels two of the narrowest steps wide."""
    n_panels = math.ceil(height / narrowest)
    unit_nodes, unit_weights = np.polynomial.legendre.leggauss(NODES_PER_PANEL)
    half = height / n_panels
    middles = half * (2.0 * np.arange(n_panels) + 1.0) - height
    return (middles[:, None] + half * unit_nodes).ravel(), np.tile(half * unit_weights, n_panels)


def _checked(fractions: Sequence[float], alpha: float, *, must_end: bool = True) -> tuple[float, ...]:
    times = tuple(map(float, fractions))
    rises = bool(times) and all(before < t <= 1.0 for before, t in pairwise((0.0, *times)))
    if not rises or (must_end and times[-1] != 1.0):
        raise ValueError(f"looks are shares of the planned users, rising from above 0 to 1, not {times}")
    if _narrowest(times) ** 2 < 0.999 * CLOSEST:
        raise ValueError(f"looks must lie at least {CLOSEST:.1%} of the planned users apart, not {times}")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    return times
