"""A small shop, as frames and in a database, for what must come out the same from every source."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import sqlalchemy as sa
from analytics_dirty_logs import START, STOP

from analytics import Definition, Units
from analytics.sql.logs import CLICKS, EventLogs

SHARES = {"control": 0.5, "personal": 0.5}
DEFINITION = Definition("demo", SHARES, started_at=START, stopped_at=STOP)
LOGS = EventLogs(outcomes=(CLICKS,))


def world(seed: int = 0, n_users: int = 400) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Impressions, clicks and users: `personal` is clicked more, on mobile above all."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users), rng.integers(1, 12, n_users))
    variant = np.where(user % 2, "personal", "control")
    mobile = user % 3 == 0
    p = 0.1 + 0.08 * (variant == "personal") + 0.1 * ((variant == "personal") & mobile)
    at = pd.Timestamp(START) + pd.to_timedelta(rng.integers(0, 3 * 86_000, len(user)), "s")
    ids = [f"i{n}" for n in range(len(user))]
    shown = pd.DataFrame(
        {"impression_id": ids, "user": [f"u{n}" for n in user], "variant": variant, "shown_at": at}
    )
    clicked = np.flatnonzero(rng.random(len(user)) < p)
    clicks = pd.DataFrame(
        {
            "event_id": [f"c{n}" for n in clicked],
            "impression_id": [ids[n] for n in clicked],
            "clicked_at": at[clicked] + pd.Timedelta(seconds=5),
        }
    )
    everybody = np.arange(n_users)
    users = pd.DataFrame(
        {
            "user": [f"u{n}" for n in everybody],
            "device": np.where(everybody % 3 == 0, "mobile", "desktop"),
            "pre_clicks": rng.poisson(2, n_users),
        }
    )
    return shown, clicks, users


def units(clicks: dict[str, float], harm: dict[str, float], n: int = 3000) -> Units:
    """Users with one click or none, and a guardrail quantity."""
    rng = np.random.default_rng(5)
    variant = np.repeat(list(clicks), n)
    columns = {
        "clicks": rng.binomial(1, [clicks[v] for v in variant]),
        "impressions": np.ones(len(variant), np.int64),
        "visits": rng.poisson([harm[v] for v in variant]),
    }
    return Units(np.arange(len(variant)).astype(str), variant, columns)


def fill_shop(engine: sa.Engine) -> None:
    """`world` as tables of a shop, with a table of users."""
    shown, clicks, users = world()
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE impressions (impression_id VARCHAR PRIMARY KEY, user_id VARCHAR, variant VARCHAR, "
            "shown_at DATETIME, experiment VARCHAR)"
        )
        connection.exec_driver_sql(
            "CREATE TABLE clicks (event_id VARCHAR PRIMARY KEY, impression_id VARCHAR, clicked_at DATETIME)"
        )
        connection.exec_driver_sql(
            "CREATE TABLE experiments (name VARCHAR, variants JSON, started_at DATETIME)"
        )
        connection.exec_driver_sql(
            "INSERT INTO experiments VALUES (?, ?, ?)",
            ("demo", json.dumps(SHARES), "2030-01-01 00:00:00.000000"),
        )
    shown = shown.rename(columns={"user": "user_id"}).assign(experiment="demo")
    for name, frame, time in (("impressions", shown, "shown_at"), ("clicks", clicks, "clicked_at")):
        frame.assign(**{time: frame[time].dt.tz_localize(None)}).to_sql(
            name, engine, if_exists="append", index=False
        )
    users.rename(columns={"user": "user_id"}).to_sql("people", engine, index=False)
