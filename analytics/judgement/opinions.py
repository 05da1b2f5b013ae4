"""How good a style is thought to be: mean opinion scores with the raters' severity taken out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.errors import InsufficientData, UnknownStyle
from analytics.inference.corrections import holm
from analytics.inference.ratio import Estimate
from analytics.judgement.preferences import FEWEST_RATERS
from analytics.judgement.results import ErrorSource
from analytics.judgement.verdicts import opinion_sentences


@dataclass(frozen=True)
class Scores:
    """One row a score.

    Args:
        style, rater: (n,), text: what was judged, and by whom.
        score: (n,), finite numbers, higher is better.
        item: (n,), text: what else tells one judged picture from another, such as the product;
            None when raters of a style always saw the same picture.
    Raises:
        ValueError: arrays of different lengths, or a score that is not a finite number.
    """

    style: NDArray[Any]
    rater: NDArray[Any]
    score: NDArray[Any]
    item: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        arrays = [self.style, self.rater, self.score, *([] if self.item is None else [self.item])]
        shapes = [np.shape(array) for array in arrays]
        if len(set(shapes)) > 1 or len(shapes[0]) != 1:
            raise ValueError(f"one value per score is wanted in every column, got shapes {shapes}")
        if not bool(np.isfinite(np.asarray(self.score, dtype=float)).all()):
            raise ValueError("a score is not a finite number; leave such rows out")

    def __len__(self) -> int:
        return len(self.style)

    @cached_property
    def styles(self) -> tuple[list[str], NDArray[np.intp]]:
        """Names in alphabetical order, and for each score the place of its style."""
        names, places = np.unique(self.style, return_inverse=True)
        return [str(name) for name in names], places

    @cached_property
    def raters(self) -> tuple[list[str], NDArray[np.intp]]:
        """Names in alphabetical order, and for each score the place of its rater."""
        names, places = np.unique(self.rater, return_inverse=True)
        return [str(name) for name in names], places

    @property
    def is_connected(self) -> bool:
        """Whether every two styles are linked through raters who scored both, or through others."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        (styles, style), (raters, rater) = self.styles, self.raters
        n = len(styles) + len(raters)
        links = csr_array((np.ones(len(self)), (style, len(styles) + rater)), shape=(n, n))
        return bool(connected_components(links, directed=False)[0] == 1)


@dataclass(frozen=True)
class Opinion:
    """One style's score.

    Attributes:
        mean: of the scores as they were given.
        score: what the average of these raters would give it, with its 1 - alpha interval.
        why_none: why there is no interval.
    """

    name: str
    n_scores: int
    n_raters: int
    mean: float
    score: float
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    why_none: str | None = None


@dataclass(frozen=True)
class OpinionDifference:
    """Score of the first minus that of the second, by the same raters."""

    first: str
    second: str
    difference: float
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    why_none: str | None = None


