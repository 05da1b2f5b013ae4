"""A shop with a week behind it, for whatever is done to a log at night."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from recorded import AS_OF, OpenShop, record_week
from sqlalchemy import Engine

from personalize.data.database import open_database
from personalize.retrain import retrain
from personalize.retrain.succession import promote_by_hand
from personalize.settings import Settings


@pytest.fixture(scope="session")
def recorded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "personalize.sqlite3"
    shutil.copyfile(sqlite_template, path)
    record_week(path)
    return path


@pytest.fixture
def open_shop(recorded: Path, tmp_path: Path) -> OpenShop:
    """Opens the recorded shop in a data folder of the test's own."""

    def open_one(**values: object) -> tuple[Engine, Settings]:
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
