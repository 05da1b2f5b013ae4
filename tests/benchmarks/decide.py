"""What a decision costs: wall and CPU time, durable and not, with its features, and its reasons.

CPU time is that of the thread that decides. Wall time holds a durable commit, which is measured beside it,
and whatever else runs on the machine. On the shop made here both are measured twice: with the online layer
alone, and with a ranker on top. Garbage is collected as in the service.

python tests/benchmarks/decide.py                # 64 styles and 24 products of a shop made for it
python tests/benchmarks/decide.py DATA_DIR       # a folder that `personalize demo` has filled
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import IO

import numpy as np

from personalize.data.records import ClickEvent
from personalize.decisions import Decision
from personalize.engine import Engine
from personalize.features import Requests
from personalize.knowledge import Knowledge
from personalize.models.succession import promote_by_hand
from personalize.service.garbage import rarely_collected
from personalize.settings import Settings

ROUNDS = 500
N_REGULARS = 20
N_STYLES, N_PRODUCTS, N_CATEGORIES, N_VISITS = 64, 24, 4, 1500


def report(
    title: str, call: Callable[[int], object], then: Callable[[int], object] = lambda number: None
) -> float:
    """Prints the median and the 99th percentile of wall and of CPU time in ms; returns the wall's median.

    What is to be done `then`, before the next call, is not timed.
    """
    wall, cpu = [], []
    for number in range(ROUNDS):
        started, busy = time.perf_counter(), time.thread_time()
        call(number)
        wall.append(1000 * (time.perf_counter() - started))
        cpu.append(1000 * (time.thread_time() - busy))
        then(number)
    by_wall, by_cpu = quantiles(wall, n=100), quantiles(cpu, n=100)
    print(
        f"{title:44} wall p50 {by_wall[49]:7.2f} p99 {by_wall[98]:7.2f}   "
        f"CPU p50 {by_cpu[49]:6.2f} p99 {by_cpu[98]:6.2f} ms"
    )
    return by_wall[49]


def made_shop(folder: Path) -> Engine:
    """A shop with some history, on an empty folder."""
    rng = np.random.default_rng(0)
    styles = [(f"style-{n:02d}", rng.normal(size=16).tolist()) for n in range(N_STYLES)]
    products = {f"product-{n:02d}": f"category-{n % N_CATEGORIES}" for n in range(N_PRODUCTS)}
    engine = Engine.open(Settings(data_dir=folder), styles=styles, products=products, seed=0)
    now = datetime.now(UTC) - timedelta(hours=N_VISITS)
    for visit in range(N_VISITS):
        shown = engine.decide(f"user-{visit % 200}", list(products), now=now + timedelta(hours=visit))
        clicked = [one.impression for one in shown if rng.random() < 0.1]
        engine.record(
            [ClickEvent(f"c-{one.impression_id}", one.impression_id, one.shown_at) for one in clicked]
        )
    return engine


def promote_a_ranker(engine: Engine) -> None:
    """Whatever the gate thinks of it: what is measured is what it costs to serve one."""
    report = engine.retrain()
    assert report.model_version is not None, report.reasons
    promote_by_hand(engine.database, engine.settings, report.model_version, engine.clock())
    engine.refresh()


def synced(file: IO[bytes]) -> None:
    file.write(bytes(4096))
    file.flush()
    os.fsync(file.fileno())


def settled(knowledge: Knowledge) -> None:
    """What a thread does after every 2 % more showings; every second time it tunes, too."""
    knowledge._memory.online.beliefs.is_due = True
    knowledge.settle()


class Regulars:
    """Shoppers who come back visit after visit, and click on two products each time."""

    def __init__(self, engine: Engine, products: list[str]) -> None:
        self._engine, self._products = engine, products
        self._now, self._n_visits = datetime.now(UTC), 0
        self._seen: list[Decision] = []

    def see(self, number: int) -> None:
        self._n_visits += 1
        now = self._now + self._n_visits * self._engine.settings.visit
        self._seen = self._engine.decide(f"bench-regular-{number % N_REGULARS}", self._products, now=now)

    def click(self, number: int) -> None:
        clicked = [one.impression for one in self._seen[number % 12 :: 12]]
        self._engine.record(
            [ClickEvent(f"b-{one.impression_id}", one.impression_id, one.shown_at) for one in clicked]
        )


def measure(engine: Engine) -> None:
    print(f"-- {engine.model_version} scores")
    with tempfile.TemporaryFile(dir=engine.settings.data_dir) as file:
        report("the disk alone: 4 kB written and synced", lambda _: synced(file))
    listed = engine.products(limit=N_PRODUCTS)
    products, user = [product.product_id for product in listed], engine.featured_users(1)[0]
    requests = Requests.of([user], [listed[0].category], datetime.now(UTC))
    knowledge = engine._knowledge
    report("features of all styles, one category", lambda _: knowledge.frame(requests))
    report("settle: tune and solve the slow beliefs", lambda _: settled(knowledge))
    ranked = report("rank the styles, nothing stored", lambda _: engine.rank(user, explain=False))
    report("rank the styles with reasons of every one", lambda _: engine.rank(user))
    [decision, *_] = engine.decide("bench-reasons", products)
    report("reasons of a decision", lambda _: decision.reasons)
    one = report("decide 1 product, durable", lambda n: engine.decide(f"bench-one-{n}", products[:1]))
    page = report(
        f"decide {len(products)} products, durable", lambda n: engine.decide(f"bench-page-{n}", products)
    )
    again = report("the same page again", lambda n: engine.decide(f"bench-page-{n}", products))
    regulars = Regulars(engine, products)
    for number in range(10 * N_REGULARS):
        regulars.see(number)
        regulars.click(number)
    report("the same for regulars, on their next visit", regulars.see, then=regulars.click)
    for number in range(N_REGULARS):
        engine.forget(f"bench-regular-{number}")
    for number in range(ROUNDS):
        engine.forget(f"bench-one-{number}")
        engine.forget(f"bench-page-{number}")
    engine.forget("bench-reasons")
    print(f"a stored decision costs {one / ranked:.1f} rankings, a page {page / one:.1f} decisions")
    print(f"the page kept within its visit {again / page:.2f} of the first")


def main() -> None:
    if len(sys.argv) > 1:
        with (
            Engine.open(Settings(data_dir=Path(sys.argv[1]), experiment="demo")) as engine,
            rarely_collected(),
        ):
            measure(engine)
    else:
        with tempfile.TemporaryDirectory() as folder, made_shop(Path(folder)) as engine:
            with rarely_collected():
                measure(engine)
            promote_a_ranker(engine)
            with rarely_collected():
                measure(engine)


if __name__ == "__main__":
    main()
