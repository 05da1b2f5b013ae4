"""The garbage collector while the service runs."""

import gc
from collections.abc import Callable

from fastapi.testclient import TestClient

from personalize.service.app import create_app
from personalize.service.garbage import THRESHOLDS
from personalize.settings import Settings


def test_it_is_eased_while_the_service_runs_and_not_after(make_settings: Callable[..., Settings]) -> None:
    before = gc.get_threshold()
    with TestClient(create_app(make_settings())):
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == before
