"""What interleaving saves: users for 80 % power against an A/B test, false positives, and time to draft.

python tests/benchmarks/interleave.py [--runs 300]

The users needed follow from the effect and error of one large simulation each, and are then tried out:
so many runs of that size must find the better ranker about 80 % of the time.
"""

import argparse
import math
import time
from dataclasses import replace

import numpy as np

from analytics import compare
from analytics.inference.distributions import normal_quantile
from analytics.interleaving import Credits, compare_interleaved, team_draft
from analytics.simulate_rankers import RankerWorld, simulate_interleaved, simulate_split

WORLDS = {
    "errors in part shared": RankerWorld(),
    "errors all their own": RankerWorld(shared_noise=0.0),
}
POWER_FACTOR = (normal_quantile(0.975) + normal_quantile(0.8)) ** 2
PILOT_USERS, CHUNK = 200_000, 20_000


def users_for_interleaving(world: RankerWorld) -> int:
    rng = np.random.default_rng(0)
    parts = [simulate_interleaved(rng, CHUNK, world, salt=str(i)) for i in range(PILOT_USERS // CHUNK)]
    credits_ = Credits(
        np.arange(PILOT_USERS),
        np.concatenate([part.clicks_a for part in parts]),
        np.concatenate([part.clicks_b for part in parts]),
    )
    result = compare_interleaved(credits_)
    # every user counts, those without a click too: they had to come
    return math.ceil(POWER_FACTOR * PILOT_USERS * (result.standard_error / result.preference) ** 2)


def users_for_a_split(world: RankerWorld) -> tuple[int, float]:
    rng = np.random.default_rng(1)
    moments: dict = {}
    for _ in range(PILOT_USERS // CHUNK):
        for name, part in simulate_split(rng, CHUNK, world).moments().items():
            moments[name] = moments[name] + part if name in moments else part
    contrast = compare(moments, control="a")["b"]
    needed = POWER_FACTOR * PILOT_USERS * (contrast.standard_error / contrast.effect) ** 2
    return math.ceil(needed), contrast.relative_uplift


def found(world: RankerWorld, n_users: int, runs: int, *, interleaved: bool) -> float:
    n_found = 0
    for seed in range(runs):
        rng = np.random.default_rng([2, seed])
        if interleaved:
            result = compare_interleaved(simulate_interleaved(rng, n_users, world, salt=f"run-{seed}"))
            p = result.p
        else:
            p = compare(simulate_split(rng, n_users, world), control="a")["b"].p
        n_found += p is not None and p < 0.05
    return n_found / runs


def draft_microseconds() -> float:
    rng = np.random.default_rng(3)
    a = [f"product-{i}" for i in range(20)]
    lists = [[a[i] for i in rng.permutation(20)] for _ in range(200)]
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        for n in range(5000):
            team_draft(a, lists[n % 200], key=f"salt:user-{n}:request", length=20)
        best = min(best, (time.perf_counter() - started) / 5000)
    return 1e6 * best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=300)
    runs = parser.parse_args().runs
    print(f"a draft of 20 items: {draft_microseconds():.1f} us")
    for name, world in WORLDS.items():
        n_split, uplift = users_for_a_split(world)
        n_interleaved = users_for_interleaving(world)
        print(f"\n{name}: b is {100 * uplift:.1f} % better in click-through")
        print(f"  users for 80 % power: A/B {n_split:,}, interleaved {n_interleaved:,}")
        print(f"  {n_split / n_interleaved:.1f}x fewer")
        for way, n_users in (("interleaved", n_interleaved), ("A/B", n_split)):
            share = found(world, n_users, runs, interleaved=way == "interleaved")
            print(f"  {way}, {n_users:,} users: found in {share:.1%} of {runs} runs")
    equal = replace(RankerWorld(), noise_b=RankerWorld().noise_a)
    print(f"\nA/A, 1,000 users, 2,000 runs: {found(equal, 1000, 2000, interleaved=True):.1%} false positives")


if __name__ == "__main__":
    main()
