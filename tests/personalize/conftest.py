"""A shop with a week behind it, for whatever is done to a log at night."""

import shutil
from pathlib import Path

import pytest
from recorded import OpenShop, record_week
from sqlalchemy import Engine

from personalize.data.database import open_database
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
