"""One policy in one world: what it got, against chance and against the best there was."""

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from personalize.features.runs import Floats, Ints
from personalize.simulate.contestants import HALF_LIFE_US, contestant
from personalize.simulate.latent import LatentWorld, Visits, WorldSpec

BATCH = 100
LAUNCH_WINDOW = 10_000
"""Impressions after a launch over which the exposure of new styles is taken."""

N_POINTS = 40
"""Points of a learning curve."""

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy got in a world, in true probabilities, so exact but for the policy's own draws.

    capture: (click rate - random) / (best - random), None where nothing is better than random; late_capture
        over the last tenth. regret: clicks missed against the best styles. new_style_share: impressions of
        new styles in the `LAUNCH_WINDOW` after their launch, over those that the best choice gives them;
        None when it gives none. curve: capture of each of `N_POINTS` stretches.
    """

    world: str
    policy: str
    seed: int
    n_impressions: int
    click_rate: float
    random_rate: float
    best_rate: float
    capture: float | None
    late_capture: float | None
    regret: float
    new_style_share: float | None
    curve: tuple[float | None, ...]
    cpu_seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class _Pending:
    """Impressions whose clicks are not all known yet."""

    visits: Visits
    styles: Ints
    clicked: Any
    due: Ints


def run(
    spec: WorldSpec,
    policy: str,
    seed: int,
    *,
    draw: int = 0,
    n_impressions: int | None = None,
    half_life_us: float = HALF_LIFE_US,
    progress: Progress | None = None,
) -> Result:
    """Let a policy live in a world; the same arguments give the same result.

    Args:
        seed: of the world, its shoppers and visits.
        draw: another number lets the policy draw otherwise in the same world.
        n_impressions: other than the spec's; the launch stays half way.
        progress: called with the number of impressions done.
    Raises:
        ValueError: no policy of that name.
    """
    import time

    spec = replace(spec, n_impressions=n_impressions or spec.n_impressions)
    world = LatentWorld(spec, seed)
    player = contestant(policy, world, half_life_us=half_life_us)
    rng = np.random.default_rng([seed, 9, draw])
    pending: deque[_Pending] = deque()
    sums = np.zeros((N_POINTS, 4))
    launched = np.zeros(2)
    started, done = time.process_time(), 0
    while done < spec.n_impressions:
        visits, available = world.visits(done, BATCH), world.available(done)
        chances = world.chances(visits, done)
        styles = player.choose(visits, available, rng)
        felt = world.felt(chances, styles, player.weights)
        clicked, delay = world.clicks(felt, styles)
        human = ~world.is_bot[visits.shoppers]
        sums[min(done * N_POINTS // spec.n_impressions, N_POINTS - 1)] += _outcome(
            chances[human], felt[np.arange(len(styles)), styles][human], available
        )
        if spec.n_impressions / 2 <= done < spec.n_impressions / 2 + LAUNCH_WINDOW:
            launched += _new_shown(chances[human], styles[human], spec)
        done += len(visits)
        pending.append(_Pending(visits, styles, clicked, done + delay))
        _tell(pending, player, world, done)
        if progress is not None:
            progress(done)
    return _result(spec, policy, seed, sums, launched, time.process_time() - started)


def _outcome(chances: Floats, shown: Floats, available: Any) -> Floats:
    """Impressions, and expected clicks as shown, at random and at best; shown (n,) is the chance of each."""
    offered = chances[:, available]
    return np.array([len(shown), shown.sum(), offered.mean(axis=1).sum(), offered.max(axis=1).sum()])


def _new_shown(chances: Floats, styles: Ints, spec: WorldSpec) -> Floats:
    """How often a new style was shown, and how often it was the best."""
    first = spec.n_styles - spec.n_late
    return np.array([(styles >= first).sum(), (chances.argmax(axis=1) >= first).sum()], dtype=np.float64)


def _tell(pending: deque[_Pending], player: Any, world: LatentWorld, done: int) -> None:
    """Tell the policy what has become known by now; slow worlds tell of one batch bit by bit."""
    at_us = int(done * world.us_per_impression)
    for batch in pending:
        known = batch.due <= done
        if not known.any():
            if not world.spec.is_slow:
                break
            continue
        rows = np.flatnonzero(known)
        clicked = batch.clicked[rows]
        visits = _take(batch.visits, rows)
        player.learn(visits, batch.styles[rows], clicked, at_us)
        hits = np.flatnonzero(clicked)
        bought = hits[world.purchases(len(hits))]
        if len(bought):
            player.bought(_take(visits, bought), batch.styles[rows][bought])
        left = np.flatnonzero(~known)
        batch.visits, batch.styles = _take(batch.visits, left), batch.styles[left]
        batch.clicked, batch.due = batch.clicked[left], batch.due[left]
    while pending and not len(pending[0].styles):
        pending.popleft()


def _take(visits: Visits, rows: Ints) -> Visits:
    return Visits(
        visits.shoppers[rows],
        visits.categories[rows],
        visits.positions[rows],
        visits.traits[rows],
        visits.at_us[rows],
    )


def _result(
    spec: WorldSpec, policy: str, seed: int, sums: Floats, launched: Floats, seconds: float
) -> Result:
    total = sums.sum(axis=0)
    rates = total[1:] / total[0]
    return Result(
        world=spec.name,
        policy=policy,
        seed=seed,
        n_impressions=int(total[0]),
        click_rate=float(rates[0]),
        random_rate=float(rates[1]),
        best_rate=float(rates[2]),
        capture=_capture(total),
        late_capture=_capture(sums[-N_POINTS // 10 :].sum(axis=0)),
        regret=float(total[3] - total[1]),
        new_style_share=float(launched[0] / launched[1]) if launched[1] else None,
        curve=tuple(map(_capture, sums)),
        cpu_seconds=round(seconds, 2),
    )


def _capture(sums: Floats) -> float | None:
    _, shown, random, best = sums
    return float((shown - random) / (best - random)) if best - random > 1e-9 * max(best, 1e-9) else None
