"""A whole night on a database: promoted, refused, killed at every step, run twice, run at once."""

import multiprocessing
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from recorded import AS_OF, OpenShop
from sqlalchemy import Engine, delete

from personalize.data.database import open_database, reading, writing
from personalize.data.registry import acquire_lease, challenger, champion, read_model_versions
from personalize.data.schema import Lease, Slate, User
from personalize.engine import Engine as ShopEngine
from personalize.errors import RetrainInProgress
from personalize.models import load_scorer
from personalize.models.artifact import MODEL
from personalize.models.succession import promote_by_hand
from personalize.retrain import RetrainReport, nightly, retrain
from personalize.settings import Settings
from personalize.simulate.shop import FIRST_DAY

if TYPE_CHECKING:
    import pandas as pd


def serving(engine: Engine) -> str | None:
    with reading(engine) as session:
        row = champion(session)
        return row.model_version if row else None


def test_a_night_promotes_a_ranker_that_loads_and_says_what_it_rests_on(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    report = retrain(engine, settings, as_of=AS_OF)
    assert report.verdict == "promoted", report.reasons
    assert report.model_version == serving(engine)
    with reading(engine) as session:
        row = champion(session)
        assert row is not None
        load_scorer(settings.models_dir, row.model_version, manifest_sha256=row.manifest_sha256)
        assert row.report["verdict"] == "promoted"
        assert (row.trained_from, row.trained_until) == (AS_OF - settings.history_window, AS_OF)
    assert report.holdout_from == AS_OF - timedelta(days=1)
    assert [one.model_version for one in report.evaluations] == ["challenger", "online", "popularity"]
    losses = [one["log_loss"] for one in report.to_dict()["evaluations"]]
    assert losses == sorted(losses)
    assert report.learned


def test_the_next_night_is_judged_against_the_champion_on_the_same_rows(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    first = retrain(engine, settings, as_of=AS_OF - timedelta(days=1))
    promote_by_hand(engine, settings, str(first.model_version), AS_OF)
    second = retrain(engine, settings, as_of=AS_OF)
    assert second.champion_version == first.model_version
    assert [one.model_version for one in second.evaluations][3] == first.model_version
    assert len({one.n_clicks for one in second.evaluations}) == 1


def test_a_champion_is_not_compared_on_days_that_it_was_trained_on(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    retrain(engine, settings, as_of=AS_OF)
    again = retrain(engine, settings, as_of=AS_OF)
    assert [one.model_version for one in again.evaluations] == ["challenger", "online", "popularity"]
    assert {gain.over for gain in again.decision.gains} == {"online", "popularity"}


def test_the_same_night_again_gives_the_same_version_and_changes_nothing(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    first = retrain(engine, settings, as_of=AS_OF)
    model = (settings.models_dir / str(first.model_version) / MODEL).read_bytes()
    again = retrain(engine, settings, as_of=AS_OF)
    assert again.verdict == first.verdict == "promoted"
    assert again.model_version == first.model_version == serving(engine)
    assert (settings.models_dir / str(first.model_version) / MODEL).read_bytes() == model
    with reading(engine) as session:
        assert len(read_model_versions(session)) == 1


def test_what_happens_after_the_moment_asked_for_is_not_learned(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    early = retrain(engine, settings, as_of=AS_OF - timedelta(days=2))
    late = retrain(engine, settings, as_of=AS_OF)
    assert early.n_impressions < late.n_impressions
    assert early.model_version != late.model_version


def test_too_few_clicks_are_refused_and_nothing_is_registered(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    report = retrain(engine, settings, as_of=FIRST_DAY + timedelta(hours=10))
    assert report.verdict == "refused"
    assert "too few clicks" in report.reasons[0]
    assert (report.model_version, serving(engine)) == (None, None)
    assert report.to_dict()["evaluations"] == []


def test_an_empty_shop_is_refused_in_words(database_url: str, tmp_path: Path) -> None:
    engine = open_database(database_url)
    settings = Settings(data_dir=tmp_path, database_url=database_url)
    report = retrain(engine, settings, as_of=AS_OF)
    assert report.reasons == (
        "too few clicks to train a ranker: 0 on 0 impressions, 100 are needed on either side of the split; "
        "what serves goes on serving",
    )
    engine.dispose()


Poison = Callable[["pd.DataFrame"], "pd.DataFrame"]


def shuffled(log: "pd.DataFrame") -> "pd.DataFrame":
    """What came of each impression, given to another."""
    order = np.random.default_rng(0).permutation(len(log))
    delays = {
        name: (log[name] - log["shown_at"]).to_numpy()[order] for name in ("clicked_at", "purchased_at")
    }
    return log.assign(**{name: log["shown_at"] + delay for name, delay in delays.items()})


def with_a_bot(log: "pd.DataFrame") -> "pd.DataFrame":
    """The most active user clicks all that is shown."""
    bot = log["user_id"].value_counts().index[0]
    at = log["clicked_at"].where(log["user_id"] != bot, log["shown_at"] + timedelta(seconds=1))
    return log.assign(clicked_at=at)


def half(log: "pd.DataFrame") -> "pd.DataFrame":
    return log.sample(frac=0.5, random_state=0).sort_values(["shown_at", "impression_id"], ignore_index=True)


def without_the_evening(log: "pd.DataFrame") -> "pd.DataFrame":
    return log[log["shown_at"] < AS_OF - timedelta(hours=9)].reset_index(drop=True)


def without_late_clicks(log: "pd.DataFrame") -> "pd.DataFrame":
    is_lost = (log["shown_at"] >= AS_OF - timedelta(days=1)) & (log.index % 3 > 0)
    return log.assign(clicked_at=log["clicked_at"].mask(is_lost))


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (shuffled, "does not clear the bar"),
        (with_a_bot, "look like a bot's: user 'shopper-"),
        (half, "part of the log is missing: of "),
        (without_the_evening, "part of the latest day is missing"),
        (without_late_clicks, "clicks of the latest day are missing"),
    ],
)
def test_a_poisoned_night_is_refused_with_the_reason_and_the_champion_stays(
    poison: Poison, reason: str, trained_shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(trained_shop.resolved_database_url)
    before, honest = serving(engine), nightly.read_log
    monkeypatch.setattr(nightly, "read_log", lambda *a, **values: poison(honest(*a, **values)))
    report = retrain(engine, trained_shop, as_of=AS_OF, seed=5)
    assert report.verdict == "refused"
    assert any(reason in said for said in report.reasons)
    assert serving(engine) == before
    with reading(engine) as session:
        latest = challenger(session)
        assert latest is not None
        assert latest.model_version == report.model_version
        assert latest.verdict["promote"] is False


def test_an_honest_night_after_the_others_is_not_refused_for_its_log(trained_shop: Settings) -> None:
    engine = open_database(trained_shop.resolved_database_url)
    report = retrain(engine, trained_shop, as_of=AS_OF, seed=5)
    assert not [reason for reason in report.reasons if "missing" in reason or "bot" in reason]
    assert set(report.to_dict()["off_policy"]) == {"dr", "snips", "switch"}


def test_two_nights_started_at_once_leave_one_complete_champion(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    engine.dispose()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(2)
    nights = [context.Process(target=night_at, args=(settings, start)) for _ in range(2)]
    for night in nights:
        night.start()
    for night in nights:
        night.join()
    assert sorted(night.exitcode for night in nights) == [0, REFUSED]
    engine = open_database(settings.resolved_database_url)
    named = serving(engine)
    assert [path.name for path in settings.models_dir.iterdir()] == [named]
    load_scorer(settings.models_dir, str(named))


REFUSED = 3


def night_at(settings: Settings, start: Any) -> None:
    start.wait()
    try:
        retrain(open_database(settings.resolved_database_url), settings, as_of=AS_OF)
    except RetrainInProgress:
        os._exit(REFUSED)
    os._exit(0)


def test_a_forgotten_user_leaves_no_trace_in_the_next_model(open_shop: OpenShop, tmp_path: Path) -> None:
    """Forgotten in one shop, never there in the other: the bits of the next model are the same."""
    engine, settings = open_shop()
    with_user = retrain(engine, settings, as_of=AS_OF)
    other = settings.model_copy(update={"data_dir": tmp_path / "other"})
    other.data_dir.mkdir()
    shutil.copyfile(settings.sqlite_path, other.sqlite_path)
    with ShopEngine.open(settings, clock=lambda: AS_OF) as shop:
        user_id = shop.featured_users(1)[0] if shop.featured_users(1) else "shopper-0001"
        assert shop.forget(user_id) > 0
        memory = shop._knowledge._memory
        assert user_id not in memory.history.users._codes
        assert user_id not in memory.online.beliefs.users._codes
        assert shop.forget(user_id) == 0
    never_there = open_database(other.resolved_database_url)
    with writing(never_there) as session:
        for table in (Slate, User):
            session.execute(delete(table).where(table.user_id == user_id))
    forgotten, without = (
        retrain(open_database(each.resolved_database_url), each, as_of=AS_OF) for each in (settings, other)
    )
    assert forgotten.model_version == without.model_version != with_user.model_version
    first, second = (each.models_dir / str(without.model_version) / MODEL for each in (settings, other))
    assert first.read_bytes() == second.read_bytes()


def test_a_broken_champion_is_replaced_by_a_challenger_that_clears_the_bar(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    first = retrain(engine, settings, as_of=AS_OF - timedelta(days=1))
    (settings.models_dir / str(first.model_version) / MODEL).write_text("broken")
    second = retrain(engine, settings, as_of=AS_OF)
    assert second.verdict == "promoted"
    assert serving(engine) == second.model_version


STEPS = (
    "remove_unfinished",
    "read_log",
    "play",
    "read_examples",
    "read_decisions",
    "challenge",
    "save_ranker",
    "load_scorer",
    "register",
    "promote",
)
"""In the order of a night; to die before a step is to die after the one before it."""


def test_killed_between_any_two_steps_a_night_leaves_a_whole_champion_and_can_be_run_again(
    open_shop: OpenShop,
) -> None:
    engine, settings = open_shop()
    for step in STEPS:
        run_until(settings, step)
        assert serving(engine) is None, step
    with writing(engine) as session:
        session.execute(delete(Lease))  # else it dies taking over the lease of the night before it
    run_until(settings, "release_lease")
    named = serving(engine)
    assert named is not None
    load_scorer(settings.models_dir, named)
    report = retrain(engine, settings, as_of=AS_OF)
    assert report.verdict == "promoted"
    assert [path.name for path in settings.models_dir.iterdir()] == [named] == [report.model_version]


def run_until(settings: Settings, step: str) -> None:
    """Run a night in another process that dies, as if the power went, just before a step."""
    child = multiprocessing.get_context("fork").Process(target=night_killed_at, args=(settings, step))
    child.start()
    child.join()
    assert child.exitcode == DIED, step


DIED = 9


def night_killed_at(settings: Settings, step: str) -> None:
    setattr(nightly, step, lambda *_, **__: os._exit(DIED))
    retrain(open_database(settings.resolved_database_url), settings, as_of=AS_OF)


def test_only_one_may_retrain_at_a_time(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    with writing(engine) as session:
        acquire_lease(session, nightly.LEASE, "another-host:1:abc", datetime.now(UTC), 600)
    with pytest.raises(RetrainInProgress, match="another-host:1:abc is retraining already"):
        retrain(engine, settings, as_of=AS_OF)


def test_the_lease_of_a_host_that_vanished_ends(open_shop: OpenShop) -> None:
    engine, settings = open_shop()
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with writing(engine) as session:
        acquire_lease(session, nightly.LEASE, "another-host:1:abc", long_ago, 600)
    assert retrain(engine, settings, as_of=AS_OF).verdict == "promoted"


def test_a_night_that_fails_gives_its_lease_back(
    open_shop: OpenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, settings = open_shop()
    monkeypatch.setattr(nightly, "read_log", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        retrain(engine, settings, as_of=AS_OF)
    monkeypatch.undo()
    assert isinstance(retrain(engine, settings, as_of=AS_OF), RetrainReport)
