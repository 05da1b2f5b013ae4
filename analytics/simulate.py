"""A/A and A/B data with a known answer.

Every simulated user has a click probability of their own, drawn from a beta distribution around the
variant's true click-through, and keeps it: this is what makes impressions of one user alike, and what
the binomial error overlooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.units import UnitDays, Units

FIRST_DAY = date(2030, 1, 1)


@dataclass(frozen=True)
class Shoppers:
    """How simulated users behave.

    Attributes:
        impressions_per_user: mean number of impressions; their spread is geometric.
        concentration: a + b of the beta distribution of click probabilities; lower means users differ
            more. At 20 and 20 impressions a user the variance of click-through is about 2.8 times
            the binomial one.
    """

    impressions_per_user: float = 20.0
    concentration: float = 20.0


def simulate_units(
    rng: np.random.Generator,
    n_users: int,
    ctr: Mapping[str, float],
    *,
    shares: Mapping[str, float] | None = None,
    shoppers: Shoppers = Shoppers(),
) -> Units:
    """One row per user after the whole experiment.

    Args:
        ctr: the true click-through of each variant, in (0, 1).
        shares: chance of each variant; equal without it.
    """
    variant, propensity = _assign(rng, n_users, ctr, shares, shoppers)
    impressions = rng.geometric(1.0 / shoppers.impressions_per_user, n_users)
    clicks = rng.binomial(impressions, propensity)
    return Units(_names(n_users), variant, {"clicks": clicks, "impressions": impressions})


def simulate_with_history(
    rng: np.random.Generator,
    n_users: int,
    ctr: Mapping[str, float],
    *,
    history: float = 1.0,
    shares: Mapping[str, float] | None = None,
    shoppers: Shoppers = Shoppers(),
) -> Units:
    """One row per user after the whole experiment, with what the user did before it, for CUPED.

    A user keeps a rate of impressions, exponential around `impressions_per_user`, and a click probability;
    before the experiment everybody clicks as in the first variant named. Users without impressions stay.

    Args:
        history: how many times as long as the experiment the time before it was watched.
    """
    variant, propensity = _assign(rng, n_users, ctr, shares, shoppers)
    before = next(iter(ctr.values()))
    lift = np.array([ctr[str(name)] for name in np.unique(variant)])[
        np.unique(variant, return_inverse=True)[1]
    ]
    rate = rng.exponential(shoppers.impressions_per_user, n_users)
    impressions, pre_impressions = rng.poisson(rate), rng.poisson(history * rate)
    columns = {
        "clicks": rng.binomial(impressions, propensity),
        "impressions": impressions,
        "pre_clicks": rng.binomial(pre_impressions, np.minimum(propensity * before / lift, 1.0)),
        "pre_impressions": pre_impressions,
    }
    return Units(_names(n_users), variant, columns)


def simulate_days(
    rng: np.random.Generator,
    n_users: int,
    ctr: Mapping[str, float],
    *,
    n_days: int = 14,
    shares: Mapping[str, float] | None = None,
    shoppers: Shoppers = Shoppers(),
) -> UnitDays:
    """One row per user and day with impressions: users arrive on any day and return until the last.

    A user's mean impressions a day is drawn once, so that one who arrives on the first day has
    `impressions_per_user` on average.
    """
    variant, propensity = _assign(rng, n_users, ctr, shares, shoppers)
    arrival = rng.integers(0, n_days, n_users)
    rate = rng.exponential(shoppers.impressions_per_user / n_days, n_users)
    day = np.arange(n_days)
    impressions = rng.poisson(rate[:, None] * (day >= arrival[:, None]))
    impressions[np.arange(n_users), arrival] += 1
    clicks = rng.binomial(impressions, propensity[:, None])
    user, on = np.nonzero(impressions)
    dates = np.array([(FIRST_DAY + timedelta(days=int(d))).isoformat() for d in day])
    columns = {"clicks": clicks[user, on], "impressions": impressions[user, on]}
    return UnitDays(_names(n_users)[user], variant[user], dates[on], columns)


def _assign(
    rng: np.random.Generator,
    n_users: int,
    ctr: Mapping[str, float],
    shares: Mapping[str, float] | None,
    shoppers: Shoppers,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Each user's variant and click probability."""
    names = np.array(list(ctr))
    weights = np.array([1.0 if shares is None else shares[name] for name in ctr])
    index = rng.choice(len(names), size=n_users, p=weights / weights.sum())
    mean = np.array(list(ctr.values()))[index]
    return names[index], rng.beta(mean * shoppers.concentration, (1.0 - mean) * shoppers.concentration)


def _names(n_users: int) -> NDArray[Any]:
    return np.char.add("user-", np.arange(n_users).astype(str))
