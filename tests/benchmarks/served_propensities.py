"""Decisions served by the engine itself against the propensities that it logs; about 6 ms CPU a page of 24.

python tests/benchmarks/served_propensities.py [DECISIONS, 1000000 by default]
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from scipy.stats import chi2

from personalize.simulate.latent import WORLDS, LatentWorld
from personalize.simulate.served import ServedShop

PAGE_SIZE = 24


def main() -> None:
    n_decisions = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    world = LatentWorld(replace(WORLDS["plain"], n_late=0), 1)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder, ServedShop(world, Path(folder), seed=1) as shop:
        served = shop.serve(n_decisions, page_size=PAGE_SIZE)
    statistic, freedom = served.chi_square()
    print(
        f"{served.n_decisions} decisions, {time.process_time() - started:.0f} CPU s\n"
        f"chi-square {statistic:.1f} with {freedom} degrees of freedom, p {chi2.sf(statistic, freedom):.3f}\n"
        f"sums of propensities within {served.largest_gap:.1e} of 1\n"
        f"mean of 1 / propensity {served.mean_inverse:.2f} +- {served.inverse_error:.2f}, "
        f"of {world.spec.n_styles} styles"
    )


if __name__ == "__main__":
    main()
