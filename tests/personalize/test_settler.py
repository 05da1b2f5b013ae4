"""The thread that does what nobody should wait for."""

import logging
import subprocess
import sys
from threading import Event

import pytest

from personalize.settler import Settler

PATIENCE_SECONDS = 30.0


def test_waking_it_while_a_task_runs_has_it_done_once_more() -> None:
    began, may_end, done = Event(), Event(), []

    def task() -> None:
        began.set()
        assert may_end.wait(PATIENCE_SECONDS)
        done.append(len(done))

    settler = Settler(task)
    settler.wake()
    assert began.wait(PATIENCE_SECONDS)
    for _ in range(5):
        settler.wake()
    may_end.set()
    settler.close()
    assert done == [0, 1]


def test_after_closing_a_waking_passes() -> None:
    done: list[None] = []
    settler = Settler(lambda: done.append(None))
    settler.close()
    settler.wake()
    settler.close()
    assert not done


LATE = """
import threading, time
from personalize.settler import Settler

settler = Settler(lambda: None)

def wake_late():
    threading.main_thread().join()
    time.sleep(0.2)
    settler.wake()
    print("went on")

threading.Thread(target=wake_late).start()
"""


def test_while_the_interpreter_ends_a_waking_passes() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert (ended.stdout, ended.stderr) == ("went on\n", "")


def test_a_task_that_fails_is_told_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    done = []

    def task() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise ValueError("not this time")

    with caplog.at_level(logging.ERROR, logger="personalize.settler"):
        settler = Settler(task)
        settler.wake()
        while not done:
            pass
        settler.wake()
        settler.close()
    assert done == [0, 1]
    assert [record.getMessage() for record in caplog.records] == ["settling_failed"]
