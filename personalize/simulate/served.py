"""The engine itself in a known world: what is served and logged, against the chances it was served with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np

from personalize.data.records import ClickEvent, EventStatus
from personalize.decisions import Decision
from personalize.engine import Engine
from personalize.features.history import microseconds
from personalize.features.runs import Floats, Ints
from personalize.policy.exploration import Mask
from personalize.settings import Settings
from personalize.simulate.latent import LatentWorld, Visits

START = datetime(2026, 3, 2, tzinfo=UTC)
CLICK_AFTER = timedelta(seconds=20)
PREFIX = "style-"
Watch = Callable[[Visits, list[Decision], Mask], object]


@dataclass(frozen=True, slots=True)
class Served:
    """How often each of S styles was served, (S,), and how often its propensities say.

    covariance (S, S) is of the counts given the propensities: sum of diag(p) - p p' over decisions.
    largest_gap: of a sum of propensities from 1. mean_inverse: of 1 / logged propensity, which is S on
        average if every style could have been drawn with the chance that is logged; inverse_error is
        its standard error.
    """

    n_decisions: int
    observed: Floats
    expected: Floats
    covariance: Floats
    largest_gap: float
    mean_inverse: float
    inverse_error: float

    def chi_square(self) -> tuple[float, int]:
        """The statistic of the counts and its degrees of freedom, S - 1: they sum to a constant."""
        gap = (self.observed - self.expected)[:-1]
        return float(gap @ np.linalg.solve(self.covariance[:-1, :-1], gap)), len(gap)


class ServedShop:
    """An engine on an empty folder in a world whose time passes with its pages; close it as a context.

    Products are taken as they come. A page is of one shopper and one category; pages are more than a visit
    apart, so that each is decided anew.
    """

    def __init__(self, world: LatentWorld, folder: Path, *, seed: int) -> None:
        styles = [(style_id(n), look) for n, look in enumerate(world.looks.tolist())]
        self.world = world
        self.now = START
        self.engine = Engine.open(Settings(data_dir=folder), styles=styles, clock=lambda: self.now, seed=seed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.engine.close()

    def serve(self, n_decisions: int, *, page_size: int, watch: Watch | None = None) -> Served:
        """Ask for pages with `Engine.decide`, click as the world would, tell it with `Engine.record`.

        Args:
            n_decisions: rounded up to whole pages.
            watch: called after each page with its visits, its decisions and which of them were clicked, (n,).
        """
        n_styles = self.world.spec.n_styles
        chances, drawn = [], []
        for page in range(-(-n_decisions // page_size)):
            visits = self._visits(page, page_size)
            decisions = self._decide(visits)
            chances.append([[one.propensities[style_id(n)] for n in range(n_styles)] for one in decisions])
            drawn.append([style_index(one) for one in decisions])
            clicked = self._click(visits, decisions)
            if watch is not None:
                watch(visits, decisions, clicked)
            self.now += self.engine.settings.visit
        return _served(np.vstack(chances), np.concatenate(drawn))

    def _visits(self, page: int, size: int) -> Visits:
        one = self.world.visits(page, 1)
        shoppers, categories = np.full(size, one.shoppers[0]), np.full(size, one.categories[0])
        at_us = np.full(size, microseconds(self.now))
        return Visits(shoppers, categories, np.arange(size), np.repeat(one.traits[:1], size, axis=0), at_us)

    def _decide(self, visits: Visits) -> list[Decision]:
        products = [f"product-{visits.categories[0]}-{place}" for place in range(len(visits))]
        return self.engine.decide(str(visits.shoppers[0]), products, context=context_of(visits))

    def _click(self, visits: Visits, decisions: Sequence[Decision]) -> Mask:
        styles = np.array([style_index(one) for one in decisions])
        clicked, _ = self.world.clicks(self.world.chances(visits, 0), styles)
        self.now += CLICK_AFTER
        shown = [one.impression.impression_id for one, hit in zip(decisions, clicked, strict=True) if hit]
        outcomes = self.engine.record([ClickEvent(f"{one}-click", one, self.now) for one in shown])
        if refused := [one.reason for one in outcomes if one.status is not EventStatus.ACCEPTED]:
            raise RuntimeError(f"expected every click to be taken, got {refused[0]!r}")
        return clicked


def context_of(visits: Visits) -> dict[str, str | float]:
    """What the shop knows of a page: its category and the shopper's traits."""
    traits = {f"trait-{n}": float(value) for n, value in enumerate(visits.traits[0])}
    return {"category": str(visits.categories[0]), **traits}


def style_index(decision: Decision) -> int:
    """The world's number of the style that was decided on."""
    return int(decision.style_id.removeprefix(PREFIX))


def style_id(n: int) -> str:
    """What the engine calls the world's n-th style."""
    return f"{PREFIX}{n:03d}"


def _served(chances: Floats, drawn: Ints) -> Served:
    n_styles = chances.shape[1]
    inverse = 1 / chances[np.arange(len(drawn)), drawn]
    expected = chances.sum(axis=0)
    return Served(
        n_decisions=len(drawn),
        observed=np.bincount(drawn, minlength=n_styles).astype(np.float64),
        expected=expected,
        covariance=np.diag(expected) - chances.T @ chances,
        largest_gap=float(np.abs(chances.sum(axis=1) - 1).max()),
        mean_inverse=float(inverse.mean()),
        inverse_error=float(inverse.std() / np.sqrt(len(inverse))),
    )
