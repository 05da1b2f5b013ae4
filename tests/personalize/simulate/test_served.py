"""What the engine serves is what it logs, and what the simulator measures."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from personalize.decisions import Decision
from personalize.features.beliefs import Views
from personalize.policy.exploration import Mask
from personalize.simulate.contestants import HALF_LIFE_US, Online
from personalize.simulate.latent import WORLDS, LatentWorld, Visits
from personalize.simulate.served import CLICK_AFTER, ServedShop, context_of, style_id, style_index

SMALL = replace(WORLDS["plain"], n_shoppers=50, n_styles=8, n_late=0, base_rate=0.1)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ServedShop]:
    with ServedShop(LatentWorld(SMALL, 1), tmp_path / "shop", seed=4) as opened:
        yield opened


def test_served_decisions_are_as_frequent_as_their_log_says(shop: ServedShop) -> None:
    served = shop.serve(20_000, page_size=100)
    statistic, freedom = served.chi_square()
    assert served.n_decisions == 20_000
    assert served.largest_gap < 1e-6
    assert chi2.sf(statistic, freedom) > 1e-3
    assert abs(served.mean_inverse - SMALL.n_styles) < 4 * served.inverse_error


def test_a_log_that_understates_its_favourites_fails_the_chi_square(shop: ServedShop) -> None:
    served = shop.serve(3_000, page_size=100)
    tempered = replace(served, expected=0.9 * served.expected + 0.1 * served.n_decisions / SMALL.n_styles)
    statistic, freedom = tempered.chi_square()
    assert chi2.sf(statistic, freedom) < 1e-3


def test_the_simulator_plays_the_policy_that_the_engine_serves(shop: ServedShop) -> None:
    """The simulator's policy, told just what the engine was told, would have drawn with the same chances."""
    player = _Told(shop.world, half_life_us=HALF_LIFE_US)
    everything, gaps = np.ones(SMALL.n_styles, dtype=np.bool_), []

    def compare(visits: Visits, decisions: list[Decision], clicked: Mask) -> None:
        views = player.views(visits)
        scores = player.beliefs.score(views)
        chances = player.chances(scores, everything)
        logged = [[one.propensities[style_id(n)] for n in range(SMALL.n_styles)] for one in decisions]
        gaps.append(np.abs(chances - logged).max())
        styles = np.array([style_index(one) for one in decisions])
        player.beliefs.show(views, scores.parts_of(styles), styles, visits.positions)
        for row in np.flatnonzero(clicked).tolist():
            at_us = visits.at_us[[row]] + CLICK_AFTER // timedelta(microseconds=1)
            player.beliefs.click(views.take(np.array([row])), styles[[row]], visits.positions[[row]], at_us)

    shop.serve(1_600, page_size=20, watch=compare)
    assert len(gaps) == 80
    assert max(gaps) < 1e-4, "features are kept in single precision, and the temperature is 0.01"


class _Told(Online):
    """The simulator's policy, which looks at the same context as the engine: the moment's, too."""

    def views(self, visits: Visits) -> Views:
        return self.beliefs.views(
            [str(shopper) for shopper in visits.shoppers],
            [str(category) for category in visits.categories],
            [context_of(visits)] * len(visits),
            visits.at_us,
            learn=True,
        )
