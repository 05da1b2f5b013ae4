"""Model versions, the aliases that say which one serves, and the lease that only one trainer holds."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from personalize.data.database import upsert
from personalize.data.schema import Lease, ModelAlias, ModelVersion, Promotion
from personalize.errors import NothingToRollBack, UnknownModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"


def register(
    session: Session,
    *,
    model_version: str,
    created_at: datetime,
    trained_from: datetime,
    trained_until: datetime,
    manifest_sha256: str,
    report: Mapping[str, Any],
    verdict: Mapping[str, Any],
) -> ModelVersion:
    """Store a trained model version and make it the challenger. Its files must be complete by now."""
    row = ModelVersion(
        model_version=model_version,
        created_at=created_at,
        trained_from=trained_from,
        trained_until=trained_until,
        manifest_sha256=manifest_sha256,
        report=dict(report),
        verdict=dict(verdict),
    )
    session.add(row)
    session.flush()
    _point(session, CHALLENGER, model_version, created_at)
    return row


def promote(session: Session, model_version: str, now: datetime) -> None:
    """Make a registered version the champion; running services follow. The champion again changes nothing.

    Raises:
        UnknownModelVersion: it is not registered.
    """
    read_model_version(session, model_version)
    serving = champion(session)
    if serving is not None and serving.model_version == model_version:
        return
    session.add(Promotion(model_version=model_version, promoted_at=now, withdrawn_at=None))
    _point(session, CHAMPION, model_version, now)


def withdraw(session: Session, now: datetime) -> tuple[str, str | None]:
    """Take the last promotion back: the champion before it serves again, or none if it was the first.

    Withdrawing again goes back one promotion further.

    Returns:
        The version taken back, and the one that serves now.
    Raises:
        NothingToRollBack: there is no champion.
    """
    promotions = standing_promotions(session, limit=2)
    if not promotions:
        raise NothingToRollBack
    promotions[0].withdrawn_at = now
    taken_back = promotions[0].model_version
    if len(promotions) == 1:
        session.execute(delete(ModelAlias).where(ModelAlias.alias == CHAMPION))
        return taken_back, None
    _point(session, CHAMPION, promotions[1].model_version, now)
    return taken_back, promotions[1].model_version


def standing_promotions(session: Session, limit: int = 100) -> list[Promotion]:
    """Promotions that were not taken back, the latest first: its version is the champion."""
    query = select(Promotion).where(Promotion.withdrawn_at.is_(None)).order_by(Promotion.promotion_id.desc())
    return list(session.scalars(query.limit(limit)))


def _point(session: Session, alias: str, model_version: str, now: datetime) -> None:
    upsert(session, ModelAlias, [{"alias": alias, "model_version": model_version, "moved_at": now}])


def champion(session: Session) -> ModelVersion | None:
    """The version that serves; None before the first promotion."""
    return _named(session, CHAMPION)


def challenger(session: Session) -> ModelVersion | None:
    """The version registered last, promoted or not."""
    return _named(session, CHALLENGER)


def _named(session: Session, alias: str) -> ModelVersion | None:
    query = (
        select(ModelVersion)
        .join(ModelAlias, ModelAlias.model_version == ModelVersion.model_version)
        .where(ModelAlias.alias == alias)
    )
    return session.scalars(query).one_or_none()


def read_model_version(session: Session, model_version: str) -> ModelVersion:
    """
    Raises:
        UnknownModelVersion: it is not registered.
    """
    row = session.get(ModelVersion, model_version)
    if row is None:
        raise UnknownModelVersion(model_version)
    return row


def read_model_versions(session: Session, limit: int = 100) -> list[ModelVersion]:
    """The latest versions, newest first."""
    query = select(ModelVersion).order_by(ModelVersion.created_at.desc(), ModelVersion.model_version.desc())
    return list(session.scalars(query.limit(limit)))


def acquire_lease(session: Session, name: str, holder: str, now: datetime, seconds: float) -> str:
    """Take, or prolong, the lease if it is free, expired or ours; returns who holds it now.

    It is ours when the answer equals `holder`. A holder that is killed loses it after `seconds`.
    """
    row = {"name": name, "holder": holder, "expires_at": now + timedelta(seconds=seconds)}
    is_free = or_(Lease.expires_at <= now, Lease.holder == holder)
    if upsert(session, Lease, [row], where=is_free):
        return holder
    return session.scalars(select(Lease.holder).where(Lease.name == name)).one()


def release_lease(session: Session, name: str, holder: str) -> None:
    """Give the lease back; harmless when somebody else holds it."""
    session.execute(delete(Lease).where(Lease.name == name, Lease.holder == holder))
