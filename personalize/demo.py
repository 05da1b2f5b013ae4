"""The whole system on one machine: simulated shoppers browse under an A/B experiment while the ranker learns.

The shoppers are simulated and said to be; everything else is what production runs: the engine
decides, the database stores, the nightly retraining learns, `analytics` compares.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from personalize.data.database import open_database, writing
from personalize.data.events import discard_slates
from personalize.data.experiments import create_experiment
from personalize.data.records import CatalogueProduct, ClickEvent, Event, ShownStyle
from personalize.engine import Engine
from personalize.errors import PersonalizeError
from personalize.proof import prove
from personalize.rendering import CARD_FORMAT, CARD_WIDTH_PX, PRODUCTS_PER_PAGE, Renders
from personalize.retrain import RetrainReport
from personalize.sample import sample_catalogue
from personalize.settings import Settings
from personalize.setup import add_catalogue, prepare_database, progress_bar
from personalize.simulate.worlds import World, WorldShape, batches

if TYPE_CHECKING:
    from personalize.proof import Comparison

DEMO_DIR = "personalize-demo"
EXPERIMENT = "demo"
POLICIES = {"original": "original", "popular": "popular", "personal": "personal"}
STATE_FILE = "demo.json"
MADE_BY_THE_DEMO = ("photos", "renders", "models")
MAX_PRODUCTS = 100_000


class DemoError(PersonalizeError):
    """The folder holds something that this demo must not touch."""


@dataclass(frozen=True)
class DemoPlan:
    """What to simulate; a demo goes on only under the plan that it began with."""

    catalog: Path | None
    seed: int
    days: int
    shoppers: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"catalog": str(self.catalog.absolute()) if self.catalog else None}


@dataclass(frozen=True)
class DemoState:
    """How far the demo has come; saved after every simulated night."""

    plan: dict[str, Any]
    started_at: str
    days_done: int = 0
    nights: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0

    @property
    def first_day(self) -> datetime:
        return datetime.fromisoformat(self.started_at)

    def save(self, path: Path) -> None:
        staged = path.with_suffix(".tmp")
        staged.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        staged.replace(path)

    @classmethod
    def load(cls, path: Path) -> "DemoState":
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(**stored | {"nights": tuple(stored["nights"])})


@dataclass
class SimulatedClock:
    """The engine's clock while the shoppers are simulated."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Tally:
    """One day's impressions and clicks per variant."""

    impressions: Counter[str] = field(default_factory=Counter)
    clicks: Counter[str] = field(default_factory=Counter)

    def count(self, shown: Sequence[ShownStyle], events: Sequence[Event]) -> None:
        variants = {one.impression_id: str(one.variant) for one in shown}
        self.impressions.update(variants.values())
        self.clicks.update(variants[event.impression_id] for event in events if isinstance(event, ClickEvent))

    def rates(self) -> dict[str, float]:
        return {
            name: self.clicks[name] / self.impressions[name] for name in POLICIES if self.impressions[name]
        }

    def to_dict(self) -> dict[str, dict[str, int]]:
        return {
            name: {"impressions": self.impressions[name], "clicks": self.clicks[name]} for name in POLICIES
        }


@dataclass(frozen=True)
class DemoSummary:
    """The demo's outcome, as printed and as JSON."""

    comparison: "Comparison"
    state: DemoState

    def to_dict(self) -> dict[str, Any]:
        """`variants`, `comparisons`, `srm`, `nights` and `seconds`; None where a number cannot be had."""
        comparison = self.comparison
        return {
            "variants": {
                name: {
                    "users": variant.users,
                    "impressions": int(variant.totals.get("impressions", 0)),
                    "clicks": int(variant.totals.get("clicks", 0)),
                    "ctr": variant.value,
                    "ci_low": variant.ci_low,
                    "ci_high": variant.ci_high,
                }
                for name, variant in comparison.variants.items()
            },
            "comparisons": {
                f"{contrast.treatment}_vs_{contrast.control}": {
                    "effect": contrast.effect,
                    "ci_low": contrast.ci_low,
                    "ci_high": contrast.ci_high,
                    "p": contrast.p,
                    "relative_uplift": contrast.relative_uplift,
                }
                for contrast in comparison.contrasts
            },
            "srm": {"p": comparison.srm.p},
            "conclusion": comparison.conclusion,
            "nights": list(self.state.nights),
            "seconds": round(self.state.seconds, 1),
        }


def run_demo(settings: Settings, plan: DemoPlan, *, fresh: bool, console: Console) -> DemoSummary:
    """Prepare, simulate what is still to come, compare, and render what the page shows first.

    Interrupted, it goes on from the last whole day; ended, it only reports.

    Raises:
        DemoError: the folder holds another demo, or a database that is not a demo's.
    """
    clock = time.monotonic()
    state = _begin(settings, plan, fresh=fresh, console=console)
    seconds_before = state.seconds
    console.print(
        f"Demo in {settings.data_dir} (seed {plan.seed}); the shoppers are simulated.", highlight=False
    )
    state = _simulate(settings, state, console)
    with Engine.open(settings) as engine:
        comparison = prove(engine.database, EXPERIMENT).comparison
        _print_comparison(comparison, console)
        _prerender(engine, settings, console)
    state = replace(state, seconds=seconds_before + time.monotonic() - clock)
    state.save(settings.data_dir / STATE_FILE)
    console.print(f"[dim]{state.seconds:.0f} seconds in all[/dim]")
    return DemoSummary(comparison, state)


