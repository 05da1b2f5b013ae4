"""`personalize evaluate`: ours and what everybody knows, in one run on one split, with intervals."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from personalize.errors import EventFileError
from personalize.evaluate.baselines import (
    Baseline,
    Ease,
    Factors,
    Neighbours,
    Popular,
    RecentlyPopular,
    Tastes,
)
from personalize.evaluate.judging import FEWEST_CASES, METRICS, Mean, judge_case, mean_of
from personalize.evaluate.log import EventLog, ReadReport, read_event_log
from personalize.evaluate.split import SPLITS, Case, SplitKind, split_log
from personalize.evaluate.stacked import CHUNK, Stack, StackedRanker
from personalize.evaluate.towers import EPOCHS, TOWERS, Looks, TowerRanker, looks_of
from personalize.features.runs import Floats, Ints

OURS = "personalize"
MAX_CASES = 5_000
"""Users judged by, and as many learned from, at most; drawn at random past it."""

INNER_SHARE = 0.25
FEWEST_TRAINING_CASES = 40
HALF_LIFE_SHARES = (1 / 128, 1 / 32, 1 / 8)
"""Half-lives of recent popularity, as shares of the earlier part's length."""

L2, SHRINK, N_FACTORS = (10.0, 100.0, 1000.0), (0.0, 10.0, 100.0), 32


