"""The README's table of policies in known worlds.

python tests/benchmarks/simulate.py [OUT.json] [IMPRESSIONS]     # 13 worlds x 4 policies x 3 seeds, about 10 CPU minutes
"""

import json
import sys
from pathlib import Path

from personalize.simulate.arena import run
from personalize.simulate.latent import WORLDS
from personalize.simulate.report import summarise

POLICIES = ("personal", "linucb", "popularity", "beta-thompson")
SEEDS = (1, 2, 3)


def main() -> None:
    impressions = int(sys.argv[2]) if len(sys.argv) > 2 else None
    results = []
    for world, spec in WORLDS.items():
        for policy in POLICIES:
            results += [run(spec, policy, seed, n_impressions=impressions) for seed in SEEDS]
        for row in summarise([one for one in results if one.world == world]):
            capture, share = row["capture"], row["new_style_share"]
            print(
                f"{world:15} {row['policy']:14} capture {capture if capture is None else round(capture, 3)!s:6} "
                f"click rate {row['click_rate']:.4%}  over bar {row['against_bar']:+.2%}  "
                f"over random {row['against_random']:+.2%}  new {share if share is None else round(share, 2)}",
                flush=True,
            )
        if len(sys.argv) > 1:
            answer = {"summary": summarise(results), "runs": [one.to_dict() for one in results]}
            Path(sys.argv[1]).write_text(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
