"""What is believed of many groups at once, each a Gaussian over the styles."""

from dataclasses import dataclass

import numpy as np

from personalize.features.runs import Floats, Ints

GROWTH = 2
TUNE_GROUPS = 48
"""Groups, those with most evidence, that one step of `tune` looks at; bounds its time."""

MIN_TUNE_GROUPS = 5
MIN_EVIDENCE = 0.3
"""Summed information weight, in expected click variance, below which a group says nothing of the prior."""

PRIOR_WEIGHT = 20.0
"""How many known effects the first variances are worth."""

MOST_SHARE = 4.0
"""Times its first value beyond which no variance is tuned: a step too wide would feed on itself."""

LEAST_SHARE = 0.02
"""A variance does not fall below this share of its first value, so that it can grow again."""


SAME_LOOK = 1e-9
"""Directions in which looks differ by less than this share of the most do not count."""


_PRECISION, _INFORMATION, _N_LASTING = 0, 1, 2
"""Sums of a level that last; after them come the same two of what is still waiting, where that is known."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances, in squared log odds, of a group's deviations before anything is known of it.

    `overall` lifts all styles together, `alike` is shared by styles whose content vectors are alike,
    `own` belongs to one style alone.
    """

    overall: float
    alike: float
    own: float


class Level:
    """Deviations d_g of groups g from what the other levels expect, in log odds, over S styles.

    Before any data d_g ~ N(0, K), K = overall * 11' + alike * similarity + own * I. A showing of style s
    that is expected to be clicked with probability p, and counts with weight x, adds at s
        precision  += x^2 p (1 - p)            information += x^2 p (1 - p) d_s - x p
    and its click, whenever it comes, information += x: the logistic likelihood, expanded where it was
    shown, is linear in the outcome. So the state is a sum over events, in any order, and
        mean = K (I + diag(precision) K)^-1 information.
    Sums halve every `half_life_us`.

    The likeness of S styles has few dimensions, F F' of rank R, so K = W W' + own * I with W of R + 1
    columns, d_g = W z + e with z ~ N(0, I) and e ~ N(0, own * I), and only z must be solved for:
        G = (I + own D)^-1, M = I + W' D G W: z ~ N(M^-1 W' G information, M^-1),
        mean = G (W z + own * information), variance = diag(G W M^-1 W' G) + own G.

    Clicks come late, so a showing without one is not yet refused. With `knows_waiting` a showing of age a
    counts in the means with the share F(a) = 1 - exp(-a / lag_us) of clicks that would have come by then.
    What is still waiting is itself a sum that decays, and is taken off the evidence. `variances_of` counts
    it in full, so a style is not tried again and again while the answer is on its way.

    Source: extended Kalman filter in information form, as in West, Harrison and Migon, JASA 1985; ours
    keeps the evidence of a group diagonal, which is exact, because a showing is of one style. The
    delayed-feedback likelihood is Chapelle's, KDD 2014.
    """

    def __init__(
        self, similarity: Floats, spread: Spread, half_life_us: float, *, knows_waiting: bool = False
    ) -> None:
        size = len(similarity)
        self._factors = np.hstack([np.ones((size, 1)), _factor(similarity)])
        self._first = np.array([spread.overall, spread.alike, spread.own])
        self.variances = self._first.copy()
        self._half_life_us = half_life_us
        self._knows_waiting = knows_waiting
        self._sums = np.zeros((_N_LASTING + 2 * knows_waiting, 1, size))
        self.lag_us = 1.0
        self._at_us = np.zeros(1, dtype=np.int64)
        self._n = 0
        self._loadings = self._loaded()
        self._last: tuple[tuple[int, int, float], Floats] | None = None

    def __len__(self) -> int:
        return self._n

    def add(
        self, groups: Ints, styles: Ints, at_us: Ints, *, information: Floats, precision: Floats | None = None
    ) -> None:
        """Add evidence of (n,) events to their groups; groups of -1 are left out.

        Without a precision they tell what became of showings: nothing more waits for them.
        """
        known = groups >= 0
        if not known.all():
            groups, styles, at_us = groups[known], styles[known], at_us[known]
            information = information[known]
            precision = None if precision is None else precision[known]
        if not len(groups):
            return
        self._last = None
        self._reserve(int(groups.max()) + 1)
        self._age(groups, at_us)
        age = self._at_us[groups] - at_us
        fresh: Floats | float = 1.0
        waits: Floats | float = 1.0
        if age.any():
            fresh, waits = np.exp2(-age / self._half_life_us), np.exp(-age / self.lag_us)
        if precision is None:
            first, amounts = _INFORMATION, information * fresh
        else:
            told = np.array([precision, information])
            first, amounts = 0, told * fresh
            if self._knows_waiting:
                amounts = np.concatenate([amounts, told * waits])
        # one index into all sums at once is several times as quick as two into each
        sums = self._sums[first:].reshape(len(self._sums) - first, -1)
        place = groups * self.n_styles + styles
        index = place + sums.shape[1] * np.arange(amounts.size // len(place))[:, None]
        np.add.at(sums.reshape(-1), index.reshape(-1), amounts.reshape(-1))

    @property
    def n_styles(self) -> int:
        return len(self._factors)

    def means(self, groups: Ints, at_us: Ints) -> Floats:
        """Posterior means of groups as of their moments, (n, S); zeros where nothing is known."""
        means = np.zeros((len(groups), self.n_styles))
        known = np.flatnonzero((groups >= 0) & (groups < self._n))
        if len(known):
            precision, information = self._answered(groups[known], at_us[known])
            means[known] = self._posterior(precision).mean(information)
        return means

    def mean_of(self, group: int, at_us: int) -> Floats:
        """`means` of one group, (1, S), kept until something moves it: a page scores by it, then learns."""
        asked = group, at_us, self.lag_us
        if self._last is None or self._last[0] != asked:
            self._last = asked, self.means(np.array([group]), np.array([at_us]))
        return self._last[1]

    def variances_of(self, groups: Ints, at_us: Ints) -> Floats:
        """Posterior variances of groups, (n, S)."""
        precision = np.zeros((len(groups), self.n_styles))
        known = np.flatnonzero((groups >= 0) & (groups < self._n))
        precision[known] = self._evidence(groups[known], at_us[known])[0]
        return self._posterior(precision).variance()

    def tune(self, at_us: int) -> None:
        """One step towards the variances under which the groups' evidence is likeliest.

        With a = (K + D^-1)^-1 d the whitened deviations and Q = (K + D^-1)^-1, each variance is scaled by
            sqrt(sum_g a' B a / sum_g tr(B Q)),
        both sums with an inverse gamma prior around the first value, worth `PRIOR_WEIGHT` effects. Where
        nobody deviates from what is expected the variances fall towards 0, and with them all that is
        believed of groups.

        Source: minorization-maximization for variance components, Zhou et al., JCGS 2019.
        """
        groups = self._telling()
        if len(groups) < MIN_TUNE_GROUPS:
            return
        moments = np.full(len(groups), at_us, dtype=np.int64)
        precision, information = self._answered(groups, moments)
        posterior = self._posterior(precision)
        whitened = information - precision * posterior.mean(information)
        seen = (whitened @ self._factors) ** 2
        found = np.array([seen[:, 0].sum(), seen[:, 1:].sum(), (whitened**2).sum()])
        expected = posterior.traces(self._factors)
        found += PRIOR_WEIGHT * self._first / self.variances**2
        tuned = self.variances * np.sqrt(found / (expected + PRIOR_WEIGHT / self.variances))
        self.variances = np.clip(tuned, LEAST_SHARE * self._first, MOST_SHARE * self._first)
        self._loadings = self._loaded()
        self._last = None

    def forget(self, group: int) -> None:
        """Drop all evidence of one group."""
        if 0 <= group < self._n:
            self._sums[:, group] = 0.0
        self._last = None

    def evidence(self, groups: Ints) -> Floats:
        """Summed precision of each group, (n,)."""
        total = np.zeros(len(groups))
        known = (groups >= 0) & (groups < self._n)
        total[known] = self._sums[_PRECISION, groups[known]].sum(axis=1)
        return total

    def _loaded(self) -> Floats:
        """W, (S, R + 1)."""
        overall, alike, _ = np.sqrt(self.variances)
        loadings: Floats = alike * self._factors
        loadings[:, 0] = overall
        return loadings

    def _posterior(self, precision: Floats) -> "_Posterior":
        return _Posterior.of(precision, self._loadings, float(self.variances[-1]))

    def _telling(self) -> Ints:
        """The groups with most evidence, of those with enough."""
        evidence = self._sums[_PRECISION, : self._n].sum(axis=1)
        most = np.argsort(-evidence, kind="stable")[:TUNE_GROUPS]
        telling: Ints = most[evidence[most] > MIN_EVIDENCE]
        return telling

    def _evidence(self, groups: Ints, at_us: Ints) -> tuple[Floats, Floats]:
        decay = np.exp2(np.minimum(self._at_us[groups] - at_us, 0) / self._half_life_us)[:, None]
        precision, information = self._sums[:_N_LASTING, groups] * decay
        return precision, information

    def _answered(self, groups: Ints, at_us: Ints) -> tuple[Floats, Floats]:
        """The evidence less what waits for a click that may still come."""
        precision, information = self._evidence(groups, at_us)
        if not self._knows_waiting:
            return precision, information
        waits = np.exp(np.minimum(self._at_us[groups] - at_us, 0) / self.lag_us)[:, None]
        waiting = self._sums[_N_LASTING:, groups] * waits
        return np.maximum(precision - waiting[0], 0.0), information - waiting[1]

    def _reserve(self, size: int) -> None:
        room = len(self._at_us)
        if size > room:
            more = max(size, GROWTH * room) - room
            self._sums = np.pad(self._sums, ((0, 0), (0, more), (0, 0)))
            self._at_us = np.pad(self._at_us, (0, more))
        self._n = max(self._n, size)

    def _age(self, groups: Ints, at_us: Ints) -> None:
        """Bring the groups' sums to the latest of their moments."""
        one = int(groups[0])
        touched = slice(one, one + 1) if (groups == one).all() else np.unique(groups)
        before = self._at_us[touched].copy()
        np.maximum.at(self._at_us, groups, at_us)
        passed = (before - self._at_us[touched])[:, None]
        if not passed.any():
            return
        self._sums[:_N_LASTING, touched] *= np.exp2(passed / self._half_life_us)
        if self._knows_waiting:
            self._sums[_N_LASTING:, touched] *= np.exp(passed / self.lag_us)


@dataclass(frozen=True, slots=True)
class _Posterior:
    """What evidence of n groups leaves open: z has the covariance `within`, (n, R + 1, R + 1).

    loadings (S, R + 1); shrink, which is G, and told, which is D G, (n, S).
    """

    loadings: Floats
    own: float
    shrink: Floats
    told: Floats
    within: Floats

    @staticmethod
    def of(precision: Floats, loadings: Floats, own: float) -> "_Posterior":
        shrink = 1 / (1 + own * precision)
        told = precision * shrink
        inner = (told[:, None, :] * loadings.T) @ loadings + np.eye(loadings.shape[1])
        return _Posterior(loadings, own, shrink, told, np.linalg.inv(inner).astype(np.float64, copy=False))

    def mean(self, information: Floats) -> Floats:
        """(n, S)."""
        z = self.within @ ((self.shrink * information) @ self.loadings)[:, :, None]
        mean: Floats = self.shrink * (z[:, :, 0] @ self.loadings.T + self.own * information)
        return mean

    def variance(self) -> Floats:
        """(n, S)."""
        of_z = ((self.loadings @ self.within) * self.loadings).sum(axis=2)
        variance: Floats = self.shrink * (self.shrink * of_z + self.own)
        return variance

    def traces(self, factors: Floats) -> Floats:
        """Sums over groups of tr(B Q) for B = 11', FF' and I, (3,); Q = DG - DG W M^-1 W' DG."""
        seen = (self.told[:, None, :] * factors.T) @ self.loadings
        explained = ((seen @ self.within) * seen).sum(axis=(0, 2))
        each = self.told.sum(axis=0) @ factors**2 - explained
        weighed = (self.told[:, None, :] ** 2 * self.loadings.T) @ self.loadings
        own = self.told.sum() - (weighed * self.within).sum()
        return np.array([each[0], each[1:].sum(), own])


def _factor(similarity: Floats) -> Floats:
    """F, (S, R), of which the inner products are the similarities."""
    values, vectors = np.linalg.eigh(similarity)
    telling = values > SAME_LOOK * max(float(values[-1]), 0.0)
    factor: Floats = vectors[:, telling] * np.sqrt(values[telling])
    return factor
