"""Logs of events whose structure is known, so that the right order of rankers is known too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 60


def _write(path: Path, user: Sequence[int], style: Sequence[int], day: np.ndarray, **columns: object) -> Path:
    rows = pd.DataFrame(
        {
            "user_id": [f"u{n}" for n in user],
            "style_id": [f"s{n}" for n in style],
            "product_id": "p",
            "type": "click",
            "occurred_at": [START + timedelta(days=float(each)) for each in day],
            **columns,
        }
    )
    rows.sort_values("occurred_at").to_parquet(path)
    return path


def co_occurring(path: Path, *, n_users: int = 500, n_styles: int = 300, seed: int = 0) -> Path:
    """Every user likes styles of two bundles of 15, each at most once; all are about equally popular."""
    rng = np.random.default_rng(seed)
    bundles = np.arange(n_styles).reshape(-1, 15)
    user, style = [], []
    for each in range(n_users):
        mine = bundles[rng.choice(len(bundles), 2, replace=False)].ravel()
        liked = rng.permutation(mine)[:20]
        user += [each] * len(liked)
        style += liked.tolist()
    return _write(path, user, style, rng.uniform(0, DAYS, len(user)))


def drifting(path: Path, *, n_users: int = 600, n_styles: int = 80, seed: int = 0) -> Path:
    """Nobody has a taste; each style has its season of a few days, all users click what is in season."""
    rng = np.random.default_rng(seed)
    n = n_users * 30
    day = rng.uniform(0, DAYS, n)
    season = rng.uniform(-10, DAYS + 10, n_styles)
    appeal = -0.5 * ((day[:, None] - season) / 6.0) ** 2
    style = np.argmax(appeal + rng.gumbel(size=appeal.shape), axis=1)
    return _write(path, rng.integers(n_users, size=n), style, day)


def tasteful(
    path: Path, *, n_users: int = 400, n_styles: int = 24, seed: int = 0, taste: float = 1.2
) -> Path:
    """Impressions of a policy that favours some styles at random; users click by their own lasting taste."""
    rng = np.random.default_rng(seed)
    n = n_users * 100
    user, day = rng.integers(n_users, size=n), rng.uniform(0, DAYS, n)
    favoured = rng.dirichlet(np.full(n_styles, 2.0))
    style = rng.choice(n_styles, size=n, p=favoured)
    likes = taste * rng.normal(size=(n_users, n_styles))
    clicked = rng.random(n) < 1 / (1 + np.exp(2.5 - likes[user, style]))
    ids = np.array([f"i{number}" for number in range(n)])
    rows = np.concatenate([np.arange(n), np.flatnonzero(clicked)])
    kind = ["impression"] * n + ["click"] * int(clicked.sum())
    later = np.concatenate([day, day[clicked] + 1e-4])
    return _write(path, user[rows], style[rows], later, type=kind, impression_id=ids[rows])


def without_structure(path: Path, *, n_users: int = 500, n_styles: int = 50, seed: int = 0) -> Path:
    """Clicks drawn evenly over users, styles and time."""
    rng = np.random.default_rng(seed)
    n = n_users * 30
    style = rng.integers(n_styles, size=n)
    return _write(path, rng.integers(n_users, size=n), style, rng.uniform(0, DAYS, n))