@dataclass(frozen=True)
class Opinions:
    """Styles by descending score; `opinions["a"]` is an Opinion.

    Attributes:
        differences: the best style minus each other one.
        severity: what each rater gives above or below the average rater; empty when it cannot be told.
        errors_from: what the standard errors come from, the spread between raters or between scores.
        notes: what a reader must know, in sentences.
        why_none: why there are no opinions at all.
    """

    styles: Mapping[str, Opinion]
    differences: tuple[OpinionDifference, ...]
    severity: Mapping[str, float]
    alpha: float
    n_scores: int
    n_raters: int
    errors_from: ErrorSource
    notes: tuple[str, ...]
    why_none: str | None = None

    def __getitem__(self, name: str) -> Opinion:
        if name not in self.styles:
            raise UnknownStyle(name, self.styles)
        return self.styles[name]

    @property
    def conclusion(self) -> str:
        """The outcome in plain sentences."""
        return " ".join([*opinion_sentences(self), *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """All of it ready for JSON: no NaN, no infinity."""
        return asdict(self) | {"conclusion": self.conclusion}


@dataclass(frozen=True)
class _Fit:
    """Levels of the styles, the raters' effects, and a covariance of the levels with its freedom."""

    level: NDArray[np.float64]
    severity: NDArray[np.float64]
    covariance: NDArray[np.float64]
    freedom: float


def opinions(scores: Scores, *, alpha: float = 0.05) -> Opinions:
    """Scores per style at the average rater: two-way least squares, style and rater.

    A severe rater who happened to see one style more often would drag it down. So with y the score,
        y = level(style) + severity(rater) + error,   mean of severity over the raters = 0
    is fitted by least squares, with the raters swept out first (Frisch and Waugh), so that the
    equations to solve have the size of the styles only.

    With at least FEWEST_RATERS raters the errors come from the raters' influences psi on the levels,
    V = G / (G - 1) * sum_g psi_g psi_g', Student's t with G - 1: they hold for other raters like
    these, who differ in severity and in taste. With fewer they come from the residual variance and
    speak of these raters alone.

    Where styles are not linked by raters who scored both, severity cannot be told from quality; then
    the levels are plain means, and a note says so.

    Raises:
        ValueError: alpha outside (0, 1).
    Source: Searle, Linear Models, 1971, chapter 7 (two-way, unbalanced); Liang and Zeger, Biometrika
        1986, 73(1), for the influences.

    >>> scores = Scores(np.array(["a", "b", "a"]), np.array(["x", "x", "y"]), np.array([4, 3, 2]))
    >>> result = opinions(scores)
    >>> round(result["a"].score, 3), round(result["b"].score, 3), round(result.severity["y"], 3)
    (3.0, 2.0, -1.0)
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    if not len(scores):
        return Opinions({}, (), {}, alpha, 0, 0, "scores", (), why_none="nothing was scored yet")
    (styles, _), (raters, _) = scores.styles, scores.raters
    has_severity = scores.is_connected
    is_by_rater = len(raters) >= FEWEST_RATERS
    fit = _fit(scores, has_severity=has_severity, is_by_rater=is_by_rater)
    found = [_opinion(scores, i, fit, alpha) for i in range(len(styles))]
    order = sorted(range(len(styles)), key=lambda i: (-fit.level[i], styles[i]))
    return Opinions(
        styles={styles[i]: found[i] for i in order},
        differences=_differences(styles, order, fit, alpha),
        severity={name: float(value) for name, value in zip(raters, fit.severity, strict=True)}
        if has_severity
        else {},
        alpha=alpha,
        n_scores=len(scores),
        n_raters=len(raters),
        errors_from="raters" if is_by_rater else "scores",
        notes=tuple(_notes(len(raters), has_severity=has_severity, is_by_rater=is_by_rater)),
    )


def _fit(scores: Scores, *, has_severity: bool, is_by_rater: bool) -> _Fit:
    (styles, style), (raters, rater) = scores.styles, scores.raters
    y = np.asarray(scores.score, dtype=float)
    n_styles, n_raters = len(styles), len(raters)
    counts = np.zeros((n_raters, n_styles))
    np.add.at(counts, (rater, style), 1.0)
    if not has_severity:
        return _fit_means(y, style, rater, counts, is_by_rater=is_by_rater)
    per_rater = counts.sum(axis=1)
    mix = counts / per_rater[:, None]
    mean_of_rater = np.bincount(rater, y, n_raters) / per_rater
    information = np.diag(counts.sum(axis=0)) - counts.T @ mix
    moment = np.bincount(style, y, n_styles) - counts.T @ mean_of_rater
    inverse = np.linalg.pinv(information, rcond=1e-10, hermitian=True)
    effect = inverse @ moment
    severity = mean_of_rater - mix @ effect
    level = severity.mean() + effect
    residual = y - effect[style] - severity[rater]
    to_level = np.eye(n_styles) - mix.mean(axis=0)[None, :]
    if is_by_rater:
        within = np.zeros((n_raters, n_styles))
        np.add.at(within, (rater, style), residual)
        influence = (severity - severity.mean())[:, None] / n_raters + within @ inverse @ to_level.T
        return _Fit(level, severity - severity.mean(), _outer(influence), n_raters - 1.0)
    freedom = float(len(y) - n_styles - n_raters + 1)
    variance = float(residual @ residual) / freedom if freedom > 0 else 0.0
    covariance = to_level @ inverse @ to_level.T + np.mean(1.0 / per_rater) / n_raters
    return _Fit(level, severity - severity.mean(), variance * covariance, freedom)


def _fit_means(
    y: NDArray[np.float64],
    style: NDArray[np.intp],
    rater: NDArray[np.intp],
    counts: NDArray[np.float64],
    *,
    is_by_rater: bool,
) -> _Fit:
    """Plain means, for raters whose severity cannot be told."""
    n_raters, n_styles = counts.shape
    per_style = counts.sum(axis=0)
    level = np.bincount(style, y, n_styles) / per_style
    residual = y - level[style]
    if is_by_rater:
        within = np.zeros((n_raters, n_styles))
        np.add.at(within, (rater, style), residual)
        return _Fit(level, np.zeros(n_raters), _outer(within / per_style), n_raters - 1.0)
    freedom = float(len(y) - n_styles)
    variance = float(residual @ residual) / freedom if freedom > 0 else 0.0
    return _Fit(level, np.zeros(n_raters), np.diag(variance / per_style), freedom)


def _outer(influence: NDArray[np.float64]) -> NDArray[np.float64]:
    n_raters = len(influence)
    return np.asarray(influence.T @ influence * (n_raters / (n_raters - 1)))


def _opinion(scores: Scores, i: int, fit: _Fit, alpha: float) -> Opinion:
    (styles, style), (_, rater) = scores.styles, scores.raters
    mine = style == i
    result = Opinion(
        styles[i],
        int(mine.sum()),
        len(np.unique(rater[mine])),
        float(np.mean(np.asarray(scores.score, dtype=float)[mine])),
        float(fit.level[i]),
    )
    try:
        known = _estimate(fit.level[i], fit.covariance[i, i], fit.freedom)
    except InsufficientData as reason:
        return replace(result, why_none=str(reason))
    low, high = known.interval(alpha)
    return replace(result, standard_error=known.standard_error, ci_low=low, ci_high=high)


def _differences(
    styles: list[str], order: list[int], fit: _Fit, alpha: float
) -> tuple[OpinionDifference, ...]:
    best, *others = order
    found = [_difference(styles, best, other, fit, alpha) for other in others]
    adjusted = iter(holm([one.p for one in found if one.p is not None]))
    return tuple(one if one.p is None else replace(one, p_holm=next(adjusted)) for one in found)


def _difference(styles: list[str], i: int, j: int, fit: _Fit, alpha: float) -> OpinionDifference:
    result = OpinionDifference(styles[i], styles[j], float(fit.level[i] - fit.level[j]))
    variance = fit.covariance[i, i] + fit.covariance[j, j] - 2.0 * fit.covariance[i, j]
    try:
        known = _estimate(result.difference, variance, fit.freedom)
    except InsufficientData as reason:
        return replace(result, why_none=str(reason))
    low, high = known.interval(alpha)
    return replace(result, standard_error=known.standard_error, ci_low=low, ci_high=high, p=known.p())


def _estimate(value: float, variance: float, freedom: float) -> Estimate:
    if freedom < 1:
        raise InsufficientData("there are too few scores for an interval; each is used up by the fit")
    if variance <= 1e-14 * max(1.0, float(value) ** 2):
        raise InsufficientData("all scores agree, so there is no error to state")
    return Estimate(float(value), math.sqrt(float(variance)), freedom)


def _notes(n_raters: int, *, has_severity: bool, is_by_rater: bool) -> list[str]:
    notes = []
    if not has_severity:
        notes.append(
            "Too few raters scored more than one style, so severe raters cannot be told from poor styles; "
            "these are plain means."
        )
    if not is_by_rater:
        notes.append(
            f"With {n_raters} {'rater' if n_raters == 1 else 'raters'} the intervals speak of these alone; "
            f"for raters in general it takes at least {FEWEST_RATERS}."
        )
    return notes
