"""Logs in the shape of `read_log` that need no database, and the styles and products of small worlds."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import pandas as pd

from personalize.data.records import CatalogueProduct, StyleOnOffer
from personalize.data.schema import ORIGINAL

START = datetime(2026, 3, 2, tzinfo=UTC)
TIME = "datetime64[us, UTC]"
_numbers = count(1)


def styles_on_offer(n: int = 16, *, width: int = 16, seed: int = 0) -> list[StyleOnOffer]:
    """Styles with random content vectors, and the original."""
    rng = np.random.default_rng([seed, 99])
    vectors = rng.normal(size=(n, width)) * (np.arange(width) + 1.0) ** -0.5
    styles = [
        StyleOnOffer(f"style-{i:02d}", f"Style {i}", tuple(map(float, vector)))
        for i, vector in enumerate(vectors)
    ]
    return [*styles, StyleOnOffer(ORIGINAL, "Original", (0.0,) * width)]


def products_on_offer(n: int = 32, n_categories: int = 8) -> list[CatalogueProduct]:
    return [
        CatalogueProduct(f"product-{i}", f"Product {i}", f"category-{i % n_categories}", "0" * 64, 640, 640)
        for i in range(n)
    ]


def impression(
    user_id: str = "ada",
    style_id: str = "style-00",
    *,
    hours: float = 0.0,
    clicked_after: float | None = None,
    purchased_after: float | None = None,
    **values: Any,
) -> dict[str, Any]:
    """One row, `hours` after `START`; clicked and purchased that many hours after it was shown."""
    shown_at = START + timedelta(hours=hours)
    number = next(_numbers)
    row = {
        "impression_id": f"impression-{number:06d}",
        "slate_id": f"slate-{number}",
        "user_id": user_id,
        "product_id": "product-0",
        "category": "category-0",
        "style_id": style_id,
        "position": 0,
        "shown_at": shown_at,
        "propensity": 0.5,
        "policy": "popular",
        "model_version": "popularity",
        "experiment": None,
        "variant": None,
        "clicked_at": _after(shown_at, clicked_after),
        "purchased_at": _after(shown_at, purchased_after),
        "n_purchases": 0 if purchased_after is None else 1,
    }
    return row | values


def log_of(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    log = pd.DataFrame(list(rows)).sort_values(["shown_at", "impression_id"], ignore_index=True)
    for column in ("shown_at", "clicked_at", "purchased_at"):
        log[column] = pd.to_datetime(log[column], utc=True).astype(TIME)
    return log


def _after(shown_at: datetime, hours: float | None) -> Any:
    return pd.NaT if hours is None else shown_at + timedelta(hours=hours)
