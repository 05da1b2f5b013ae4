"""What a night costs: `python tests/benchmarks/retrain.py [IMPRESSIONS ...]`, default 100000 1000000.

For each size a shop of that many impressions is written to SQLite (50 a user, 8 a page, 16 styles, 30 days,
5 % click-through), then `personalize retrain` runs twice in processes of their own, from the same data.
Printed: CPU and wall seconds, peak memory, whether the second night gave the same bits, and the growth
against n log n, all from one run.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from personalize.data.catalogue import register_styles
from personalize.data.database import open_database, table_of, upgrade, writing
from personalize.data.records import StyleOnOffer
from personalize.data.schema import Click, Impression, Product, Purchase, Slate, User
from personalize.settings import Settings

DAYS, PAGE, PER_USER, N_STYLES, N_PRODUCTS = 30, 8, 50, 16, 240
START = datetime(2026, 3, 2, tzinfo=UTC)
AS_OF = START + timedelta(days=DAYS)
CHUNK = 20_000
NIGHT = (
    "import sys; from datetime import datetime; from pathlib import Path\n"
    "from personalize.data.database import open_database; from personalize.retrain import retrain\n"
    "from personalize.settings import Settings\n"
    "s = Settings(data_dir=Path(sys.argv[1])); e = open_database(s.resolved_database_url)\n"
    "import json, resource\n"
    "r = retrain(e, s, as_of=datetime.fromisoformat(sys.argv[2]), seed=0)\n"
    "u = resource.getrusage(resource.RUSAGE_SELF)\n"
    "print(json.dumps([r.model_version, r.verdict, r.seconds, u.ru_utime + u.ru_stime, u.ru_maxrss / 1024]))"
)


@dataclass
class Night:
    model_version: str
    verdict: str
    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


def write_shop(data_dir: Path, n: int, seed: int = 0) -> None:
    """A log of `n` impressions whose users differ in taste; styles are shown by a fixed, known policy."""
    settings = Settings(data_dir=data_dir)
    upgrade(settings.resolved_database_url)
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(N_STYLES, 8))
    styles = [StyleOnOffer(f"style-{k:02d}", f"Style {k}", tuple(v)) for k, v in enumerate(vectors.tolist())]
    n_users, n_pages = n // PER_USER, n // PAGE
    taste = rng.normal(size=(n_users, 8)) @ vectors.T / np.sqrt(8)
    page_user = rng.integers(n_users, size=n_pages)
    page_at = np.sort(rng.uniform(0, DAYS * 86_400, n_pages))
    engine = open_database(settings.resolved_database_url)
    with writing(engine) as session:
        register_styles(session, styles, START)
        session.execute(insert(table_of(Product)), [_product(i) for i in range(N_PRODUCTS)])
        session.execute(
            insert(table_of(User)), [{"user_id": f"u{u}", "created_at": START} for u in range(n_users)]
        )
    for start in range(0, n_pages, CHUNK):
        rows = slice(start, start + CHUNK)
        with writing(engine) as session:
            _write_pages(session, rng, start, page_user[rows], page_at[rows], taste)
    engine.dispose()


def _product(i: int) -> dict[str, object]:
    photo = {
        "photo_sha256": f"{i:064x}",
        "width_px": 64,
        "height_px": 64,
        "added_at": START,
        "updated_at": START,
    }
    return {"product_id": f"p{i}", "title": f"P{i}", "category": f"c{i % 12}", **photo}


def _write_pages(session, rng, first, users, moments, taste) -> None:  # type: ignore[no-untyped-def]
    size = len(users) * PAGE
    style, product = rng.integers(N_STYLES, size=size), rng.integers(N_PRODUCTS, size=size)
    user = np.repeat(users, PAGE)
    chance = 1 / (1 + np.exp(3.4 - taste[user, style]))
    clicked = rng.random(size) < chance
    bought = clicked & (rng.random(size) < 0.1)
    at = [START + timedelta(seconds=float(t)) for t in moments]
    slates = [
        {"slate_id": f"s{first + i}", "user_id": f"u{u}", "served_at": at[i], "context": {}}
        for i, u in enumerate(users)
    ]
    session.execute(insert(table_of(Slate)), slates)
    fixed = {"propensity": 1 / N_STYLES, "policy": "random", "model_version": "none", "experiment": None}
    session.execute(
        insert(table_of(Impression)),
        [
            {
                "impression_id": f"i{first * PAGE + i}",
                "slate_id": f"s{first + i // PAGE}",
                "user_id": f"u{user[i]}",
                "product_id": f"p{product[i]}",
                "style_id": f"style-{style[i]:02d}",
                "position": i % PAGE,
                "shown_at": at[i // PAGE],
                "variant": None,
                **fixed,
            }
            for i in range(size)
        ],
    )
    for table, rows, column in ((Click, clicked, "clicked_at"), (Purchase, bought, "purchased_at")):
        events = [
            {
                "event_id": f"{column}{first * PAGE + i}",
                "impression_id": f"i{first * PAGE + i}",
                column: at[i // PAGE] + timedelta(seconds=20),
                "received_at": AS_OF,
                **({"value": Decimal(10), "currency": "EUR"} if table is Purchase else {}),
            }
            for i in np.flatnonzero(rows).tolist()
        ]
        session.execute(insert(table_of(table)), events)


def run_night(data_dir: Path) -> Night:
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", NIGHT, str(data_dir), AS_OF.isoformat()]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return Night(*json.loads(answer.stdout.splitlines()[-1]))


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or [100_000, 1_000_000]
    nights: list[Night] = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            write_shop(Path(folder), n)
            written = time.monotonic() - started
            first, again = run_night(Path(folder)), run_night(Path(folder))
        same = "the same bits" if first.model_version == again.model_version else "OTHER BITS"
        print(
            f"{n:>12,} impressions: {first.wall_seconds:.1f} s wall, {first.cpu_seconds:.1f} s CPU, "
            f"{first.peak_mib:,.0f} MiB, {first.verdict}; again {again.cpu_seconds:.1f} s CPU, {same} "
            f"(log written in {written:.0f} s)",
            flush=True,
        )
        nights.append(first)
    for n, night in zip(sizes[1:], nights[1:], strict=True):
        growth = night.cpu_seconds / nights[0].cpu_seconds
        allowed = n * np.log(n) / (sizes[0] * np.log(sizes[0]))
        print(f"CPU grew {growth:.1f}-fold from {sizes[0]:,} to {n:,}; n log n allows {allowed:.1f}")


if __name__ == "__main__":
    main()
