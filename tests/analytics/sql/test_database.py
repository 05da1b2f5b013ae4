"""Sums from SQLite and PostgreSQL equal those of the rows, and no rows travel."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from analytics import UnitDays
from analytics.errors import InvalidRows, MissingColumns, UnknownExperiment, UnreadableSource
from analytics.sql.database import Relations, read_experiment
from analytics.sql.database import database_url as checked_url

SHARES = {"original": 1.0, "popular": 1.0, "personal": 2.0}


def test_sums_of_the_views_equal_those_of_the_rows(database_url: str, days: UnitDays) -> None:
    found = read_experiment(database_url, "demo", columns=("clicks", "impressions"))
    assert found.moments == days.units().moments()
    assert found.shares == SHARES


def test_daily_sums_equal_those_of_the_rows(database_url: str, days: UnitDays) -> None:
    assert read_experiment(database_url, "demo").days == days.cumulative_moments()


def test_money_is_summed_where_the_view_has_it(database_url: str, days: UnitDays) -> None:
    found = read_experiment(database_url, "demo").moments["personal"]
    clicks = days.units().moments()["personal"]
    assert found.totals["revenue"] == 12.5 * clicks.totals["clicks"]
    assert found.products["revenue", "revenue"] == 12.5**2 * clicks.products["clicks", "clicks"]
    assert "purchases" not in found.totals


def test_one_row_a_variant_and_one_a_variant_and_day_come_back(sqlite_url: str) -> None:
    engine = sa.create_engine(sqlite_url)
    fetched: list[int] = []

    @sa.event.listens_for(engine, "after_cursor_execute")
    def remember(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "sum(" in statement.lower():
            fetched.append(statement.lower().count("group by"))

    result = read_experiment(engine, "demo")
    assert fetched == [1, 1]
    assert len(result.moments) == 3
    engine.dispose()


def test_a_planned_experiment_without_users_is_empty_rather_than_unknown(database_url: str) -> None:
    found = read_experiment(database_url, "idle")
    assert found.moments == {}
    assert found.shares == {"a": 1.0, "b": 1.0}


def test_an_unknown_experiment_is_answered_with_the_known_ones(database_url: str) -> None:
    with pytest.raises(UnknownExperiment, match="'demo', 'idle', 'other'"):
        read_experiment(database_url, "dmeo")


def test_an_experiment_name_is_data_and_never_sql(database_url: str) -> None:
    with pytest.raises(UnknownExperiment):
        read_experiment(database_url, "demo' OR '1'='1")


def test_an_experiment_without_a_plan_has_no_shares(database_url: str) -> None:
    assert read_experiment(database_url, "other").shares is None


def test_relations_may_have_other_names(sqlite_url: str, days: UnitDays) -> None:
    renamed = Relations(units="shoppers", days="no_such_view", experiments="no_such_table")
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW shoppers AS SELECT * FROM experiment_units")
    engine.dispose()
    found = read_experiment(sqlite_url, "demo", columns=("clicks", "impressions"), relations=renamed)
    assert found.moments == days.units().moments()
    assert found.days is None
    assert found.shares is None


def test_a_path_is_a_database_too(tmp_path: Path, sqlite_url: str) -> None:
    assert read_experiment(tmp_path / "shop.db", "demo").moments


def test_a_missing_file_is_refused_and_not_created(tmp_path: Path) -> None:
    missing = tmp_path / "nothing.db"
    with pytest.raises(UnreadableSource, match="no such database file"):
        read_experiment(missing, "demo")
    assert not missing.exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database, only a long enough text " * 50)
    with pytest.raises(UnreadableSource, match="not a database"):
        read_experiment(tmp_path / "notes.db", "demo")


def test_a_database_without_the_view_says_which(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE experiment_units (experiment TEXT, variant TEXT)")
    with pytest.raises(MissingColumns, match="'clicks', 'impressions'"):
        read_experiment(engine, "demo")
    with pytest.raises(UnreadableSource, match="'elsewhere'"):
        read_experiment(engine, "demo", relations=Relations(units="elsewhere"))
    engine.dispose()


def test_users_without_a_variant_are_refused(sqlite_url: str) -> None:
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE visits SET variant = NULL WHERE user_id = 'user-1'")
    with pytest.raises(InvalidRows, match="without a variant"):
        read_experiment(engine, "demo")
    engine.dispose()


def test_a_day_that_is_no_date_is_refused(sqlite_url: str) -> None:
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE visits SET day = 'Tuesday'")
    with pytest.raises(InvalidRows, match="'Tuesday'"):
        read_experiment(engine, "demo")
    engine.dispose()


@pytest.mark.parametrize("plan", ['["a", "b"]', '{"a": "half"}', '{"a": -1}', "{}"])
def test_a_plan_that_is_no_plan_is_refused(sqlite_url: str, plan: str) -> None:
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE experiments SET variants = :plan WHERE name = 'demo'"), {"plan": plan}
        )
    with pytest.raises(UnreadableSource, match="must read like"):
        read_experiment(engine, "demo")
    engine.dispose()


def test_a_password_is_never_repeated() -> None:
    with pytest.raises(UnreadableSource) as error:
        read_experiment("postgresql://shop:secret@127.0.0.1:1/shop", "demo")
    assert "secret" not in str(error.value)


def test_postgresql_is_reached_through_psycopg() -> None:
    assert checked_url("postgresql://host/shop").drivername == "postgresql+psycopg"
    assert checked_url("postgresql+asyncpg://host/shop").drivername == "postgresql+asyncpg"


@pytest.mark.parametrize("text", ["mongodb://host/shop", "://", "sqlite:///nowhere/at/all.db", ""])
def test_what_is_no_usable_url_is_refused(text: str) -> None:
    with pytest.raises(UnreadableSource):
        read_experiment(text, "demo")
