"""The demo, small: it runs through, goes on where it stopped, and touches nothing that is not its own."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image, ImageDraw
from rich.console import Console

from personalize import demo
from personalize.data.database import open_database, upgrade
from personalize.demo import DemoError, DemoPlan, DemoSummary, run_demo
from personalize.settings import Settings


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small product pictures of two categories."""
    folder = tmp_path_factory.mktemp("catalogue")
    for category, colour in [("mug", "teal"), ("vase", "coral")]:
        (folder / category).mkdir()
        for number in range(2):
            picture = Image.new("RGB", (64, 64), "white")
            ImageDraw.Draw(picture).ellipse((12, 12, 40 + 8 * number, 52), fill=colour)
            picture.save(folder / category / f"{category}-{number}.png")
    return folder


def plan(catalogue: Path, **changes: int) -> DemoPlan:
    return DemoPlan(catalogue, **{"seed": 0, "days": 3, "shoppers": 60} | changes)  # type: ignore[arg-type]


def run(data_dir: Path, wanted: DemoPlan, *, fresh: bool = False) -> DemoSummary:
    settings = Settings(data_dir=data_dir, experiment=demo.EXPERIMENT, seed=wanted.seed)
    return run_demo(settings, wanted, fresh=fresh, console=Console(quiet=True))


@pytest.fixture(scope="module")
def finished(catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoSummary]:
    data_dir = tmp_path_factory.mktemp("demo")
    return data_dir, run(data_dir, plan(catalogue))


def n_impressions(data_dir: Path) -> int:
    database = open_database(Settings(data_dir=data_dir).resolved_database_url)
    with database.connect() as connection:
        count = connection.scalar(sa.text("SELECT count(*) FROM impressions"))
    database.dispose()
    return int(count)


def test_the_summary_counts_what_the_database_holds(finished: tuple[Path, DemoSummary]) -> None:
    data_dir, summary = finished
    stored = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert set(stored["variants"]) == {"original", "popular", "personal"}
    assert sum(variant["impressions"] for variant in stored["variants"].values()) == n_impressions(data_dir)
    assert {"personal_vs_popular", "personal_vs_original"} <= set(stored["comparisons"])
    assert 0 <= stored["srm"]["p"] <= 1
    assert [night["day"] for night in stored["nights"]] == [1, 2, 3]
    assert all(night["verdict"] in ("promoted", "refused") and night["reasons"] for night in stored["nights"])
    assert stored["seconds"] > 0


def test_the_page_s_pictures_are_rendered_beforehand(finished: tuple[Path, DemoSummary]) -> None:
    data_dir, _ = finished
    assert len([path for path in (data_dir / "renders").rglob("*") if path.is_file()]) >= 2 * 4


def test_a_second_run_adds_nothing(finished: tuple[Path, DemoSummary], catalogue: Path) -> None:
    data_dir, first = finished
    before = n_impressions(data_dir)
    again = run(data_dir, plan(catalogue))
    assert n_impressions(data_dir) == before
    assert again.to_dict()["variants"] == first.to_dict()["variants"]


def test_another_plan_is_refused(finished: tuple[Path, DemoSummary], catalogue: Path) -> None:
    with pytest.raises(DemoError, match="--fresh"):
        run(finished[0], plan(catalogue, seed=1))


def test_an_interrupted_demo_goes_on_from_the_last_whole_day(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: tuple[Path, DemoSummary]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("personalize.engine.Engine.retrain", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, plan(catalogue))
    assert n_impressions(tmp_path) > 0
    resumed = run(tmp_path, plan(catalogue)).to_dict()
    assert resumed["variants"] == finished[1].to_dict()["variants"]


def test_fresh_starts_clean_and_leaves_other_files(catalogue: Path, tmp_path: Path) -> None:
    run(tmp_path, plan(catalogue))
    (tmp_path / "notes.txt").write_text("mine")
    summary = run(tmp_path, plan(catalogue, seed=1), fresh=True)
    assert summary.state.plan["seed"] == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("fresh", [False, True])
def test_a_database_that_is_not_a_demo_s_is_left_alone(
    catalogue: Path, tmp_path: Path, *, fresh: bool
) -> None:
    settings = Settings(data_dir=tmp_path)
    upgrade(settings.resolved_database_url)
    before = settings.sqlite_path.read_bytes()
    with pytest.raises(DemoError, match="not a demo's"):
        run(tmp_path, plan(catalogue), fresh=fresh)
    assert settings.sqlite_path.read_bytes() == before
