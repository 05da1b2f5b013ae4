"""User and style towers in torch: what was liked before, and how a style looks, to one score.

    style_s = looks_s A + residual_s                       what a style is, (d,)
    user    = W tanh(sum_j w_j 2^(-age_j / half_life) style_j / sqrt(1 + n))    what was liked before
    score   = user . style_s + b_s

A user is nothing but a history, so a new user needs no training and an erased one leaves nothing behind.
With content vectors a style that nobody has seen has a place; its residual is what its look does not tell.
One thread and a seed of its own: the same rows give the same bits.

Source: two towers as in Covington et al., RecSys 2016, and Yi et al., RecSys 2019.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from personalize.features.runs import Floats, Ints

if TYPE_CHECKING:
    import torch

MAX_HISTORY = 50
"""Likes of a user that are looked at, the latest."""


@dataclass(frozen=True, slots=True)
class TowerSettings:
    """Size and pace, chosen by measurement on generated logs; `epochs` is chosen on each log."""

    width: int = 24
    epochs: int = 6
    batch: int = 512
    learning_rate: float = 0.01
    residual_decay: float = 1e-4
    n_negatives: int = 256


@dataclass(frozen=True, slots=True)
class Likes:
    """What users liked, (n,) each, sorted by user and time; weight: what a like is worth, more if bought."""

    user: Ints
    style: Ints
    at_us: Ints
    weight: Floats

    @staticmethod
    def of(user: Ints, style: Ints, at_us: Ints, weight: Floats) -> "Likes":
        order = np.lexsort((at_us, user))
        return Likes(user[order], style[order], at_us[order], weight[order])

    def before(self, users: Ints, at_us: Ints, half_life_us: float) -> "Histories":
        """The latest `MAX_HISTORY` likes of each user strictly before a moment, (m,)."""
        moments = np.unique(np.concatenate([self.at_us, at_us]))
        mine, asked = (
            user * len(moments) + np.searchsorted(moments, at)
            for user, at in ((self.user, self.at_us), (users, at_us))
        )
        first, stop = np.searchsorted(self.user, users), np.searchsorted(mine, asked)
        length = np.minimum(stop - first, MAX_HISTORY)
        offsets = np.cumsum(length) - length
        row = np.repeat(np.arange(len(users)), length)
        like = np.arange(int(length.sum())) - offsets[row] + (stop - length)[row]
        decay = np.exp2((self.at_us[like] - at_us[row]) / half_life_us)
        scale = 1 / np.sqrt(1.0 + length)
        return Histories(self.style[like], (decay * self.weight[like] * scale[row]), offsets, length)


@dataclass(frozen=True, slots=True)
class Histories:
    """m histories one after another: styles and weights of all their likes; offsets and lengths (m,)."""

    style: Ints
    weight: Floats
    offsets: Ints
    length: Ints

    def __len__(self) -> int:
        return len(self.offsets)

    def take(self, rows: NDArray[np.intp]) -> "Histories":
        length = self.length[rows]
        offsets = np.cumsum(length) - length
        at = np.repeat(np.arange(len(rows)), length)
        like = np.arange(int(length.sum())) - offsets[at] + self.offsets[rows][at]
        return Histories(self.style[like], self.weight[like], offsets, length)


class Towers:
    """Fitted towers.

    Args:
        histories: what each of n rows' users liked before.
        style: (n,) shown or liked; weight (n,): what a click or a purchase is worth, 0 for a showing that
            came to nothing. All rows above 0 are taken for a log without impressions: each style liked is
            then told from styles drawn at random.
        looks: (S, v) content vectors; with v = 0 a style is its residual alone.
    """

    def __init__(
        self,
        histories: Histories,
        style: Ints,
        weight: Floats,
        looks: Floats,
        settings: TowerSettings,
        *,
        seed: int,
    ) -> None:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            self._weights = _fit(histories, style, weight, looks, settings, seed)
        finally:
            torch.set_num_threads(threads)

    @property
    def tensors(self) -> "dict[str, torch.Tensor]":
        """The weights by name."""
        return self._weights

    def scores(self, histories: Histories) -> Floats:
        """(m, S) of every style for each history."""
        import torch

        with torch.no_grad():
            style = _style_tower(self._weights)
            user = _user_tower(self._weights, style, histories)
            scores = user @ style.T + self._weights["bias"]
        return scores.numpy().astype(np.float64)


def _fit(
    histories: Histories,
    style: Ints,
    weight: Floats,
    looks: Floats,
    settings: TowerSettings,
    seed: int,
) -> "dict[str, torch.Tensor]":
    import torch

    random, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    weights = _initial(looks, settings.width, random)
    learned = [weights[name].requires_grad_() for name in ("A", "W", "residual", "bias")]
    optimizer = torch.optim.Adam(learned, lr=settings.learning_rate)
    is_shown = bool((weight == 0).any())
    rows_of = np.arange(len(style)) if is_shown else np.flatnonzero(weight > 0)
    for _ in range(settings.epochs):
        order = rng.permutation(rows_of)
        for start in range(0, len(order), settings.batch):
            rows = order[start : start + settings.batch]
            towers = _style_tower(weights)
            user = _user_tower(weights, towers, histories.take(rows))
            target = torch.from_numpy(style[rows])
            worth = torch.from_numpy(weight[rows].astype(np.float32))
            if is_shown:
                loss = _shown_loss(weights, towers, user, target, worth)
            else:
                drawn = torch.from_numpy(rng.integers(len(towers), size=settings.n_negatives))
                loss = _sampled_loss(weights, towers, user, target, worth, drawn)
            loss = loss + settings.residual_decay * (weights["residual"] ** 2).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return {name: value.detach() for name, value in weights.items()}


def _initial(looks: Floats, width: int, random: "torch.Generator") -> "dict[str, torch.Tensor]":
    import torch

    n_styles, n_looks = looks.shape

    def normal(*shape: int, scale: float) -> Any:
        return scale * torch.randn(*shape, generator=random)

    return {
        "looks": torch.from_numpy(looks.astype(np.float32)),
        "A": normal(n_looks, width, scale=max(n_looks, 1) ** -0.5),
        "W": normal(width, width, scale=width**-0.5),
        "residual": normal(n_styles, width, scale=0.1),
        "bias": torch.zeros(n_styles),
    }


def _style_tower(weights: "dict[str, torch.Tensor]") -> "torch.Tensor":
    return weights["looks"] @ weights["A"] + weights["residual"]


def _user_tower(
    weights: "dict[str, torch.Tensor]", towers: "torch.Tensor", histories: Histories
) -> "torch.Tensor":
    import torch
    from torch.nn import functional as F

    liked = F.embedding_bag(
        torch.from_numpy(histories.style),
        towers,
        torch.from_numpy(histories.offsets),
        mode="sum",
        per_sample_weights=torch.from_numpy(histories.weight.astype(np.float32)),
    )
    return torch.tanh(liked) @ weights["W"]


def _shown_loss(
    weights: "dict[str, torch.Tensor]",
    towers: "torch.Tensor",
    user: "torch.Tensor",
    target: "torch.Tensor",
    worth: "torch.Tensor",
) -> "torch.Tensor":
    """Logistic loss of what was shown; a purchase weighs as the clicks it is worth."""
    from torch.nn import functional as F

    scores = (user * towers[target]).sum(dim=1) + weights["bias"][target]
    is_liked = (worth > 0).to(scores.dtype)
    return F.binary_cross_entropy_with_logits(scores, is_liked, worth.clamp(min=1.0))


def _sampled_loss(
    weights: "dict[str, torch.Tensor]",
    towers: "torch.Tensor",
    user: "torch.Tensor",
    target: "torch.Tensor",
    worth: "torch.Tensor",
    drawn: "torch.Tensor",
) -> "torch.Tensor":
    """Cross entropy of the style liked among itself and styles drawn evenly; itself is not drawn against."""
    import torch
    from torch.nn import functional as F

    own = (user * towers[target]).sum(dim=1) + weights["bias"][target]
    others = user @ towers[drawn].T + weights["bias"][drawn]
    others = others.masked_fill(drawn[None, :] == target[:, None], -1e9)
    logits = torch.cat([own[:, None], others], dim=1)
    losses = F.cross_entropy(logits, torch.zeros_like(target), reduction="none")
    return (losses * worth).sum() / worth.sum()
