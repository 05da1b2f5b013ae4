"""Shoppers who look at ranked lists, with a known answer: the same two rankers interleaved, or split A/B.

A list holds items of differing quality, which both rankers see through noise, in part the same noise
because they learned from the same log. Shoppers differ in how often they click and how often they
come, and look less at what stands further down. The better ranker has less noise of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.interleaving import Credits, team_draft
from analytics.units import Units

CODES = {None: 0, "a": 1, "b": 2}


@dataclass(frozen=True)
class RankerWorld:
    """What happens when a list is shown.

    Attributes:
        noise_a, noise_b: standard deviation of what each ranker adds to an item's quality, whose own
            standard deviation is 1; the lower, the better.
        shared_noise: standard deviation of the noise that both have in common.
        lists_per_user: mean number of lists a user sees; their spread is geometric.
        shown: items in a list, out of `n_items`.
        click_rate, concentration: of a mean item in the first place: the mean over users, and a + b of
            the beta distribution around it.
        slope: of log click rate in quality; decay: exponent with which looking falls with the position.
    """

    noise_a: float = 0.9
    noise_b: float = 0.6
    shared_noise: float = 0.5
    lists_per_user: float = 2.0
    n_items: int = 40
    shown: int = 10
    click_rate: float = 0.05
    concentration: float = 20.0
    slope: float = 0.6
    decay: float = 0.7


@dataclass(frozen=True)
class _Lists:
    """Lists to come: the user of each, item qualities, and what each ranker would show."""

    user: NDArray[np.intp]
    click_rate: NDArray[np.float64]
    quality: NDArray[np.float64]
    by_a: NDArray[np.intp]
    by_b: NDArray[np.intp]


def simulate_interleaved(
    rng: np.random.Generator, n_users: int, world: RankerWorld = RankerWorld(), *, salt: str = "simulated"
) -> Credits:
    """Every user sees both rankers, drafted into one list."""
    lists = _draw(rng, n_users, world)
    shown = np.empty_like(lists.by_a)
    team = np.zeros(shown.shape, dtype=np.int8)
    for i, (a, b) in enumerate(zip(lists.by_a.tolist(), lists.by_b.tolist(), strict=True)):
        draft = team_draft(a, b, key=f"{salt}:{i}", length=world.shown)
        shown[i] = draft.items
        team[i] = [CODES[one] for one in draft.teams]
    clicked = _click(rng, lists, shown, world)
    per_team = [
        np.bincount(lists.user, np.sum(clicked & (team == code), axis=1), n_users).astype(np.int64)
        for code in (CODES["a"], CODES["b"])
    ]
    return Credits(np.arange(n_users), *per_team)


def simulate_split(rng: np.random.Generator, n_users: int, world: RankerWorld = RankerWorld()) -> Units:
    """Every user sees one of the rankers: the usual A/B test, variants "a" and "b"."""
    lists = _draw(rng, n_users, world)
    is_b = rng.random(n_users) < 0.5
    shown = np.where(is_b[lists.user][:, None], lists.by_b, lists.by_a)
    clicks = np.bincount(lists.user, _click(rng, lists, shown, world).sum(axis=1), n_users).astype(np.int64)
    impressions = np.bincount(lists.user, minlength=n_users) * world.shown
    return Units(np.arange(n_users), np.where(is_b, "b", "a"), {"clicks": clicks, "impressions": impressions})


def _draw(rng: np.random.Generator, n_users: int, world: RankerWorld) -> _Lists:
    user = np.repeat(np.arange(n_users), rng.geometric(1.0 / world.lists_per_user, n_users))
    mean = world.click_rate * world.concentration
    click_rate = rng.beta(mean, world.concentration - mean, n_users)
    quality = rng.normal(size=(len(user), world.n_items))
    seen = quality + world.shared_noise * rng.normal(size=quality.shape)

    def ranked(noise: float) -> NDArray[Any]:
        return np.argsort(-(seen + noise * rng.normal(size=seen.shape)), axis=1)[:, : world.shown]

    return _Lists(user, click_rate, quality, ranked(world.noise_a), ranked(world.noise_b))


def _click(
    rng: np.random.Generator, lists: _Lists, shown: NDArray[np.intp], world: RankerWorld
) -> NDArray[np.bool_]:
    quality = np.take_along_axis(lists.quality, shown, axis=1)
    looked = np.arange(1.0, world.shown + 1.0) ** -world.decay
    appeal = np.exp(world.slope * quality - world.slope**2 / 2.0)
    return np.asarray(rng.random(shown.shape) < lists.click_rate[lists.user][:, None] * appeal * looked)
