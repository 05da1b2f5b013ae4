"""What the statistics cost, and how often they are wrong, in simulated shops with a known truth.

python tests/benchmarks/infer.py                 # everything, some minutes
python tests/benchmarks/infer.py speed cuped     # some of: speed, report, cuped, aa, looks, policy
"""

import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from analytics import (
    CTR,
    Covariate,
    Experiment,
    Metric,
    Moments,
    UnitDays,
    Units,
    contrast_variants,
    policy_value,
    simulate_days,
    simulate_units,
    simulate_with_history,
)
from analytics.inference.group_sequential import obrien_fleming
from analytics.off_policy import Method

PAIR = [("b", "a")]
NOTHING = {"a": 0.05, "b": 0.05}
ADJUSTED_CTR = Metric("ctr", "clicks", "impressions", (Covariate("pre_clicks", "pre_impressions"),))


def speed() -> None:
    """Import beside numpy's, and 12 metrics x 4 variants; CPU time, so that a busy machine counts less."""
    for module in ("numpy", "analytics"):
        code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
        seconds = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
        print(f"import {module:10} {min(seconds):.3f} s")
    rng = np.random.default_rng(0)
    columns: dict[str, NDArray[np.int64]] = {}
    for k in range(12):
        shown = rng.geometric(1 / 20, 4000)
        columns |= {f"y{k}": rng.binomial(shown, 0.05), f"x{k}": shown}
        columns |= {f"pre_y{k}": rng.binomial(shown, 0.05), f"pre_x{k}": rng.poisson(shown)}
    variants = np.array(list("abcd"))[rng.integers(0, 4, 4000)]
    moments = Units(np.arange(4000).astype(str), variants, columns).moments()
    plain = [Metric(f"m{k}", f"y{k}", f"x{k}") for k in range(12)]
    adjusted = [
        replace(m, covariates=(Covariate(f"pre_{m.numerator}", f"pre_{m.denominator}"),)) for m in plain
    ]
    for title, metrics in (("", plain), (" with CUPED", adjusted)):
        milliseconds = 1000 * _seconds(lambda metrics=metrics: _contrasts(moments, metrics))  # type: ignore[misc]
        print(f"12 metrics x 4 variants from sums{title:11} {milliseconds:.2f} ms CPU")


def _contrasts(moments: dict[str, Moments], metrics: list[Metric]) -> None:
    for metric in metrics:
        contrast_variants(moments, metric, [("b", "a"), ("c", "a"), ("d", "a")])


def _seconds(call: Callable[[], object]) -> float:
    call()
    return min(timeit.repeat(call, number=10, repeat=9, timer=time.process_time)) / 10


def report() -> None:
    """The page of 12 metrics x 4 variants x 14 days, of 20,000 users by day; CPU time and size."""
    rng = np.random.default_rng(1)
    world = simulate_days(rng, 20_000, dict(zip("abcd", (0.05, 0.05, 0.055, 0.06), strict=True)))
    columns = {f"y{k}": rng.binomial(world["impressions"], 0.02 + 0.01 * k) for k in range(12)}
    days = UnitDays(world.user, world.variant, world.day, {**world.columns, **columns})
    metrics = [Metric(f"m{k}", f"y{k}", "impressions") for k in range(12)]
    experiment = Experiment("benchmark", days, metrics, "a")
    started = time.process_time()
    result = experiment.analyze()
    analyzed = time.process_time()
    page = result.to_html()
    written = time.process_time()
    print(
        f"12 metrics x 4 variants x 14 days, {len(days.user):,} user-days: {analyzed - started:.2f} s CPU to "
        f"analyze, {written - analyzed:.2f} s for the HTML report of {len(page.encode()) / 1000:.0f} kB"
    )


def cuped(seeds: int = 10) -> None:
    """The share of the variance that the past takes away, by how long it is: mean and range of worlds."""
    clicks = {
        "clicks per user": Metric.mean("clicks", covariates=(Covariate("pre_clicks"),)),
        "clicks per user, two covariates": Metric.mean(
            "clicks", covariates=(Covariate("pre_clicks"), Covariate("pre_impressions"))
        ),
        "click-through": ADJUSTED_CTR,
    }
    for history in (0.5, 1.0, 3.0):
        cuts: dict[str, list[float]] = {name: [] for name in clicks}
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            moments = simulate_with_history(rng, 100_000, {"a": 0.06, "b": 0.06}, history=history).moments()
            for name, metric in clicks.items():
                [found] = contrast_variants(moments, metric, PAIR)
                cuts[name].append(100 * (found.variance_reduction or 0))
        for name, values in cuts.items():
            spread = f"{np.mean(values):.1f} % (worlds: {min(values):.1f} to {max(values):.1f})"
            print(f"CUPED, past {history:3} times as long as the test, {name:32} {spread}")


