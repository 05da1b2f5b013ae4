"""Who serves, changed by hand: promote a version, or take a promotion back. Files are checked first."""

import logging
from datetime import datetime

from sqlalchemy import Engine

from personalize.data.database import reading, writing
from personalize.data.registry import promote, read_model_version, standing_promotions, withdraw
from personalize.errors import NothingToRollBack
from personalize.models.artifact import check_files, load_scorer
from personalize.settings import Settings

logger = logging.getLogger(__name__)


def promote_by_hand(engine: Engine, settings: Settings, model_version: str, now: datetime) -> None:
    """Make a registered version the champion, whatever the gate said; running services follow.

    Raises:
        UnknownModelVersion: it is not registered.
        CorruptModel: its files are not what was registered; the champion stays.
    """
    load_scorer(settings.models_dir, model_version, manifest_sha256=_registered(engine, model_version))
    with writing(engine) as session:
        promote(session, model_version, now)
    logger.info("model_promoted_by_hand", extra={"model_version": model_version})


def roll_back(engine: Engine, settings: Settings, now: datetime) -> tuple[str, str | None]:
    """Take the last promotion back; running services follow. Again goes back one further.

    The one before has served, so its files are compared with what was registered but not loaded, which would
    take seconds. A service loads them with every check before it lets go of the one that it has.

    Returns:
        The version taken back, and the one that serves now: None is the online layer by itself.
    Raises:
        NothingToRollBack: there is no champion.
        CorruptModel: the files of the one before do not hold; the champion stays. Promote another by name.
    """
    with reading(engine) as session:
        promotions = [row.model_version for row in standing_promotions(session, limit=2)]
    if not promotions:
        raise NothingToRollBack
    if len(promotions) > 1:
        check_files(settings.models_dir, promotions[1], manifest_sha256=_registered(engine, promotions[1]))
    with writing(engine) as session:
        taken_back, serving = withdraw(session, now)
    logger.info("model_rolled_back", extra={"model_version": taken_back, "serving": serving})
    return taken_back, serving


def _registered(engine: Engine, model_version: str) -> str:
    """The checksum of its manifest."""
    with reading(engine) as session:
        return read_model_version(session, model_version).manifest_sha256
