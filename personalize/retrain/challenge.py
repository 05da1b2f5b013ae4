"""One night in memory: examples in, a challenger, its evaluation and the gate's decision out."""

from dataclasses import dataclass
from datetime import datetime

from personalize.features.history import microseconds
from personalize.models.artifact import version_of
from personalize.models.believer import Believer
from personalize.models.boosting import BoostingSettings, Grower, LocalGrower
from personalize.models.calibration import AS_IS, Calibration, fit_calibration
from personalize.models.popularity import Popularity
from personalize.models.ranker import Ranker
from personalize.models.reasons import FEATURE_WORDS
from personalize.models.scorer import Scorer
from personalize.policy import Exploration
from personalize.retrain.decisions import Decisions, choices
from personalize.retrain.evaluation import Evaluation, evaluate
from personalize.retrain.gate import MIN_HOLDOUT_CLICKS, GateDecision, Match, judge
from personalize.retrain.training import Examples, by_slate, holdout_start

MIN_TRAINING_CLICKS = 100
"""Clicks below which no ranker is trained."""

WATCHED_SHARE = 4
"""One user in this many is watched, not learned from, to find how many trees help."""

CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class Champion:
    """The ranker that serves, and the moment up to which it has seen what happened."""

    ranker: Ranker
    trained_until: datetime


@dataclass(frozen=True, slots=True)
class Challenge:
    """What came of a night: `ranker` is None when there was too little to train one.

    judged: the one trained without the held-back days, which the decision is about; `ranker` is refitted.
    """

    ranker: Ranker | None
    holdout_from_us: int
    evaluations: tuple[Evaluation, ...]
    decision: GateDecision
    judged: Ranker | None = None


def challenge(
    examples: Examples,
    champion: Champion | None,
    *,
    as_of: datetime,
    holdout_days: int,
    seed: int,
    settings: BoostingSettings | None = None,
    decisions: Decisions | None = None,
    exploration: Exploration | None = None,
    needs_support: bool = False,
    grower: Grower | None = None,
) -> Challenge:
    """Train a challenger on the earlier days and judge it on the latest.

    What is judged is trained on the days before the held-back ones, with one user in four watched to
    find how many trees help. What is returned, to serve if the gate agrees, is refitted on all days and
    all users with that many trees; it keeps the calibration of the judged one, fitted on the watched.

    Two bars stand on the same rows, each calibrated like the challenger: the online layer, which serves
    where there is no ranker, and popularity. The champion is compared on held-back rows that it has not
    seen either. It has seen none when it comes from the night before; it has seen them all when the same
    night is run again, and then only the bars count.

    Args:
        decisions: held-back decisions with all their candidates, for the off-policy value against what
            serves now; None leaves it out.
        exploration: of the policy that would use the ranker.
        needs_support: refuse a challenger whose off-policy value the log cannot support.
        grower: of the trees; None grows them in this process.
    """
    settings, grower = settings or BoostingSettings(), grower or LocalGrower()
    split = holdout_start(examples, as_of=as_of, holdout_days=holdout_days)
    earlier, latest = examples.take(examples.shown_us < split), examples.take(examples.shown_us >= split)
    watched = earlier.user % WATCHED_SHARE == 0
    learning, watching = earlier.take(~watched), earlier.take(watched)
    if min(learning.n_clicks, watching.n_clicks * (WATCHED_SHARE - 1)) < MIN_TRAINING_CLICKS:
        return Challenge(None, split, (), _too_few(earlier))
    text, n_trees = grower.grow_until_useless(by_slate(learning), by_slate(watching), settings, seed=seed)
    calibration = _calibrated(Ranker(CHALLENGER, text, AS_IS), watching)
    judged = Ranker(CHALLENGER, text, calibration)
    online_calibration = _calibrated(Believer(), watching)
    rows = by_slate(latest)
    new = evaluate(judged, rows)
    bars = (
        Match(new, evaluate(Believer(), rows, online_calibration)),
        Match(new, evaluate(Popularity(), rows, _calibrated(Popularity(), watching))),
    )
    against_champion = _match_with_champion(judged, champion, latest)
    chosen = None
    if decisions is not None and len(decisions):
        chosen = choices(
            decisions,
            judged,
            champion.ranker if against_champion is not None and champion is not None else None,
            exploration=exploration or Exploration(),
            calibration=online_calibration,
        )
    decision = judge(bars, against_champion, chosen, seed=seed, needs_support=needs_support)
    refitted = grower.grow_trees(by_slate(examples), settings, n_trees=n_trees, seed=seed)
    ranker = Ranker(version_of(refitted, calibration, as_of), refitted, calibration)
    evaluations = [new, *(match.other for match in bars)]
    if against_champion is not None:
        evaluations.append(against_champion.other)
    return Challenge(ranker, split, tuple(evaluations), decision, judged)


def learned(ranker: Ranker, top: int = 3) -> tuple[str, ...]:
    """What a ranker goes by, as sentences: how far it trusts the prior, and where its trees depart."""
    sentences = [
        "what everybody clicks and what the user clicked before tell which style is clicked next; "
        f"the ranker believes them at {ranker.calibration.slope:.0%}"
    ]
    strongest = sorted(ranker.importances().items(), key=lambda item: -item[1])[:top]
    sentences += [
        f"{share:.0%} of what its {ranker.n_trees} trees add to that: {FEATURE_WORDS.get(name, name)}"
        for name, share in strongest
        if share > 0
    ]
    return tuple(sentences)


def _calibrated(scorer: Scorer, unseen: Examples) -> Calibration:
    return fit_calibration(scorer.score(unseen.frame), unseen.relevance > 0)


def _match_with_champion(judged: Ranker, champion: Champion | None, latest: Examples) -> Match | None:
    """Both on the held-back rows that the champion has not seen.

    None when there is no champion, when it was made for other features, which no frame of today can
    feed, or when it has seen all but a few clicks.
    """
    if champion is None or champion.ranker.feature_names != latest.frame.names:
        return None
    unseen = latest.take(latest.shown_us >= microseconds(champion.trained_until))
    if unseen.n_clicks < MIN_HOLDOUT_CLICKS:
        return None
    rows = by_slate(unseen)
    return Match(evaluate(judged, rows), evaluate(champion.ranker, rows))


def _too_few(earlier: Examples) -> GateDecision:
    return GateDecision(
        False,
        (
            f"too few clicks to train a ranker: {earlier.n_clicks} on {len(earlier)} impressions, "
            f"{MIN_TRAINING_CLICKS} are needed on either side of the split; what serves goes on serving",
        ),
    )