def _begin(settings: Settings, plan: DemoPlan, *, fresh: bool, console: Console) -> DemoState:
    path = settings.data_dir / STATE_FILE
    if fresh:
        _throw_away(settings)
    if path.exists():
        state = DemoState.load(path)
        if state.plan != plan.to_dict():
            raise DemoError(
                f"{settings.data_dir} holds a demo with {state.plan}, not {plan.to_dict()}; "
                "start clean with --fresh, or name another --data-dir"
            )
        return state
    if settings.sqlite_path.exists():
        raise DemoError(f"{settings.data_dir} holds a database that is not a demo's; name another --data-dir")
    now = datetime.now(UTC)
    first_day = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=plan.days)
    prepare_database(settings, now=first_day)
    add_catalogue(settings, plan.catalog or sample_catalogue(), now=first_day, console=console)
    database = open_database(settings.resolved_database_url)
    with writing(database) as session:
        shares = {variant: 1 / len(POLICIES) for variant in POLICIES}
        create_experiment(
            session, EXPERIMENT, shares, POLICIES, salt=f"{EXPERIMENT}-{plan.seed}", now=first_day
        )
    database.dispose()
    state = DemoState(plan.to_dict(), first_day.isoformat())
    state.save(path)
    return state


def _throw_away(settings: Settings) -> None:
    """Remove what an earlier demo made, and nothing else."""
    if not (settings.data_dir / STATE_FILE).exists():
        return
    if settings.database_url:
        raise DemoError("--fresh empties only the embedded database; drop and create the other one yourself")
    for name in MADE_BY_THE_DEMO:
        shutil.rmtree(settings.data_dir / name, ignore_errors=True)
    for suffix in ("", "-wal", "-shm"):
        settings.sqlite_path.with_name(settings.sqlite_path.name + suffix).unlink(missing_ok=True)
    (settings.data_dir / STATE_FILE).unlink()


def _simulate(settings: Settings, state: DemoState, console: Console) -> DemoState:
    n_days, seed = state.plan["days"], state.plan["seed"]
    if state.days_done == n_days:
        return state
    clock = SimulatedClock(state.first_day + timedelta(days=state.days_done))
    _discard_broken_day(settings, since=clock.now)
    with Engine.open(settings, clock=clock, seed=seed) as engine:
        products = engine.products(limit=MAX_PRODUCTS)
        world = World(seed, engine.styles(), products, WorldShape(n_shoppers=state.plan["shoppers"]))
        for day in range(state.days_done, n_days):
            tally = _live_a_day(engine, world, clock, f"day {day + 1} of {n_days}", console)
            report = engine.retrain(as_of=clock.now)
            night = {"day": day + 1, "variants": tally.to_dict(), **report.to_dict()}
            state = replace(state, days_done=day + 1, nights=(*state.nights, night))
            state.save(settings.data_dir / STATE_FILE)
            _print_night(tally, report, day + 1, console)
    return state


def _discard_broken_day(settings: Settings, *, since: datetime) -> None:
    database = open_database(settings.resolved_database_url)
    with writing(database) as session:
        discard_slates(session, since=since)
    database.dispose()


def _live_a_day(engine: Engine, world: World, clock: SimulatedClock, title: str, console: Console) -> Tally:
    """Every visit of one day: decide, show, let the shoppers react, record. The clock ends at midnight."""
    day_start, tally = clock.now, Tally()
    visits = world.visits(day_start)
    with progress_bar(console) as progress:
        task = progress.add_task(title, total=len(visits))
        for batch in batches(visits):
            clock.now = batch[-1].now
            shown = [decision.impression for page in engine.decide_pages(batch) for decision in page]
            events = world.react(shown)
            engine.record(events)
            tally.count(shown, events)
            progress.advance(task, len(batch))
    clock.now = day_start + timedelta(days=1)
    return tally


def _print_night(tally: Tally, report: RetrainReport, day: int, console: Console) -> None:
    rates = "  ".join(f"{name} {rate:6.2%}" for name, rate in tally.rates().items())
    console.print(
        f"[bold]day {day:2}[/bold]  {rates}  [dim]{report.model_version} {report.verdict}[/dim]",
        highlight=False,
    )
    for sentence in report.learned[:1] if report.verdict == "promoted" else report.reasons[:1]:
        console.print(f"        [dim]{sentence}[/dim]", highlight=False)


def _print_comparison(comparison: "Comparison", console: Console) -> None:
    table = Table("variant", "users", "impressions", "clicks", "CTR", "95 % interval")
    for name, variant in comparison.variants.items():
        totals = variant.totals
        table.add_row(
            name,
            f"{variant.users:,}",
            f"{totals.get('impressions', 0):,.0f}",
            f"{totals.get('clicks', 0):,.0f}",
            _percent(variant.value),
            f"{_percent(variant.ci_low)} to {_percent(variant.ci_high)}",
        )
    console.print(table)
    console.print(comparison.conclusion, highlight=False)


def _percent(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:.2%}"


def _prerender(engine: Engine, settings: Settings, console: Console) -> None:
    """Render what the featured shoppers are likeliest to see first, so that the page opens at once."""
    products = engine.products(limit=PRODUCTS_PER_PAGE)
    with Renders.open(settings) as renders, progress_bar(console) as progress:
        wanted = [
            renders.key(product, weights, CARD_WIDTH_PX, CARD_FORMAT)
            for product in products
            for weights in [{}, *_likely_styles(engine, product)]
        ]
        task = progress.add_task("rendering the page", total=len(wanted))
        renders.prerender(wanted, lambda done, total: progress.update(task, completed=done, total=total))


def _likely_styles(engine: Engine, product: CatalogueProduct) -> list[dict[str, float]]:
    rankings = [
        engine.rank(user_id, product.product_id, k=1, explain=False) for user_id in engine.featured_users()
    ]
    return [{style_id: 1.0} for style_id in sorted({ranking.styles[0].style_id for ranking in rankings})]
