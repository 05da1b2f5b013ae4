"""Our ranker on a bare log: LambdaRank over the scores of the others, recency and what the user did before.

The others are fitted on the part of the log before an inner cut, and the trees learn from what followed it
which of them to believe when; then the others are fitted again on all of the earlier part. Nothing later than
the moment of asking is in any feature.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from personalize.evaluate.baselines import Baseline, weights
from personalize.evaluate.judging import judge_case
from personalize.evaluate.log import EventLog
from personalize.evaluate.split import Case
from personalize.features.runs import Floats, Ints

if TYPE_CHECKING:
    import lightgbm

CHUNK = 128
N_RETRIEVED = 50
"""Best styles of each score that the trees order; the rest keep the order of their retrieval scores."""

N_NEGATIVES = 30
"""Styles drawn at random for each training case, besides what the scores put first."""

NEVER_HOURS = 24.0 * 3650
N_TREES, PATIENCE, WATCHED_SHARE = 300, 30, 4


@dataclass(frozen=True, slots=True)
class Habits:
    """What each user did with each style, one entry a pair that occurred, sorted by `key`."""

    key: Ints
    n_shown: Floats
    n_liked: Floats
    worth: Floats
    last_us: Ints
    n_styles: int

    @staticmethod
    def of(log: EventLog) -> "Habits":
        key, pair = np.unique(log.user * log.n_styles + log.style, return_inverse=True)
        last = np.full(len(key), np.iinfo(np.int64).min)
        np.maximum.at(last, pair[log.liked], log.at_us[log.liked])
        return Habits(
            key,
            np.bincount(pair, minlength=len(key)).astype(np.float64),
            np.bincount(pair, weights=log.liked, minlength=len(key)).astype(np.float64),
            np.bincount(pair, weights=weights(log), minlength=len(key)).astype(np.float64),
            last,
            log.n_styles,
        )

    def columns(self, user: Ints, style: Ints, at_us: Ints) -> list[Floats]:
        """Shown, liked, worth, and hours since the last like, (n,) each."""
        key = user * self.n_styles + style
        place = np.minimum(np.searchsorted(self.key, key), max(len(self.key) - 1, 0))
        is_known = self.key[place] == key
        hours = (at_us - self.last_us[place].astype(np.float64)) / 3.6e9
        return [
            *(np.where(is_known, column[place], 0.0) for column in (self.n_shown, self.n_liked, self.worth)),
            np.where(is_known, np.minimum(hours, NEVER_HOURS), NEVER_HOURS),
        ]


@dataclass(frozen=True, slots=True)
class Stack:
    """The scores to stack, by name, and what users did: all from one part of a log."""

    scorers: dict[str, Baseline]
    habits: Habits
    n_shown: Floats
    n_liked: Floats
    rate: float
    has_impressions: bool

    @staticmethod
    def of(log: EventLog, scorers: dict[str, Baseline]) -> "Stack":
        shown = np.bincount(log.user, minlength=log.n_users).astype(np.float64)
        liked = np.bincount(log.user, weights=log.liked, minlength=log.n_users).astype(np.float64)
        rate = float(liked.sum() / max(shown.sum(), 1.0))
        return Stack(scorers, Habits.of(log), shown, liked, rate, log.has_impressions)

    def scores(self, cases: Sequence[Case]) -> list[Floats]:
        """(n, S) of each scorer."""
        users = np.array([case.user for case in cases], dtype=np.int64)
        at_us = np.array([case.at_us for case in cases], dtype=np.int64)
        return [scorer.scores(users, at_us) for scorer in self.scorers.values()]

    def features(self, case: Case, scores: Sequence[Floats], styles: Ints) -> Floats:
        """(len(styles), F): each score raw and as a share of the case's best, habits, the user's activity.

        Args:
            scores: (S,) of each scorer for this case.
        """
        n = len(styles)
        best = [max(float(each.max(initial=0.0)), 1e-12) for each in scores]
        raw = [each[styles] for each in scores]
        shares = [each / top for each, top in zip(raw, best, strict=True)]
        user = np.full(n, case.user)
        shown, liked, worth, hours = self.habits.columns(user, styles, np.full(n, case.at_us))
        own_rate = (self.n_liked[case.user] + 5 * self.rate) / (self.n_shown[case.user] + 5)
        lift = (liked + 2) / (shown * own_rate + 2) if self.has_impressions else liked
        activity = np.full(n, self.n_liked[case.user])
        return np.stack([*raw, *shares, shown, liked, worth, np.log1p(hours), lift, activity], axis=1)


def retrieved(scores: Sequence[Floats], n_best: int) -> Ints:
    """Codes of the `n_best` styles of each score, (S,) each, together."""
    best = [np.argpartition(-each, min(n_best, len(each) - 1))[:n_best] for each in scores]
    return np.unique(np.concatenate(best))


class StackedRanker:
    """LambdaRank over a `Stack`.

    Args:
        stack: fitted on what came before the cases' moments.
        cases: to learn from, one a user; one in four is watched to find how many trees help, and whether
            they do at all: where they do not order the watched better than the best single score, that
            score orders alone. On few users trees learn noise.
        k: places that count.
    """

    def __init__(self, stack: Stack, cases: Sequence[Case], *, k: int, seed: int) -> None:
        watched = [case for n, case in enumerate(cases) if n % WATCHED_SHARE == 0]
        learned = [case for n, case in enumerate(cases) if n % WATCHED_SHARE]
        self._booster = _grow(*(_examples(stack, part, seed=seed) for part in (learned, watched)), seed=seed)
        self._leader: str | None = None
        self._leader = self._better_alone(stack, cases, k)

    def _better_alone(self, stack: Stack, cases: Sequence[Case], k: int) -> str | None:
        """The best single score, if it orders the watched cases as well as the trees do."""
        alone: dict[str, list[float]] = {name: [] for name in stack.scorers}
        for start in range(0, len(cases), CHUNK):
            part = cases[start : start + CHUNK]
            for name, scores in zip(alone, stack.scores(part), strict=True):
                alone[name] += [_ndcg(mine, case, k) for mine, case in zip(scores, part, strict=True)]
        best = max(alone, key=lambda name: sum(alone[name]))
        watched = cases[::WATCHED_SHARE]
        ordered = zip(self.case_scores(stack, watched), watched, strict=True)
        trees = np.array([judge_case(mine, case.relevant, k).ndcg for mine, case in ordered])
        gain = trees - np.array(alone[best][::WATCHED_SHARE])
        return None if gain.mean() > 0 else best

    def case_scores(self, stack: Stack, cases: Sequence[Case]) -> Iterator[Floats]:
        """Per case (len(rows),), or (S,) where all styles are to be ordered."""
        for start in range(0, len(cases), CHUNK):
            part = cases[start : start + CHUNK]
            scores = stack.scores(part)
            if self._leader is not None:
                alone = scores[list(stack.scorers).index(self._leader)]
                yield from (
                    mine if case.rows is None else mine[case.rows]
                    for mine, case in zip(alone, part, strict=True)
                )
                continue
            blocks, styles = [], []
            for n, case in enumerate(part):
                own = [each[n] for each in scores]
                styles.append(case.rows if case.rows is not None else retrieved(own, N_RETRIEVED))
                blocks.append(stack.features(case, own, styles[-1]))
            predicted = np.asarray(self._booster.predict(np.concatenate(blocks), num_threads=1))
            ends = np.cumsum([len(each) for each in styles])[:-1]
            for n, (case, mine) in enumerate(zip(part, np.split(predicted, ends), strict=True)):
                yield (
                    mine if case.rows is not None else _filled([each[n] for each in scores], styles[n], mine)
                )


def _ndcg(scores: Floats, case: Case, k: int) -> float:
    return judge_case(scores if case.rows is None else scores[case.rows], case.relevant, k).ndcg


def _filled(scores: Sequence[Floats], styles: Ints, predicted: Floats) -> Floats:
    """(S,) with the rest below what the trees ordered, by the mean of the scores' shares of their best."""
    shares = [each / max(float(np.abs(each).max()), 1e-12) for each in scores]
    everything: Floats = np.mean(shares, axis=0)
    everything = everything - everything.max() + predicted.min() - 1.0
    everything[styles] = predicted
    return everything


