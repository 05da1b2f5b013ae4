"""Rows for training and analysis, as the world stood at a given time."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import ColumnElement, Executable, String, func, select, type_coerce
from sqlalchemy.orm import Session

from personalize.data.schema import Click, Impression, Product, Purchase, Slate

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 50_000
TIME: Final = "datetime64[us, UTC]"
STORED = (
    "impression_id",
    "slate_id",
    "user_id",
    "product_id",
    "style_id",
    "position",
    "shown_at",
    "propensity",
    "policy",
    "model_version",
    "experiment",
    "variant",
)
DTYPES = {"position": "int64", "propensity": "float64"}


def read_log(session: Session, *, since: datetime, until: datetime) -> "pd.DataFrame":
    """One row an impression with since <= shown_at < until, in the order of (shown_at, impression_id).

    The log as it stood at `until`: what was clicked or bought at `until` or later is not in it.
    Each table is read by itself and joined here: a join of this size in SQL hangs on the planner's
    statistics, and took minutes on a PostgreSQL that had none yet.

    Returns:
        STORED and category, context (None where nothing was sent), clicked_at, purchased_at,
        n_purchases. Ids and names are text, position and n_purchases int64, propensity float64, the times
        datetime64[us, UTC]: clicked_at and purchased_at are the first, or NaT. experiment and variant are
        None outside an experiment.
    """
    log = _read_impressions(session, since, until)
    clicks = _read_first(session, Click.impression_id, Click.clicked_at, since, until)
    purchases = _read_first(session, Purchase.impression_id, Purchase.purchased_at, since, until)
    contexts = _read_contexts(session, since, until)
    log["context"] = np.array([*map(contexts.get, log["slate_id"]), None], dtype=object)[:-1]
    query = select(Product.product_id, Product.category)
    categories = {product_id: category for product_id, category in session.execute(query)}  # noqa: C416
    log["category"] = log["product_id"].map(categories).astype(object)
    log["clicked_at"] = log["impression_id"].map(clicks["first_at"]).astype(TIME)
    log["purchased_at"] = log["impression_id"].map(purchases["first_at"]).astype(TIME)
    log["n_purchases"] = log["impression_id"].map(purchases["n"]).fillna(0).astype("int64")
    return log.sort_values(["shown_at", "impression_id"], ignore_index=True)


def _read_contexts(session: Session, since: datetime, until: datetime) -> dict[str, dict[str, Any]]:
    """What was known of each slate, of those that anything was known of."""
    query = select(Slate.slate_id, Slate.context).where(Slate.served_at >= since, Slate.served_at < until)
    return {
        slate_id: context for rows in _partitions(session, query) for slate_id, context in rows if context
    }


def _read_impressions(session: Session, since: datetime, until: datetime) -> "pd.DataFrame":
    import pandas as pd

    columns = [getattr(Impression, name) for name in STORED]
    query = select(*(_raw(column) if column.key == "shown_at" else column for column in columns))
    query = query.where(Impression.shown_at >= since, Impression.shown_at < until)
    frames = [_impressions_frame(rows) for rows in _partitions(session, query)]
    return pd.concat(frames, ignore_index=True) if frames else _impressions_frame([])


def _impressions_frame(rows: Sequence[Any]) -> "pd.DataFrame":
    import pandas as pd

    values = zip(*rows, strict=True) if rows else [()] * len(STORED)
    return pd.DataFrame(
        {
            name: _times(column) if name == "shown_at" else pd.Series(column, dtype=DTYPES.get(name, object))
            for name, column in zip(STORED, values, strict=True)
        }
    )


def _read_first(
    session: Session, impression_id: Any, happened_at: Any, since: datetime, until: datetime
) -> "pd.DataFrame":
    """By impression_id: `first_at`, when it happened first, and `n`, how often."""
    import pandas as pd

    query = (
        select(impression_id, _raw(func.min(happened_at)), func.count())
        .where(happened_at >= since, happened_at < until)
        .group_by(impression_id)
    )
    rows = [row for partition in _partitions(session, query) for row in partition]
    ids, first_at, counts = zip(*rows, strict=True) if rows else ((), (), ())
    index = pd.Index(ids, dtype=object)
    return pd.DataFrame(
        {"first_at": _times(first_at).to_numpy(), "n": pd.Series(counts, dtype="int64").to_numpy()},
        index=index,
    )


def _partitions(session: Session, query: Executable) -> Any:
    return session.connection().execute(query, execution_options={"yield_per": CHUNK}).partitions()


def _raw(time: ColumnElement[Any]) -> ColumnElement[Any]:
    """The time as the driver gives it: a million are parsed faster at once than one by one."""
    return type_coerce(time, String)


def _times(values: Sequence[Any]) -> "pd.Series[Any]":
    """Times as a driver gives them, datetimes or ISO text in UTC, as datetime64[us, UTC]."""
    import pandas as pd

    parsed = pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601")
    return parsed.astype(TIME)
