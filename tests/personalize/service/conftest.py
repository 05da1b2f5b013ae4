"""A running service: a migrated SQLite database, a tiny catalogue, the shipped network at small sizes."""

import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # so that a test here can import `answers`

from answers import PRODUCTS

from personalize.data.catalogue import add_products, register_styles
from personalize.data.database import open_database, writing
from personalize.data.experiments import create_experiment
from personalize.rendering import measure_photo, styles_of_checkpoint
from personalize.service.app import create_app
from personalize.settings import Settings

VARIANTS = ("original", "popular", "personal")
_users = count(1)


def draw_photo(path: Path, seed: int, width: int = 96, height: int = 72) -> None:
    coarse = np.random.default_rng(seed).integers(40, 220, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)


@pytest.fixture(scope="session")
def shop_dir(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder to copy: database, four products with photos, styles, the experiment `demo`."""
    folder = tmp_path_factory.mktemp("shop")
    settings = Settings(data_dir=folder)
    shutil.copyfile(sqlite_template, settings.sqlite_path)
    source = tmp_path_factory.mktemp("photos")
    rows = ["product_id,title,category,image"]
    for seed, product_id in enumerate(PRODUCTS):
        draw_photo(source / f"{seed}.png", seed)
        rows.append(f"{product_id},The {product_id},{product_id[:3]},{seed}.png")
    (source / "catalogue.csv").write_text("\n".join(rows), encoding="utf-8")
    now = datetime.now(UTC)
    database = open_database(settings.resolved_database_url)
    with writing(database) as session:
        register_styles(session, styles_of_checkpoint(settings), now)
        shares = dict.fromkeys(VARIANTS, 1 / 3)
        create_experiment(session, "demo", shares, {name: name for name in VARIANTS}, "salt", now)
    add_products(
        database,
        source / "catalogue.csv",
        settings.photos_dir,
        measure=lambda path: measure_photo(path, max_pixels=1_000_000),
        now=now,
    )
    database.dispose()
    return folder


@pytest.fixture
def make_settings(shop_dir: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings on a copy of the shop, the test's own."""

    def make(**values: Any) -> Settings:
        folder = tmp_path / "data"
        if not folder.exists():
            shutil.copytree(shop_dir, folder)
        return Settings(data_dir=folder, device="cpu", seed=0, **values)

    return make


@pytest.fixture(scope="session")
def client(shop_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service for all tests that only ask and add; each takes users of its own."""
    folder = tmp_path_factory.mktemp("service") / "data"
    shutil.copytree(shop_dir, folder)
    app = create_app(Settings(data_dir=folder, device="cpu", seed=0))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def user_id() -> str:
    return f"user-{next(_users)}"
