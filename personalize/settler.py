"""What learning and writing leave to do, done while nobody waits for it."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

logger = logging.getLogger(__name__)


class Settler:
    """One thread that does a task after it was woken; waking it while it waits to begin is one task.

    Nothing depends on its doing so: whoever needs the outcome sooner does it, and after `close` so does
    everybody.
    """

    def __init__(self, task: Callable[[], object]) -> None:
        self._task = task
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="settler")
        self._lock = Lock()
        self._is_awake = self._is_closed = False

    def wake(self) -> None:
        """Have the task done soon; after `close`, or once the interpreter is ending, nothing happens."""
        with self._lock:
            if self._is_awake or self._is_closed:
                return
            try:
                self._executor.submit(self._run)
            except RuntimeError:  # the main thread has ended, and no executor takes work any more
                self._is_closed = True
            else:
                self._is_awake = True

    def close(self) -> None:
        """Finish what was begun, and let further wakings pass."""
        with self._lock:
            self._is_closed = True
        self._executor.shutdown()

    def _run(self) -> None:
        with self._lock:
            self._is_awake = False
        try:
            self._task()
        except Exception:
            logger.exception("settling_failed")