@dataclass(frozen=True, slots=True)
class Claim:
    """One ranker orders surely better than another: the interval of the difference in NDCG lies above 0."""

    better: str
    worse: str
    difference: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it. `models` maps rankers to their metrics; `claims` is all that may be said of order."""

    k: int
    split: SplitKind
    read: ReadReport
    n_users: int
    n_styles: int
    n_train: int
    n_cases: int
    n_unreachable: int
    has_impressions: bool
    settings: dict[str, float]
    models: dict[str, dict[str, Mean]]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "k": self.k,
            "split": self.split,
            "rows": self.read.to_dict(),
            "n_users": self.n_users,
            "n_styles": self.n_styles,
            "n_train_events": self.n_train,
            "n_test_users": self.n_cases,
            "n_unreachable": self.n_unreachable,
            "has_impressions": self.has_impressions,
            "settings": self.settings,
            "models": {
                name: {_named(metric, self.k): mean.to_dict() for metric, mean in means.items()}
                for name, means in self.models.items()
            },
            "claims": [asdict(claim) for claim in self.claims],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def _named(metric: str, k: int) -> str:
    return metric if metric == "auc" else f"{metric}_at_{k}"


def compare_rankers(
    path: Path,
    *,
    split: SplitKind = "time",
    test_share: float = 0.2,
    k: int = 10,
    seed: int = 0,
    towers: bool = False,
    looks: Looks | None = None,
) -> Comparison:
    """Train on the earlier part of a log of events, judge on the later one.

    A case is a user who liked something later. Where the log has impressions, what was shown to the user is
    ordered; where it has none, all styles of the earlier part are, and the trees learn from styles drawn at
    random as negatives. Each baseline's setting is the best on an inner split of the earlier part.

    Args:
        towers: compare the torch towers too, by themselves and stacked with the others.
        looks: content vectors by style_id, which only the towers look at.
    Raises:
        EventFileError: the file cannot be read, or leaves nothing to learn from or to judge by.
        ValueError: no split of that name.
    """
    if split not in SPLITS:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")
    started = time.monotonic()
    log, read = read_event_log(path)
    outer = split_log(log, split, test_share)
    rng = np.random.default_rng(seed)
    cases = _drawn(outer.cases, rng)
    if not cases or not outer.earlier.liked.any():
        raise EventFileError(path, "after the split there is nothing to learn from or nobody to judge by")
    inner = split_log(outer.earlier, split, INNER_SHARE)
    training = _drawn(inner.cases, rng)
    make_towers = partial(_towers, looks=looks_of(log.style_ids, looks), seed=seed) if towers else None
    inner_rankers, settings = _fitted(inner.earlier, training, k, make_towers)
    rankers = _refitted(outer.earlier, settings, make_towers)
    values = {name: _judged(_scored(ranker, cases), cases, k) for name, ranker in rankers.items()}
    notes = _notes(log, outer.cases, inner.cases, outer.n_unreachable)
    for name, left_out in ((f"{OURS}+{TOWERS}", ()), (OURS, (TOWERS,))) if towers else ((OURS, ()),):
        stacks = (
            _stack(part.earlier, {each: ranker for each, ranker in made.items() if each not in left_out})
            for part, made in ((inner, inner_rankers), (outer, rankers))
        )
        ours = _ours((next(stacks), next(stacks)), training, cases, k, seed)
        if ours is None:
            notes.append(f"{name} was left out: fewer than {FEWEST_TRAINING_CASES} users to train it on")
        else:
            values = {name: _judged(ours, cases, k)} | values
    return Comparison(
        k=k,
        split=split,
        read=read,
        n_users=log.n_users,
        n_styles=log.n_styles,
        n_train=len(outer.earlier),
        n_cases=len(cases),
        n_unreachable=outer.n_unreachable,
        has_impressions=log.has_impressions,
        settings=settings,
        models={name: _means(each) for name, each in values.items()},
        claims=_claims({name: each[:, METRICS.index("ndcg")] for name, each in values.items()}),
        notes=tuple(notes),
        seconds=time.monotonic() - started,
    )


def _drawn(cases: Sequence[Case], rng: np.random.Generator) -> list[Case]:
    """At most MAX_CASES of them, in order of time."""
    rows = np.arange(len(cases))
    if len(cases) > MAX_CASES:
        rows = rng.choice(rows, size=MAX_CASES, replace=False)
    return sorted((cases[row] for row in rows.tolist()), key=lambda case: (case.at_us, case.user))


def _span_us(log: EventLog) -> float:
    return float(max(log.at_us[-1] - log.at_us[0], 1)) if len(log) else 1.0


MakeTowers = Callable[[EventLog, float], Baseline]


def _towers(log: EventLog, epochs: float, *, looks: Floats, seed: int) -> Baseline:
    return TowerRanker(log, looks, epochs, span_us=_span_us(log), seed=seed)


def _fitted(
    log: EventLog, cases: Sequence[Case], k: int, make_towers: MakeTowers | None
) -> tuple[dict[str, Baseline], dict[str, float]]:
    """The baselines with the settings that order these cases best (without any, the middle ones)."""
    some = cases[:: max(1, len(cases) // 1000)]
    rankers: dict[str, Baseline] = {"popularity": Popular(log)}
    settings: dict[str, float] = {}
    for name, (setting, choices, make) in _families(log, make_towers).items():
        tried = {choice: make(choice) for choice in (choices if some else choices[1:2])}
        settings[setting] = max(tried, key=lambda choice: _quality(tried[choice], some, k))
        rankers[name] = tried[settings[setting]]
    return rankers, settings


def _quality(ranker: Baseline, cases: Sequence[Case], k: int) -> float:
    """Mean NDCG@k; 0 without any cases."""
    return float(_judged(_scored(ranker, cases), cases, k)[:, 0].mean()) if cases else 0.0


def _refitted(
    log: EventLog, settings: dict[str, float], make_towers: MakeTowers | None
) -> dict[str, Baseline]:
    """The baselines on another part of the log, with settings already chosen."""
    made: dict[str, Baseline] = {
        name: make(settings[setting]) for name, (setting, _, make) in _families(log, make_towers).items()
    }
    return {"popularity": Popular(log)} | made


Family = tuple[str, tuple[float, ...], Callable[[float], Baseline]]


def _families(log: EventLog, make_towers: MakeTowers | None) -> dict[str, Family]:
    """Each baseline that has a setting: what it is called, what is tried, how one is made."""
    tastes, span = Tastes.of(log), _span_us(log)
    gram = tastes.gram()
    families: dict[str, Family] = {
        "recent_popularity": (
            "recent_half_life_share",
            HALF_LIFE_SHARES,
            lambda share: RecentlyPopular(log, share * span),
        ),
        "item_knn": ("item_knn_shrink", SHRINK, lambda shrink: Neighbours(tastes, gram, shrink)),
        "ease": ("ease_l2", L2, lambda l2: Ease(tastes, gram, l2)),
    }
    if make_towers is not None:
        families[TOWERS] = ("towers_epochs", EPOCHS, lambda epochs: make_towers(log, epochs))
    return families


def _stack(log: EventLog, rankers: dict[str, Baseline]) -> Stack:
    """The baselines, popularity at every half-life, and taste in few directions."""
    halves = {
        f"recent_{share:.4f}": RecentlyPopular(log, share * _span_us(log)) for share in HALF_LIFE_SHARES
    }
    return Stack.of(log, {**rankers, **halves, "taste": Factors(Tastes.of(log), N_FACTORS)})


def _ours(
    stacks: tuple[Stack, Stack], training: Sequence[Case], cases: Sequence[Case], k: int, seed: int
) -> Iterator[Floats] | None:
    """Our scores of each case, learned on the first stack and applied to the second; None on too little."""
    if len(training) < FEWEST_TRAINING_CASES:
        return None
    return StackedRanker(stacks[0], training, k=k, seed=seed).case_scores(stacks[1], cases)


def _scored(ranker: Baseline, cases: Sequence[Case]) -> Iterator[Floats]:
    for start in range(0, len(cases), CHUNK):
        part = cases[start : start + CHUNK]
        users: Ints = np.array([case.user for case in part], dtype=np.int64)
        scores = ranker.scores(users, np.array([case.at_us for case in part], dtype=np.int64))
        for case, mine in zip(part, scores, strict=True):
            yield mine if case.rows is None else mine[case.rows]


def _judged(scores: Iterator[Floats], cases: Sequence[Case], k: int) -> Floats:
    """(cases, metrics)."""
    pairs = zip(scores, cases, strict=True)
    return np.array([judge_case(mine, case.relevant, k) for mine, case in pairs]).reshape(-1, len(METRICS))


def _means(values: Floats) -> dict[str, Mean]:
    return {metric: mean_of(values[:, column]) for column, metric in enumerate(METRICS)}


def _claims(ndcg: dict[str, Floats]) -> tuple[Claim, ...]:
    """The pairs whose difference is no chance, taken all together (Bonferroni)."""
    pairs = list(combinations(ndcg, 2))
    claims = []
    for one, other in pairs:
        difference = mean_of(ndcg[one] - ndcg[other], n_comparisons=len(pairs))
        if difference.value is None or difference.low is None or difference.high is None:
            continue
        if len(ndcg[one]) < FEWEST_CASES:
            continue
        if difference.low > 0:
            claims.append(Claim(one, other, difference.value, difference.low, difference.high))
        elif difference.high < 0:
            claims.append(Claim(other, one, -difference.value, -difference.high, -difference.low))
    return tuple(sorted(claims, key=lambda claim: -claim.difference))


def _notes(log: EventLog, cases: Sequence[Case], training: Sequence[Case], n_unreachable: int) -> list[str]:
    notes = []
    if log.has_impressions:
        notes.append("what each user was shown is ordered, by whether it was clicked or bought")
    else:
        notes.append(
            "the log has no impressions: every style of the earlier part is ordered, the trees learn from "
            "sampled negatives, and what a user never saw counts as not wanted"
        )
    if n_unreachable:
        notes.append(f"{n_unreachable:,} likes of styles that the earlier part never saw are out of reach")
    for name, given in (("judged by", cases), ("learned from", training)):
        if len(given) > MAX_CASES:
            notes.append(f"{MAX_CASES:,} of {len(given):,} users, drawn at random, were {name}")
    if len(cases) < FEWEST_CASES:
        notes.append(f"only {len(cases)} users to judge by: nothing is claimed below {FEWEST_CASES}")
    return notes
