"""Logged decisions with all that could have been shown instead: what off-policy evaluation needs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from personalize.features import FeatureFrame, Requests, StyleSpace, build_features, relevance
from personalize.features.history import column_us
from personalize.features.runs import Floats, Ints
from personalize.models.calibration import Calibration
from personalize.models.popularity import Popularity
from personalize.models.ranker import Ranker
from personalize.policy import Exploration, plan_styles
from personalize.retrain.training import Played

if TYPE_CHECKING:
    import pandas as pd

MAX_DECISIONS = 50_000
"""Past this, whole users are left out: the frame holds every candidate of every decision."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """N logged decisions of policies that explored, with features of all S candidates of each.

    shown (N,) indexes the candidates; propensity (N,) is that of the style shown, below 1; reward (N,) is 1
    for a click inside the attribution window, else 0.
    """

    frame: FeatureFrame
    shown: Ints
    propensity: Floats
    reward: Floats
    user: Ints

    def __len__(self) -> int:
        return len(self.shown)


@dataclass(frozen=True, slots=True)
class Choices:
    """What two policies would have done in logged decisions, (N,) each.

    challenger, champion: probability with which each would have shown the logged style.
    predicted_reward: a model's chance of a click on the logged style; challenger_value, champion_value:
        the same averaged over what each policy would show.
    """

    reward: Floats
    propensity: Floats
    user: Ints
    challenger: Floats
    champion: Floats
    predicted_reward: Floats
    challenger_value: Floats
    champion_value: Floats


def decision_rows(log: "pd.DataFrame", space: StyleSpace, *, since_us: int) -> NDArray[np.bool_]:
    """(n,) the impressions of `since_us` or later whose policy left a choice; past a bound, of some users.

    A propensity of 1 says that there was no choice; such rows cannot speak for another policy. They are
    those of fixed policies, and imported ones without a propensity.
    """
    had_choice = (
        log["style_id"].isin(space.style_ids).to_numpy(dtype=np.bool_)
        & (log["propensity"] < 1).to_numpy(dtype=np.bool_)
        & (column_us(log["shown_at"]) >= since_us)
    )
    user = log["user_id"].factorize()[0]
    is_read: NDArray[np.bool_] = had_choice & (user % -(-max(int(had_choice.sum()), 1) // MAX_DECISIONS) == 0)
    return is_read


def read_decisions(
    log: "pd.DataFrame",
    space: StyleSpace,
    played: Played,
    is_read: NDArray[np.bool_],
    *,
    attribution_window: timedelta,
) -> Decisions:
    """The decisions of some rows, with what was known before each.

    Args:
        played: the log played through, with the beliefs of just these rows kept.
        is_read: (n,) as `decision_rows` gives it.
    """
    history = played.history
    rows = log[is_read]
    shown_us = column_us(rows["shown_at"])
    requests = Requests(tuple(rows["user_id"]), tuple(rows["category"]), shown_us)
    frame = build_features(history, requests, space, beliefs=played.replay.everything)
    index = {style_id: position for position, style_id in enumerate(space.style_ids)}
    return Decisions(
        frame,
        np.array(rows["style_id"].map(index), dtype=np.int64),
        rows["propensity"].to_numpy(dtype=np.float64),
        (relevance(rows, attribution_window=attribution_window) > 0).astype(np.float64),
        history.users.find(tuple(rows["user_id"])),
    )


def choices(
    decisions: Decisions,
    challenger: Ranker,
    champion: Ranker | None,
    *,
    exploration: Exploration,
    calibration: Calibration,
) -> Choices:
    """What both rankers would have done under the same exploration.

    Args:
        champion: None is the online layer alone, which serves while there is no champion.
        calibration: of popularity, which is the model of the reward; fitted on earlier days.
    """
    new, old = (_probabilities(ranker, decisions.frame, exploration) for ranker in (challenger, champion))
    odds = calibration.log_odds(Popularity().score(decisions.frame)).reshape(new.shape)
    chance = 1 / (1 + np.exp(-odds))
    logged = (np.arange(len(decisions)), decisions.shown)
    return Choices(
        decisions.reward,
        decisions.propensity,
        decisions.user,
        new[logged],
        old[logged],
        chance[logged],
        (new * chance).sum(axis=1),
        (old * chance).sum(axis=1),
    )


def _probabilities(ranker: Ranker | None, frame: FeatureFrame, exploration: Exploration) -> Floats:
    """Of the frame's candidates, (N, S); the original, which is none of them, is left out."""
    plan = plan_styles("personal", frame, ranker=ranker, exploration=exploration)
    return plan.propensities[:, : frame.n_candidates]
