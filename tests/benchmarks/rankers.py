"""Do trees, and do towers, pay on top of what the shop has? Logs of worlds whose truth is known.

python tests/benchmarks/rankers.py trees  [WORLD ...]   # LambdaRank on the online layer, as at night
python tests/benchmarks/rankers.py towers [WORLD ...]   # the torch towers in `personalize evaluate`

Styles are shown at random, to 1,000 shoppers, 60,000 times in 14 days, clicked at 5 %; 32 styles; seeds 1
to 3. Trees are judged on the last two days: gains in log loss and NDCG as the gate sees them, the off-policy
value it estimates, and the true click rate of the policy with and without them. Towers are judged on the
last fifth.
"""

import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from personalize.data.records import StyleOnOffer
from personalize.evaluate import compare_rankers
from personalize.features import StyleSpace
from personalize.features.history import column_us
from personalize.policy import Exploration, Rules, plan_styles
from personalize.retrain.challenge import challenge
from personalize.retrain.decisions import decision_rows, read_decisions
from personalize.retrain.training import latest_from, play, read_examples
from personalize.simulate.latent import WORLDS, LatentWorld

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, HELD_BACK, PAGE = 14, 2, 4
SEEDS = (1, 2, 3)
WINDOWS = {"half_life": timedelta(days=30), "attribution_window": timedelta(days=1)}


def world_of(name: str, seed: int) -> LatentWorld:
    shape = {"n_shoppers": 1000, "n_impressions": 60_000, "days": DAYS, "n_late": 0, "base_rate": 0.05}
    return LatentWorld(replace(WORLDS[name], page_size=PAGE, **shape), seed)


def log_of(world: LatentWorld, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Showings at random as `read_log` gives them, and the true chance of a click on every style, (n, S)."""
    rng, spec = np.random.default_rng([seed, 20]), world.spec
    parts, truth = [], []
    for done in range(0, spec.n_impressions, 100):
        visits = world.visits(done, 100)
        chances = world.chances(visits, done)
        style = rng.integers(spec.n_styles, size=len(visits))
        clicked, _ = world.clicks(chances, style)
        page = done // PAGE + np.arange(len(visits)) // PAGE
        at_us = visits.at_us + (page - page[0]) * 1_000_000
        columns = (visits.shoppers, visits.categories, visits.positions, style, clicked, page, at_us)
        parts.append(np.stack(columns, axis=1))
        truth.append(chances)
    user, category, position, style, clicked, page, at_us = np.concatenate(parts).T
    n = len(user)
    shown_at = pd.Series(pd.to_datetime(at_us, unit="us", utc=True)) + (
        START - datetime(1970, 1, 1, tzinfo=UTC)
    )
    shown_at = shown_at.astype("datetime64[us, UTC]")
    log = pd.DataFrame(
        {
            "impression_id": [f"i{row:08d}" for row in range(n)],
            "slate_id": [f"p{each}" for each in page],
            "user_id": [f"u{each}" for each in user],
            "product_id": [f"c{each}" for each in category],
            "category": [f"c{each}" for each in category],
            "style_id": [f"s{each:02d}" for each in style],
            "position": position,
            "shown_at": shown_at,
            "propensity": 1 / world.spec.n_styles,
            "policy": "random",
            "clicked_at": (shown_at + timedelta(seconds=20)).where(pd.Series(clicked > 0)),
            "purchased_at": pd.Series(pd.NaT, index=range(n)).dt.tz_localize("UTC").astype(shown_at.dtype),
        }
    )
    order = log.sort_values(["shown_at", "impression_id"]).index
    return log.loc[order].reset_index(drop=True), np.concatenate(truth)[order]


def trees(name: str, seed: int) -> str:
    world = world_of(name, seed)
    log, truth = log_of(world, seed)
    styles = [StyleOnOffer(f"s{k:02d}", "", tuple(look)) for k, look in enumerate(world.looks.tolist())]
    space, rules, as_of = StyleSpace.of(styles), Rules(), START + timedelta(days=DAYS)
    since = latest_from(column_us(log["shown_at"]), as_of=as_of, holdout_days=HELD_BACK)
    judged = decision_rows(log, space, since_us=since, rules=rules)
    played = play(log, space, **WINDOWS, keep=judged)
    window = WINDOWS["attribution_window"]
    decisions = read_decisions(log, space, played, judged, attribution_window=window, rules=rules)
    night = challenge(
        read_examples(log, space, **WINDOWS, played=played),
        None,
        as_of=as_of,
        holdout_days=HELD_BACK,
        seed=seed,
        decisions=decisions,
    )
    loss, ndcg = night.decision.gains[0], night.decision.gains[1]
    worth = night.decision.worth[0]
    value = (
        "cannot tell"
        if worth.effect is None
        else (
            f"{1000 * worth.effect:+.1f} "
            f"({1000 * (worth.ci_low or 0):+.1f} to {1000 * (worth.ci_high or 0):+.1f})"
        )
    )
    true = [
        1000 * (plan.propensities[:, :-1] * truth[judged]).sum(axis=1).mean()
        for plan in (
            plan_styles("personal", decisions.frame, ranker=ranker, exploration=Exploration())
            for ranker in (night.judged, None)
        )
    ]
    return (
        f"{name:15} seed {seed}: log loss {loss.value:+.2f} ({loss.low:+.2f} to {loss.high:+.2f}) millinats, "
        f"NDCG {ndcg.value:+.4f} ({ndcg.low:+.4f} to {ndcg.high:+.4f}) over {loss.over}; clicks per 1,000: "
        f"estimated {value}, true {true[0]:.1f} with trees, {true[1]:.1f} without; "
        f"{'promoted' if night.decision.promote else 'refused'}"
    )


def towers(name: str, seed: int) -> str:
    world = world_of(name, seed)
    log, _ = log_of(world, seed)
    looks = {f"s{k:02d}": look for k, look in enumerate(world.looks.tolist())}
    shown = log.rename(columns={"shown_at": "occurred_at"}).assign(type="impression")
    clicks = log[log["clicked_at"].notna()].assign(type="click", occurred_at=log["clicked_at"])
    names = ["user_id", "style_id", "product_id", "type", "occurred_at", "impression_id"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        pd.concat([shown[names], clicks[names]]).to_parquet(path)
        found = compare_rankers(path, towers=True, looks=looks, seed=seed)
    means = {name: each["ndcg"].value for name, each in found.models.items()}
    claims = [f"{c.better} > {c.worse}" for c in found.claims if "towers" in c.better + c.worse]
    return f"{name:15} seed {seed}: {json.dumps({k: round(v or 0, 4) for k, v in means.items()})} {claims}"


def main() -> None:
    which, *names = sys.argv[1:] or ["trees"]
    for name in names or ["plain", "tree", "clusters", "drift", "behaviour-only"]:
        for seed in SEEDS:
            print({"trees": trees, "towers": towers}[which](name, seed), flush=True)


if __name__ == "__main__":
    main()