@dataclass(frozen=True, slots=True)
class _Rows:
    values: Floats
    label: Ints
    sizes: Ints


def _examples(stack: Stack, cases: Sequence[Case], *, seed: int) -> _Rows:
    rng = np.random.default_rng(seed)
    values, labels, sizes = [], [], []
    for start in range(0, len(cases), CHUNK):
        part = cases[start : start + CHUNK]
        scores = stack.scores(part)
        for n, case in enumerate(part):
            own = [each[n] for each in scores]
            styles, label = _labelled(case, own, rng)
            values.append(stack.features(case, own, styles))
            labels.append(label)
            sizes.append(len(styles))
    return _Rows(np.concatenate(values), np.concatenate(labels), np.array(sizes, dtype=np.int64))


def _labelled(case: Case, scores: Sequence[Floats], rng: np.random.Generator) -> tuple[Ints, Ints]:
    """What was shown, with what came of it; or what was liked, among the best of each score and others."""
    if case.rows is not None:
        return case.rows, case.relevant.astype(np.int64)
    drawn = rng.integers(len(scores[0]), size=N_NEGATIVES)
    styles = np.unique(np.concatenate([retrieved(scores, N_RETRIEVED), drawn, case.relevant]))
    return styles, np.isin(styles, case.relevant).astype(np.int64)


def _grow(learned: _Rows, watched: _Rows, *, seed: int) -> "lightgbm.Booster":
    import lightgbm

    parameters = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": 50,
        "lambda_l2": 5.0,
        "feature_fraction": 0.8,
        "num_threads": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    train = lightgbm.Dataset(learned.values, label=learned.label, group=learned.sizes, params=parameters)
    valid = lightgbm.Dataset(
        watched.values, label=watched.label, group=watched.sizes, reference=train, params=parameters
    )
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    return lightgbm.train(parameters, train, N_TREES, valid_sets=[valid], callbacks=[stopping])
