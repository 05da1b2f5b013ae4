"""`personalize models`: what is printed, what serves afterwards, and that broken files never do."""

import time
from typing import Any

import pytest
from command_line import CommandGroup

from personalize.engine import Engine
from personalize.errors import CorruptModel, NothingToRollBack, UnknownModelVersion
from personalize.models.artifact import MODEL
from personalize.settings import Settings

models = CommandGroup("models")
run, answer = models.run, models.answer


def versions(settings: Settings) -> tuple[str, str]:
    """The champion before, and the champion."""
    newest, before = (row["model_version"] for row in answer("list", settings=settings)["models"])
    return before, newest


def test_the_list_says_which_version_serves(trained_shop: Settings) -> None:
    listed = answer("list", settings=trained_shop)
    assert [row["is_champion"] for row in listed["models"]] == [True, False]
    assert listed["champion"] == listed["models"][0]["model_version"]
    assert listed["champion"] in run("list", settings=trained_shop)


def test_an_empty_registry_says_that_the_online_layer_serves(open_shop: Any) -> None:
    _, settings = open_shop()
    assert answer("list", settings=settings) == {"champion": None, "models": []}
    assert "the online layer serves" in run("list", settings=settings)
    with pytest.raises(NothingToRollBack):
        run("rollback", settings=settings)


def test_a_version_is_shown_with_its_measurements_and_the_state_of_its_files(trained_shop: Settings) -> None:
    _, newest = versions(trained_shop)
    shown = answer("show", newest, settings=trained_shop)
    assert shown["files"] == "intact"
    assert shown["report"]["evaluations"][0]["log_loss"] > 0
    (trained_shop.models_dir / newest / MODEL).write_text("broken")
    assert f"{MODEL} was changed" in answer("show", newest, settings=trained_shop)["files"]
    assert f"{MODEL} was changed" in run("show", newest, settings=trained_shop)


def test_a_rollback_takes_under_a_second_and_a_running_engine_follows(trained_shop: Settings) -> None:
    before, newest = versions(trained_shop)
    with Engine.open(trained_shop) as engine:
        assert engine.model_version == newest
        started = time.process_time()
        assert answer("rollback", settings=trained_shop) == {"taken_back": newest, "champion": before}
        assert time.process_time() - started < 1.0
        assert engine.refresh()
        assert engine.model_version == before
        assert answer("rollback", settings=trained_shop) == {"taken_back": before, "champion": None}
        assert engine.refresh()
        assert engine.model_version == "online"
        assert not engine.refresh()


def test_a_rollback_does_not_wait_for_the_model_to_load(
    trained_shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, newest = versions(trained_shop)
    monkeypatch.setattr("personalize.models.artifact._probe_once", pytest.fail)
    assert answer("rollback", settings=trained_shop) == {"taken_back": newest, "champion": before}


def test_nobody_waits_for_the_indexes_that_a_new_champion_asks_for(
    trained_shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = versions(trained_shop)
    with Engine.open(trained_shop) as engine:
        product = engine.products(limit=1)[0].product_id
        for user_id in ("ada", "grace"):
            with monkeypatch.context() as patched:
                patched.setattr("personalize.features.runs._Index.__init__", pytest.fail)
                assert engine.decide(user_id, [product])
            run("promote", before, settings=trained_shop)
            engine.refresh()


def test_a_version_that_the_gate_refused_can_be_promoted_by_hand(trained_shop: Settings) -> None:
    before, newest = versions(trained_shop)
    assert answer("promote", before, settings=trained_shop) == {"champion": before}
    assert answer("list", settings=trained_shop)["champion"] == before
    assert f"{newest} serves now" in run("rollback", settings=trained_shop)


def test_broken_files_are_not_promoted_nor_rolled_back_to(trained_shop: Settings) -> None:
    before, newest = versions(trained_shop)
    (trained_shop.models_dir / before / MODEL).write_text("broken")
    for arguments in (["promote", before], ["rollback"]):
        with pytest.raises(CorruptModel, match=before):
            run(*arguments, settings=trained_shop)
    assert answer("list", settings=trained_shop)["champion"] == newest


def test_an_unknown_version_is_named(trained_shop: Settings) -> None:
    for command in ("show", "promote"):
        with pytest.raises(UnknownModelVersion, match="no model version 'v0'"):
            run(command, "v0", settings=trained_shop)
