"""Impressions with the time that each page took; users have a speed of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd


def impressions(
    n_users: int = 400, per_user: int = 20, *, slower: float = 1.0, seed: int = 0, rounded_to: float = 0.0
) -> pd.DataFrame:
    """One row an impression; `new` takes `slower` times as long as `control`, and is clicked more."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users), per_user)
    is_new = user % 2 == 1
    times = np.exp(rng.normal(6.0, 0.5, n_users)[user] + rng.normal(0.0, 0.5, len(user)))
    times *= np.where(is_new, slower, 1.0)
    return pd.DataFrame(
        {
            "user": [f"u{n}" for n in user],
            "variant": np.where(is_new, "new", "control"),
            "clicked": rng.random(len(user)) < np.where(is_new, 0.2, 0.1),
            "page_ms": np.round(times / rounded_to) * rounded_to if rounded_to else times,
            "device": np.where(user % 3, "phone", "tv"),
        }
    )
