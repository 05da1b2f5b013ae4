"""What a decision costs, durable and not, and how far a full page is from a single product.

python tests/benchmarks/decide.py DATA_DIR      # a folder that `personalize demo` has filled
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

from personalize.engine import Engine
from personalize.settings import Settings

ROUNDS = 200


def report(title: str, call: Callable[[int], object]) -> float:
    """Prints the median and the 99th percentile of wall time in ms; returns the median."""
    times = []
    for number in range(ROUNDS):
        started = time.perf_counter()
        call(number)
        times.append(1000 * (time.perf_counter() - started))
    cuts = quantiles(times, n=100)
    print(f"{title:44} p50 {cuts[49]:7.2f} ms   p99 {cuts[98]:7.2f} ms")
    return cuts[49]


def main() -> None:
    with Engine.open(Settings(data_dir=Path(sys.argv[1]), experiment="demo")) as engine:
        products = [product.product_id for product in engine.products(limit=24)]
        user = engine.featured_users(1)[0]
        ranked = report("rank the styles, nothing stored", lambda _: engine.rank(user, explain=False))
        one = report("decide 1 product, durable", lambda n: engine.decide(f"bench-one-{n}", products[:1]))
        page = report("decide 24 products, durable", lambda n: engine.decide(f"bench-page-{n}", products))
        for number in range(ROUNDS):
            engine.forget(f"bench-one-{number}")
            engine.forget(f"bench-page-{number}")
    print(f"a stored decision costs {one / ranked:.1f} rankings, a page of 24 {page / one:.1f} decisions")


if __name__ == "__main__":
    main()