def aa(runs: int = 8000) -> None:
    """False positives of one look at 20 impressions a user, plain and adjusted; and coverage.

    At 2,000 runs the figure itself is only known to half a point either way.
    """
    rng = np.random.default_rng(2)
    plain = adjusted = covered = 0
    for _ in range(runs):
        [found] = contrast_variants(simulate_units(rng, 2000, NOTHING).moments(), CTR, PAIR)
        plain += (found.p or 1) < 0.05
        world = simulate_with_history(rng, 2000, {"a": 0.05, "b": 0.06}).moments()
        [found] = contrast_variants(world, ADJUSTED_CTR, PAIR)
        covered += (found.ci_low or 1) <= 0.01 <= (found.ci_high or 0)
        world = simulate_with_history(rng, 2000, NOTHING).moments()
        [found] = contrast_variants(world, ADJUSTED_CTR, PAIR)
        adjusted += (found.p or 1) < 0.05
    print(
        f"A/A, {runs} runs, 20 impressions a user: {_share(plain, runs)}, with CUPED {_share(adjusted, runs)}"
    )
    print(f"A/B with CUPED, {runs} runs: the interval holds the truth {_share(covered, runs)}")


def looks(runs: int = 2000) -> None:
    """False positives when somebody looks every day and stops at the first finding."""
    for n_looks in (14, 200):
        rng = np.random.default_rng(3)
        boundaries = obrien_fleming([k / n_looks for k in range(1, n_looks + 1)])
        fixed = anytime = planned = 0
        for _ in range(runs):
            days = simulate_days(rng, 2000, NOTHING, n_days=n_looks).cumulative_moments()
            by_day = ({name: days[name][day] for name in days} for day in days["a"])
            found = [contrast_variants(world, CTR, PAIR, planned_users=2000)[0] for world in by_day]
            fixed += any((c.p or 1) < 0.05 for c in found)
            anytime += any((c.anytime_p or 1) < 0.05 for c in found)
            planned += any(
                abs(c.effect or 0) > boundary * (c.standard_error or 1)
                for c, boundary in zip(found, boundaries, strict=True)
            )
        title = f"A/A, {runs} runs, {n_looks} daily looks:"
        print(
            f"{title} fixed {_share(fixed, runs)}, any time {_share(anytime, runs)}, "
            f"O'Brien-Fleming {_share(planned, runs)}"
        )


def policy(runs: int = 1000) -> None:
    """How often off-policy intervals hold the truth of a shop whose users have a taste of their own."""
    rng = np.random.default_rng(4)
    popularity = np.linspace(-2.4, -1.6, 6)
    target = 0.2 / 6 + 0.8 * np.exp(3 * popularity) / np.exp(3 * popularity).sum()
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    mean_click = _logistic(popularity[:, None] + 0.8 * nodes) @ weights / np.sqrt(2 * np.pi)
    truth = float(target @ mean_click)
    hits = dict.fromkeys(get_args(Method), 0)
    for _ in range(runs):
        user = np.repeat(np.arange(600), rng.geometric(1 / 6, 600))
        chance = _logistic(popularity + rng.normal(0, 0.8, (600, 6)))[user]
        belief = np.exp(rng.normal(0, 1, (600, 6)))
        logging = (0.3 / 6 + 0.7 * belief / belief.sum(axis=1, keepdims=True))[user]
        shown = (logging.cumsum(axis=1) > rng.random((len(user), 1))).argmax(axis=1)
        row = np.arange(len(user))
        reward = rng.random(len(user)) < chance[row, shown]
        model = _logistic(popularity)
        for method in hits:
            found = policy_value(
                reward,
                logging[row, shown],
                target[shown],
                user=user,
                method=method,
                predicted_reward=model[shown],
                predicted_value=np.full(len(user), target @ model),
            )
            hits[method] += (found.ci_low or 9) <= truth <= (found.ci_high or -9)
    for method, count in hits.items():
        print(f"off-policy {method:7} {runs} logs: the interval holds the truth {_share(count, runs)}")


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _share(count: int, runs: int) -> str:
    """The share, with its exact 95 % interval (Clopper and Pearson 1934)."""
    low, high = binomtest(count, runs).proportion_ci()
    return f"{100 * count / runs:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


PARTS = {"speed": speed, "report": report, "cuped": cuped, "aa": aa, "looks": looks, "policy": policy}


if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
