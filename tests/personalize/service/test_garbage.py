"""The garbage collector while the service runs."""

import gc
from collections.abc import Callable

from fastapi.testclient import TestClient

from personalize.service.app import create_app
from personalize.service.garbage import THRESHOLDS
from personalize.settings import Settings


def test_it_is_eased_while_the_service_runs_and_not_after(make_settings: Callable[..., Settings]) -> None:
    before, python_s_own = gc.get_threshold(), (700, 10, 10)
    gc.set_threshold(*python_s_own)  # other tests' services may be running
    gc.unfreeze()
    with TestClient(create_app(make_settings())):
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == python_s_own
    assert gc.get_freeze_count() == 0
    gc.set_threshold(*before)
