"""A small new shop for the engine, and one with a week behind it for whatever is done to a log at night."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from factories import NOW, make_experiment, make_product, make_styles
from recorded import AS_OF, OpenShop, record_week
from small_shop import PRODUCTS, STYLES, OpenEngine
from sqlalchemy import Engine as Database

from personalize.data.database import open_database, writing
from personalize.engine import Engine
from personalize.models.succession import promote_by_hand
from personalize.retrain import retrain
from personalize.settings import Settings


@pytest.fixture
def open_engine(database_url: str, tmp_path: Path) -> Iterator[OpenEngine]:
    """Opens engines on one database with three products, three styles and the experiment `demo`."""
    database = open_database(database_url)
    with writing(database) as session:
        make_styles(session, *STYLES)
        for product_id in PRODUCTS:
            make_product(session, product_id, category=product_id.split("-")[0])
        make_experiment(session, "demo", "original", "popular", "personal")
    database.dispose()
    opened: list[Engine] = []

    def open_one(seed: int = 0, **settings: object) -> Engine:
        chosen = Settings(data_dir=tmp_path, database_url=database_url, **settings)  # type: ignore[arg-type]
        opened.append(Engine.open(chosen, clock=lambda: NOW, seed=seed))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.close()


@pytest.fixture(scope="session")
def recorded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "personalize.sqlite3"
    shutil.copyfile(sqlite_template, path)
    record_week(path)
    return path


@pytest.fixture
def open_shop(recorded: Path, tmp_path: Path) -> OpenShop:
    """Opens the recorded shop in a data folder of the test's own."""

    def open_one(**values: object) -> tuple[Database, Settings]:
        settings = Settings(data_dir=tmp_path, **values)  # type: ignore[arg-type]
        if not settings.sqlite_path.exists():
            shutil.copyfile(recorded, settings.sqlite_path)
        return open_database(settings.resolved_database_url), settings

    return open_one


@pytest.fixture(scope="session")
def trained(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded shop's data folder after two nights, both of whose rankers were promoted."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("trained"))
    shutil.copyfile(recorded, settings.sqlite_path)
    database = open_database(settings.resolved_database_url)
    for days_ago in (1, 0):
        report = retrain(database, settings, as_of=AS_OF - timedelta(days=days_ago), seed=days_ago)
        assert report.model_version is not None, report.reasons
        promote_by_hand(database, settings, report.model_version, AS_OF)
    database.dispose()
    return settings.data_dir


@pytest.fixture
def trained_shop(trained: Path, tmp_path: Path) -> Settings:
    """A copy of it of the test's own."""
    shutil.copytree(trained, tmp_path / "trained")
    return Settings(data_dir=tmp_path / "trained")
