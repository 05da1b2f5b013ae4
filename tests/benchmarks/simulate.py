"""The README's table of policies in known worlds; about 20 CPU minutes in full.

python tests/benchmarks/simulate.py [OUT.json] [IMPRESSIONS]
python tests/benchmarks/simulate.py --draws N   # how much luck is in one run; N x 2 minutes
"""

import json
import sys
from pathlib import Path

import numpy as np

from personalize.simulate.arena import run
from personalize.simulate.latent import WORLDS
from personalize.simulate.report import summarise

POLICIES = ("personal", "linucb", "popularity", "beta-thompson")
SEEDS = (1, 2, 3)
MANY_SEEDS = tuple(range(1, 13))
MEASURED_CLOSELY = ("plain", "rare")
"""Where capture has a bar: from one draw of such a world to the next it moves by 0.05."""


MISSPECIFIED = ("tree", "clusters", "useless-looks", "alike")
"""Where no run should be much behind the better of the bars."""


def compare_draws(n_draws: int) -> None:
    """Clicks against the better of LinUCB and popularity as the policy draws otherwise in a world."""
    for world in MISSPECIFIED:
        for seed in SEEDS:
            bar = max(run(WORLDS[world], policy, seed).click_rate for policy in ("linucb", "popularity"))
            rates = [run(WORLDS[world], "personal", seed, draw=draw).click_rate for draw in range(n_draws)]
            ahead = np.array(rates) / bar - 1
            print(
                f"{world:15} seed {seed}  over the bar {ahead.mean():+.2%} on average, "
                f"{' '.join(f'{one:+.1%}' for one in ahead)}",
                flush=True,
            )


def shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def main() -> None:
    if sys.argv[1:2] == ["--draws"]:
        return compare_draws(int(sys.argv[2]))
    impressions = int(sys.argv[2]) if len(sys.argv) > 2 else None
    results = []
    for world, spec in WORLDS.items():
        seeds = MANY_SEEDS if world in MEASURED_CLOSELY else SEEDS
        for policy in POLICIES:
            results += [run(spec, policy, seed, n_impressions=impressions) for seed in seeds]
        for row in summarise([one for one in results if one.world == world]):
            print(
                f"{world:15} {row['policy']:14} capture {shown(row['capture'], '.3f'):6} "
                f"click rate {row['click_rate']:.4%}  over the bar {row['against_bar']:+.2%}  "
                f"over random {row['against_random']:+.2%}  new {shown(row['new_style_share'], '.2f')}",
                flush=True,
            )
        if len(sys.argv) > 1:
            answer = {"summary": summarise(results), "runs": [one.to_dict() for one in results]}
            Path(sys.argv[1]).write_text(json.dumps(answer, indent=1))
    return None


if __name__ == "__main__":
    main()
