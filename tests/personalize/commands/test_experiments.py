"""`personalize experiments`: a file becomes a running experiment, and nobody moves unless it says so."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandGroup

from personalize.errors import ExperimentRefused, UnknownExperiment
from personalize.settings import Settings

PLAN = """
name = "styles"
started_at = 2026-01-01T00:00:00Z
goals = ["ctr=clicks/impressions"]
guardrails = ["spend=revenue/users"]
traffic = 0.5
variants = {control = 0.5, personal = 0.5}
policies = {control = "original"}
"""


experiments = CommandGroup("experiments")
run, answer = experiments.run, experiments.answer


@pytest.fixture
def settings(open_shop: Any) -> Settings:
    _, settings = open_shop()
    assert isinstance(settings, Settings)
    return settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "styles.toml"
    path.write_text(PLAN)
    return path


def test_a_file_is_stored_once_and_shown_as_it_is(file: Path, settings: Settings) -> None:
    assert "stored, running since 2026-01-01" in run("apply", str(file), settings=settings)
    assert "unchanged" in run("apply", str(file), settings=settings)
    shown = answer("show", "styles", settings=settings)
    assert shown["policies"] == {"control": "original", "personal": "personal"}
    assert shown["guardrails"] == ["spend=revenue/users"]
    assert "traffic: 0.5" in run("show", "styles", settings=settings)
    assert [plan["name"] for plan in answer("list", settings=settings)] == ["styles"]
    assert "control 50%, personal 50%" in run("list", settings=settings)


def test_what_is_shown_can_be_applied_elsewhere(file: Path, settings: Settings, tmp_path: Path) -> None:
    run("apply", str(file), settings=settings)
    shown = answer("show", "styles", settings=settings)
    assert "currency" not in shown
    del shown["state"]
    copy = tmp_path / "copy.json"
    copy.write_text(json.dumps(shown))
    assert answer("apply", str(copy), settings=settings)["changed"] is False


def test_a_currency_and_rates_are_stored_changed_and_taken_away(
    file: Path, settings: Settings, tmp_path: Path
) -> None:
    priced = PLAN + 'currency = "EUR"\nrates = {USD = 0.920, JPY = "0.006123456"}\n'
    file.write_text(priced)
    assert answer("apply", str(file), settings=settings)["changed"] is True
    assert answer("apply", str(file), settings=settings)["changed"] is False
    shown = answer("show", "styles", settings=settings)
    assert (shown["currency"], shown["rates"]) == ("EUR", {"JPY": "0.006123456", "USD": "0.92"})
    assert "currency: EUR" in run("show", "styles", settings=settings)
    file.write_text(priced.replace("0.920", "0.93"))
    assert answer("apply", str(file), settings=settings)["experiment"]["rates"]["USD"] == "0.93"
    assert answer("stop", "styles", settings=settings)["experiment"]["currency"] == "EUR"
    file.write_text(PLAN)
    assert answer("apply", str(file), settings=settings)["changed"] is True
    assert {"currency", "rates"}.isdisjoint(answer("show", "styles", settings=settings))


def test_traffic_grows_in_place_and_a_change_that_moves_users_wants_a_version(
    file: Path, settings: Settings
) -> None:
    run("apply", str(file), settings=settings)
    file.write_text(PLAN.replace("traffic = 0.5", "traffic = 1.0"))
    assert answer("apply", str(file), settings=settings)["experiment"]["traffic"] == 1.0
    moved = PLAN.replace("control = 0.5, personal = 0.5", "control = 0.9, personal = 0.1")
    file.write_text(moved.replace("traffic = 0.5", "traffic = 1.0"))
    with pytest.raises(ExperimentRefused, match="raise its version"):
        run("apply", str(file), settings=settings)
    assert answer("show", "styles", settings=settings)["variants"] == {"control": 0.5, "personal": 0.5}


def test_a_stopped_experiment_keeps_its_end(file: Path, settings: Settings) -> None:
    run("apply", str(file), settings=settings)
    assert "stopped on" in run("stop", "styles", settings=settings)
    ended = answer("show", "styles", settings=settings)["stopped_at"]
    assert answer("stop", "styles", settings=settings)["experiment"]["stopped_at"] == ended


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PLAN.replace('"original"', '"magic"'), "no policy 'magic'"),
        (PLAN.replace("policies = {control", "policies = {other"), "'other', which is no variant"),
        (PLAN.replace("personal = 0.5", "personal = 0.6"), "sum to 1"),
        (PLAN.replace("traffic", "trafic"), "no setting 'trafic'"),
        (PLAN + 'currency = "euro"', "three capitals of ISO 4217"),
        (PLAN + "rates = {USD = 0.92}", "name that too, such as EUR"),
        ("name = ", "is no TOML"),
    ],
)
def test_a_file_that_cannot_be_says_why(file: Path, settings: Settings, text: str, reason: str) -> None:
    file.write_text(text)
    with pytest.raises(ExperimentRefused, match=reason):
        run("apply", str(file), settings=settings)
    assert answer("list", settings=settings) == []


def test_what_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UnknownExperiment):
        run("stop", "nothing", settings=settings)
    with pytest.raises(ExperimentRefused, match="cannot be read"):
        run("apply", str(tmp_path / "missing.toml"), settings=settings)
