"""Which model serves, and who may train."""

from datetime import timedelta

import pytest
from factories import NOW
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from personalize.data.database import reading, writing
from personalize.data.registry import (
    acquire_lease,
    challenger,
    champion,
    promote,
    read_model_version,
    read_model_versions,
    register,
    release_lease,
    standing_promotions,
    withdraw,
)
from personalize.data.schema import ModelVersion
from personalize.errors import NothingToRollBack, UnknownModelVersion


def register_version(session: Session, model_version: str, *, days: int = 0) -> ModelVersion:
    created_at = NOW + timedelta(days=days)
    return register(
        session,
        model_version=model_version,
        created_at=created_at,
        trained_from=created_at - timedelta(days=30),
        trained_until=created_at,
        manifest_sha256="0" * 64,
        report={"ndcg": 0.41, "slates": 1200},
        verdict={"promote": True, "reasons": ["better by 0.02"]},
    )


def test_before_the_first_training_nothing_serves(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session:
        assert champion(session) is None
        assert challenger(session) is None
        assert read_model_versions(session) == []


def test_a_registered_version_is_the_challenger_until_promoted(engine: Engine) -> None:
    with writing(engine) as session:
        register_version(session, "v1")
    with reading(engine) as session:
        assert champion(session) is None
        assert challenger(session).model_version == "v1"
    with writing(engine) as session:
        promote(session, "v1", NOW)
    with reading(engine) as session:
        served = champion(session)
    assert served.report == {"ndcg": 0.41, "slates": 1200}
    assert served.trained_until == NOW


def test_promotion_moves_and_can_move_back(engine: Engine) -> None:
    with writing(engine) as session:
        register_version(session, "v1")
        register_version(session, "v2", days=1)
        for version in ("v1", "v2", "v1"):
            promote(session, version, NOW)
            assert champion(session).model_version == version
        assert challenger(session).model_version == "v2"
        assert [row.model_version for row in read_model_versions(session)] == ["v2", "v1"]
        assert [row.model_version for row in read_model_versions(session, limit=1)] == ["v2"]


def test_only_registered_versions_can_be_promoted(engine: Engine) -> None:
    with writing(engine) as session:
        with pytest.raises(UnknownModelVersion):
            promote(session, "v9", NOW)
        with pytest.raises(UnknownModelVersion):
            read_model_version(session, "v9")


def test_a_promotion_that_is_rolled_back_never_happened(engine: Engine) -> None:
    with writing(engine) as session:
        register_version(session, "v1")
        promote(session, "v1", NOW)

    def promote_and_stumble(session: Session) -> None:
        register_version(session, "v2")
        promote(session, "v2", NOW)
        promote(session, "v3", NOW)

    with pytest.raises(UnknownModelVersion), writing(engine) as session:
        promote_and_stumble(session)
    with reading(engine) as session:
        assert champion(session).model_version == "v1"
        assert [row.model_version for row in read_model_versions(session)] == ["v1"]


def test_one_holder_at_a_time_has_the_lease(engine: Engine) -> None:
    with writing(engine) as session:
        assert acquire_lease(session, "retrain", "first", NOW, 60) == "first"
    with writing(engine) as session:
        assert acquire_lease(session, "retrain", "second", NOW + timedelta(seconds=59), 60) == "first"
        assert acquire_lease(session, "export", "second", NOW, 60) == "second"


def test_a_holder_may_prolong_and_give_back(engine: Engine) -> None:
    with writing(engine) as session:
        acquire_lease(session, "retrain", "first", NOW, 60)
        assert acquire_lease(session, "retrain", "first", NOW + timedelta(seconds=50), 60) == "first"
        assert acquire_lease(session, "retrain", "second", NOW + timedelta(seconds=100), 60) == "first"
        release_lease(session, "retrain", "second")
        assert acquire_lease(session, "retrain", "second", NOW + timedelta(seconds=100), 60) == "first"
        release_lease(session, "retrain", "first")
        assert acquire_lease(session, "retrain", "second", NOW + timedelta(seconds=100), 60) == "second"


def test_a_killed_holder_loses_the_lease_when_it_expires(engine: Engine) -> None:
    with writing(engine) as session:
        acquire_lease(session, "retrain", "killed", NOW, 60)
        assert acquire_lease(session, "retrain", "next", NOW + timedelta(seconds=60), 60) == "next"


def serving(engine: Engine) -> str | None:
    with reading(engine) as session:
        row = champion(session)
    return row.model_version if row else None


def test_each_rollback_goes_one_promotion_further_back(engine: Engine) -> None:
    with writing(engine) as session:
        for days, version in enumerate(("v1", "v2", "v3")):
            register_version(session, version, days=days)
            promote(session, version, NOW)
    for taken_back, left in (("v3", "v2"), ("v2", "v1"), ("v1", None)):
        with writing(engine) as session:
            assert withdraw(session, NOW) == (taken_back, left)
        assert serving(engine) == left
    with writing(engine) as session, pytest.raises(NothingToRollBack, match="the online layer serves"):
        withdraw(session, NOW)


def test_a_version_promoted_anew_after_a_rollback_is_the_last_promotion(engine: Engine) -> None:
    with writing(engine) as session:
        for version in ("v1", "v2"):
            register_version(session, version)
            promote(session, version, NOW)
        withdraw(session, NOW)
        promote(session, "v2", NOW)
        assert [row.model_version for row in standing_promotions(session)] == ["v2", "v1"]


def test_promoting_the_champion_again_is_no_second_promotion(engine: Engine) -> None:
    with writing(engine) as session:
        register_version(session, "v1")
        promote(session, "v1", NOW)
        promote(session, "v1", NOW)
        assert len(standing_promotions(session)) == 1
