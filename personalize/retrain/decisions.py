"""Logged decisions with all that could have been shown instead: what off-policy evaluation needs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from personalize.data.events import EXCLUDED_STYLES
from personalize.data.schema import ORIGINAL
from personalize.features import FeatureFrame, Requests, StyleSpace, build_features, relevance
from personalize.features.beliefs import Scores
from personalize.features.history import column_us
from personalize.features.online import Foresight
from personalize.features.runs import Floats, Ints
from personalize.models.calibration import Calibration
from personalize.models.ranker import Ranker
from personalize.policy import Exploration, Rules, plan_styles
from personalize.retrain.training import Played

if TYPE_CHECKING:
    import pandas as pd

MAX_DECISIONS = 50_000
"""Past this, whole users are left out: the frame holds every candidate of every decision."""

BLEND = "blend"
"""A policy that shows mixtures: what came of one says nothing of a single style."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Decisions:
    """N logged decisions of policies that explored, with all K = S + 1 candidates, the original last.

    shown (N,) indexes the candidates; allowed (N, K): those that could have been shown there and then.
    propensity (N,) is that of what was shown, below 1; reward (N,) is 1 for a click inside the attribution
    window, else 0.
    """

    frame: FeatureFrame
    shown: Ints
    allowed: Mask
    propensity: Floats
    reward: Floats
    user: Ints

    def __len__(self) -> int:
        return len(self.shown)


@dataclass(frozen=True, slots=True)
class Choices:
    """What two policies would have done in logged decisions, (N,) each.

    challenger, champion: probability with which each would have shown what was shown.
    predicted_reward: a model's chance of a click on it; challenger_value, champion_value: the same averaged
        over what each policy would show.
    """

    reward: Floats
    propensity: Floats
    user: Ints
    challenger: Floats
    champion: Floats
    predicted_reward: Floats
    challenger_value: Floats
    champion_value: Floats


def decision_rows(log: "pd.DataFrame", space: StyleSpace, *, since_us: int, rules: Rules) -> Mask:
    """(n,) the impressions of `since_us` or later whose policy left a choice; past a bound, of some users.

    A propensity of 1 says that there was no choice; such rows cannot speak for another policy. They are
    those of fixed policies, and imported ones without a propensity.
    """
    candidates = [*space.style_ids, *([ORIGINAL] if rules.offers_original else [])]
    had_choice = (
        log["style_id"].isin(candidates).to_numpy(dtype=np.bool_)
        & (log["propensity"] < 1).to_numpy(dtype=np.bool_)
        & (log["policy"] != BLEND).to_numpy(dtype=np.bool_)
        & (column_us(log["shown_at"]) >= since_us)
    )
    user = log["user_id"].factorize()[0]
    is_read: Mask = had_choice & (user % -(-max(int(had_choice.sum()), 1) // MAX_DECISIONS) == 0)
    return is_read


def read_decisions(
    log: "pd.DataFrame",
    space: StyleSpace,
    played: Played,
    is_read: Mask,
    *,
    attribution_window: timedelta,
    rules: Rules,
) -> Decisions:
    """The decisions of some rows, with what was known before each and what could have been shown.

    Rows whose style the rules no longer allow there are left out: no policy of today would show it.

    Args:
        played: the log played through, with the beliefs of just these rows kept.
        is_read: (n,) as `decision_rows` gives it.
        rules: as of each row's day; with them the shopper's own exclusions and the cap of the page.
    """
    rows = log[is_read]
    every = (*space.style_ids, ORIGINAL)
    index = {style_id: position for position, style_id in enumerate(every)}
    shown = np.array(rows["style_id"].map(index), dtype=np.int64)
    allowed = _allowed(log, is_read, space.style_ids, rules)
    was_allowed = allowed[np.arange(len(rows)), shown]
    beliefs = played.replay.everything.take(was_allowed)
    rows = rows[was_allowed]
    requests = Requests(tuple(rows["user_id"]), tuple(rows["category"]), column_us(rows["shown_at"]))
    of_styles = Foresight(beliefs.log_odds[:, :-1], beliefs.spread[:, :-1])
    frame = build_features(played.history, requests, space, beliefs=of_styles)
    nothing_new = np.zeros(len(every), dtype=np.bool_)
    return Decisions(
        replace(frame, beliefs=Scores(0.0, beliefs.log_odds[None], beliefs.spread, nothing_new)),
        shown[was_allowed],
        allowed[was_allowed],
        rows["propensity"].to_numpy(dtype=np.float64),
        (relevance(rows, attribution_window=attribution_window) > 0).astype(np.float64),
        played.history.users.find(tuple(rows["user_id"])),
    )


def _allowed(log: "pd.DataFrame", is_read: Mask, style_ids: tuple[str, ...], rules: Rules) -> Mask:
    """(N, S + 1) what the rules, the shopper and the page above left to choose from."""
    rows = log[is_read]
    kept: dict[tuple[Any, ...], Mask] = {}
    masks = []
    for product_id, category, shown_at, excluded in zip(
        rows["product_id"], rows["category"], rows["shown_at"], _excluded(rows), strict=True
    ):
        moment: datetime = shown_at.to_pydatetime()
        key = (product_id, category, moment.date(), excluded)
        if key not in kept:
            kept[key] = rules.allowed(style_ids, product_id, category or "", moment, excluded)
        masks.append(kept[key])
    allowed = np.array(masks, dtype=np.bool_).reshape(len(rows), len(style_ids) + 1)
    if rules.max_per_page is not None:
        allowed[:, :-1] &= _shown_above(log, is_read, style_ids) < rules.max_per_page
    return allowed


def _excluded(rows: "pd.DataFrame") -> list[frozenset[str]]:
    contexts = rows["context"].tolist() if "context" in rows else [None] * len(rows)
    named = [context.get(EXCLUDED_STYLES) if isinstance(context, Mapping) else None for context in contexts]
    return [frozenset(styles) if isinstance(styles, list) else frozenset() for styles in named]


def _shown_above(log: "pd.DataFrame", is_read: Mask, style_ids: tuple[str, ...]) -> Ints:
    """(N, S) how often each style stands above on the same page."""
    number = np.cumsum(is_read) - 1
    above = np.zeros((int(is_read.sum()), len(style_ids)), dtype=np.int64)
    index = {style_id: position for position, style_id in enumerate(style_ids)}
    pages = log[log["slate_id"].isin(log["slate_id"][is_read])].sort_values("position", kind="stable")
    counts: dict[str, Counter[int]] = {}
    for row, slate_id, style_id in zip(pages.index, pages["slate_id"], pages["style_id"], strict=True):
        count = counts.setdefault(slate_id, Counter())
        if is_read[row]:
            above[number[row], list(count)] = list(count.values())
        if style_id in index:
            count[index[style_id]] += 1
    return above


def choices(
    decisions: Decisions,
    challenger: Ranker,
    champion: Ranker | None,
    *,
    exploration: Exploration,
    calibration: Calibration,
) -> Choices:
    """What both rankers would have done under the same exploration, among the same candidates.

    Args:
        champion: None is the online layer alone, which serves while there is no champion.
        calibration: of the online layer, which is the model of the reward; fitted on earlier days.
    """
    new, old = (
        plan_styles(
            "personal", decisions.frame, ranker=ranker, exploration=exploration, allowed=decisions.allowed
        ).propensities
        for ranker in (challenger, champion)
    )
    assert decisions.frame.beliefs is not None
    chance = 1 / (1 + np.exp(-calibration.log_odds(decisions.frame.beliefs.log_odds)))
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
