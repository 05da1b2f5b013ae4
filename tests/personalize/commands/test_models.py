"""`personalize models`: what is printed, what serves afterwards, and that broken files never do."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorded import AS_OF, OpenShop
from typer.testing import CliRunner

from personalize.__main__ import app
from personalize.data.database import reading, writing
from personalize.data.registry import champion, promote, register
from personalize.engine import Engine
from personalize.errors import CorruptModel, UnknownModelVersion
from personalize.features import History, StyleSpace
from personalize.models.artifact import MODEL, Provenance, save_ranker
from personalize.models.calibration import Calibration
from personalize.models.ranker import Ranker
from personalize.retrain import retrain
from personalize.settings import Settings

SECOND = "20260309T000000-second"


def run(*arguments: str, settings: Settings) -> str:
    result = CliRunner().invoke(
        app, [*arguments, "--data-dir", str(settings.data_dir)], env={"COLUMNS": "300"}
    )
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def answer(*arguments: str, settings: Settings) -> dict:
    return json.loads(run(*arguments, "--json", settings=settings))


@pytest.fixture
def two_champions(open_shop: OpenShop) -> tuple[Settings, str]:
    """A shop whose first night promoted a ranker, and whose second promoted `SECOND`."""
    engine, settings = open_shop()
    report = retrain(engine, settings, as_of=AS_OF)
    first = str(report.model_version)
    text = (settings.models_dir / first / MODEL).read_text()
    with Engine.open(settings) as shop:
        frame = shop._knowledge.frame(_requests(shop))
    second = Ranker(SECOND, text, Calibration(-1.0, 0.5))
    checksum = save_ranker(second, settings.models_dir, frame, Provenance(AS_OF, AS_OF, 0, 1))
    with writing(engine) as session:
        register(
            session,
            model_version=SECOND,
            created_at=AS_OF,
            trained_from=AS_OF,
            trained_until=AS_OF,
            manifest_sha256=checksum,
            report=report.to_dict(),
            verdict={"promote": False, "reasons": ["does not clear the bar"]},
        )
        promote(session, SECOND, AS_OF)
    engine.dispose()
    return settings, first
