"""The migrations lead to the schema and back, on both databases, from a checkout and by code."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from factories import (
    NOW,
    make_click,
    make_experiment,
    make_product,
    make_purchase,
    make_slate,
    make_styles,
)
from sqlalchemy import Engine, inspect, text

from personalize.data.database import (
    current_revision,
    downgrade,
    head_revision,
    migration_connection,
    open_database,
    reading,
    require_head,
    upgrade,
    writing,
)
from personalize.data.events import record_events
from personalize.data.experiments import change_experiment, read_experiment
from personalize.data.schema import Base
from personalize.errors import DatabaseOutOfDate, DatabaseUnavailable

ROOT = Path(__file__).parent.parent
VIEWS = ["experiment_unit_days", "experiment_units"]


def tables_and_views(url: str) -> tuple[set[str], list[str]]:
    engine = open_database(url)
    names = inspect(engine)
    found = set(names.get_table_names()) - {"alembic_version"}, sorted(names.get_view_names())
    engine.dispose()
    return found


def alembic(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from alembic.config import main; main()", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def test_upgrade_makes_every_table_and_both_views(bare_database_url: str) -> None:
    upgrade(bare_database_url)
    assert tables_and_views(bare_database_url) == (set(Base.metadata.tables), VIEWS)


def test_the_migrated_schema_is_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_way_back_leaves_nothing_and_the_way_forth_is_open_again(bare_database_url: str) -> None:
    upgrade(bare_database_url)
    downgrade(bare_database_url, "base")
    assert tables_and_views(bare_database_url) == (set(), [])
    upgrade(bare_database_url)
    assert tables_and_views(bare_database_url) == (set(Base.metadata.tables), VIEWS)


def test_a_database_with_data_can_go_back(database_url: str) -> None:
    engine = open_database(database_url)
    with writing(engine) as session:
        make_styles(session)
        make_experiment(session)
        [shown] = make_slate(session, experiment="demo", variant="personal")
        record_events(session, [make_click(shown), make_purchase(shown)], NOW + timedelta(hours=1))
    engine.dispose()
    downgrade(database_url, "base")
    assert tables_and_views(database_url) == (set(), [])


def test_ratings_keep_what_fits_on_the_way_forth_and_back(bare_database_url: str) -> None:
    upgrade(bare_database_url, "tables_and_views")
    engine = open_database(bare_database_url)
    row = (
        "INSERT INTO ratings (rating_id, rater_id, product_id, style_id, other_style_id, preferred_style_id, "
    )
    row += "score, rated_at) VALUES "
    now = "'2026-03-01 12:00:00+00:00'"
    with writing(engine) as session:
        make_styles(session)
        make_product(session, "mug")
        session.execute(text(f"{row} ('score', 'eve', 'mug', 'waves', NULL, NULL, 4, {now})"))
        session.execute(text(f"{row} ('pair', 'eve', 'mug', 'waves', 'woodcut', 'waves', NULL, {now})"))
    upgrade(bare_database_url)
    with writing(engine) as session:
        session.execute(text(f"{row} ('tie', 'eve', 'mug', 'waves', 'woodcut', NULL, NULL, {now})"))
        assert session.scalar(text("SELECT COUNT(*) FROM ratings WHERE rater_id = 'eve'")) == 3
    downgrade(bare_database_url, "tables_and_views")
    with reading(engine) as session:
        kept = session.execute(text("SELECT rating_id, score FROM ratings ORDER BY rating_id")).all()
    assert [tuple(one) for one in kept] == [("pair", None), ("score", 4)]
    engine.dispose()


def test_an_experiment_from_before_currencies_goes_forth_and_back(bare_database_url: str) -> None:
    upgrade(bare_database_url, "fewer_indexes")
    engine = open_database(bare_database_url)
    columns = "name, salt, variants, policies, started_at, traffic"
    row = """'demo', 'salt', '{"a": 1}', '{"a": "personal"}', '2026-03-01 12:00:00+00:00', 0.5"""
    with writing(engine) as session:
        session.execute(text(f"INSERT INTO experiments ({columns}) VALUES ({row})"))
    upgrade(bare_database_url)
    with writing(engine) as session:
        stored = read_experiment(session, "demo")
        assert (stored.currency, stored.rates, stored.traffic) == (None, {}, 0.5)
        priced = replace(stored, currency="EUR", rates={"USD": "0.92"})
        assert change_experiment(session, priced, NOW) == priced
    downgrade(bare_database_url, "fewer_indexes")
    assert {"currency", "rates"}.isdisjoint(c["name"] for c in inspect(engine).get_columns("experiments"))
    upgrade(bare_database_url)
    with reading(engine) as session:
        assert read_experiment(session, "demo") == stored
    engine.dispose()


def test_upgrading_twice_keeps_the_data(database_url: str) -> None:
    engine = open_database(database_url)
    with writing(engine) as session:
        make_styles(session, "waves")
    upgrade(database_url)
    with reading(engine) as session:
        assert session.scalar(text("SELECT COUNT(*) FROM styles")) == 2
    engine.dispose()


def test_two_processes_may_upgrade_at_once(bare_database_url: str) -> None:
    """As when several servers start on a new release: one migrates, the other finds it done."""
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from personalize.data.database import upgrade; upgrade(sys.argv[1])",
                bare_database_url,
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    assert tables_and_views(bare_database_url) == (set(Base.metadata.tables), VIEWS)


def test_a_bare_database_is_refused_with_the_command_to_run(bare_database_url: str) -> None:
    engine = open_database(bare_database_url)
    assert current_revision(engine) is None
    with pytest.raises(DatabaseOutOfDate, match=r"at revision none.*run `personalize db upgrade`"):
        require_head(engine)
    upgrade(bare_database_url)
    require_head(engine)
    assert current_revision(engine) == head_revision()
    engine.dispose()


def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    engine = open_database(database_url)
    with writing(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    with pytest.raises(DatabaseOutOfDate, match="from_the_future"):
        require_head(engine)
    for change in (lambda: upgrade(database_url), lambda: downgrade(database_url, "base")):
        with pytest.raises(DatabaseUnavailable, match=r"from_the_future, which this version does not know"):
            change()
    engine.dispose()


def test_a_migration_that_breaks_references_is_rolled_back(sqlite_url: str) -> None:
    orphan = text("INSERT INTO slates VALUES ('s', 'nobody', '2026-01-01 00:00:00', '{}')")
    with (
        pytest.raises(DatabaseUnavailable, match="1 rows of slates would point to nothing"),
        migration_connection(sqlite_url) as connection,
    ):
        connection.execute(orphan)
    engine = open_database(sqlite_url)
    with reading(engine) as session:
        assert session.scalar(text("SELECT COUNT(*) FROM slates")) == 0
    engine.dispose()


def test_only_one_migration_runs_at_a_time(database_url: str) -> None:
    entered = threading.Event()
    order: list[str] = []

    def second() -> None:
        entered.set()
        with migration_connection(database_url):
            order.append("second")

    thread = threading.Thread(target=second)
    with migration_connection(database_url):
        thread.start()
        entered.wait(30)
        thread.join(0.2)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]


def test_alembic_works_from_a_checkout_with_the_settings_of_pyproject(tmp_path: Path) -> None:
    data_dir = {"PERSONALIZE_DATA_DIR": str(tmp_path / "data"), "PERSONALIZE_DATABASE_URL": ""}
    for command in (["upgrade", "head"], ["check"], ["downgrade", "base"]):
        answer = alembic(*command, **data_dir)
        assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "data" / "personalize.sqlite3").exists()


@pytest.mark.parametrize("dialect", ["sqlite:///unused.sqlite3", "postgresql://nowhere/shop"])
def test_the_statements_can_be_printed_for_someone_else_to_run(dialect: str) -> None:
    answer = alembic("upgrade", "head", "--sql", PERSONALIZE_DATABASE_URL=dialect)
    assert answer.returncode == 0, answer.stderr
    assert "CREATE TABLE impressions" in answer.stdout
    assert ("to_char" if dialect.startswith("postgresql") else "substr") in answer.stdout


def test_migrating_does_not_import_torch_or_pandas(tmp_path: Path) -> None:
    code = (
        "import sys; from personalize.data.database import upgrade; upgrade(sys.argv[1])\n"
        "print(sorted({'torch', 'pandas', 'lightgbm', 'scipy'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{tmp_path}/shop.sqlite3"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert answer.stdout.strip() == "[]"
