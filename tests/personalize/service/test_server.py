"""A real server process: killed in the middle, stopped while busy, started on the wrong database."""

import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from answers import PRODUCTS
from servers import Server

from personalize.errors import AddressInUse
from personalize.service.server import serve
from personalize.settings import Settings

N_EVENTS, BATCH, N_SENDERS = 5_000, 50, 3


@pytest.fixture
def server(make_settings: Callable[..., Settings], tmp_path: Path) -> Server:
    return Server(make_settings(), tmp_path / "server.log")


def test_what_was_acknowledged_survives_kill_9_and_nothing_counts_twice(server: Server) -> None:
    acknowledged: set[str] = set()
    with server.running() as process:
        slate = {"user_id": "ada", "product_ids": list(PRODUCTS)}
        shown = [one["impression_id"] for one in server.ask("POST", "/v1/slates", slate)[1]["decisions"]]
        batches = [
            [
                {"type": "click", "event_id": f"event-{n}", "impression_id": shown[n % len(shown)]}
                for n in range(start, start + BATCH)
            ]
            for start in range(0, N_EVENTS, BATCH)
        ]
        is_time = threading.Event()

        def send(batch: list[dict[str, str]]) -> None:
            try:
                status, answer = server.ask("POST", "/v1/events", {"events": batch})
            except (OSError, http.client.HTTPException, ValueError):
                return  # the server died before it answered: nothing was promised
            assert status == 200
            acknowledged.update(one["event_id"] for one in answer["results"] if one["status"] == "accepted")
            if len(acknowledged) >= N_EVENTS // 3:
                is_time.set()

        with ThreadPoolExecutor(N_SENDERS) as senders:
            sent = [senders.submit(send, batch) for batch in batches]
            assert is_time.wait(60)
            process.send_signal(signal.SIGKILL)
            for one in sent:
                one.result()
        assert process.wait() == -signal.SIGKILL
        with pytest.raises(ConnectionRefusedError):
            server.ask("GET", "/healthz")
    assert N_EVENTS // 3 <= len(acknowledged) < N_EVENTS
    assert acknowledged <= stored_events(server.settings)
    with server.running():
        for batch in batches:
            status, answer = server.ask("POST", "/v1/events", {"events": batch})
            assert (status, answer["rejected"]) == (200, 0)
            for result in answer["results"]:
                assert result["status"] == "duplicate" or result["event_id"] not in acknowledged
    assert stored_events(server.settings) == {f"event-{n}" for n in range(N_EVENTS)}


def stored_events(settings: Settings) -> set[str]:
    with closing(sqlite3.connect(settings.sqlite_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT event_id FROM clicks").fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0] for row in rows}


def test_sigterm_answers_what_has_begun_and_ends_cleanly(server: Server) -> None:
    """The request that has to load the network first is still answered."""
    with server.running() as process:
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(server.ask_picture)
            wait_until_begun(server)
            process.terminate()
            status, content_type = slow.result()
        assert process.wait(30) == 0
        assert (status, content_type) == (200, "image/jpeg")
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "panicked" not in log


def wait_until_begun(server: Server) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(server.settings.sqlite_path)) as connection:
            if connection.execute("SELECT count(*) FROM impressions").fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("no impression was recorded")


def test_a_wrong_database_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    environment = os.environ | {"PERSONALIZE_DATA_DIR": str(tmp_path / "empty"), "PERSONALIZE_PORT": "1"}
    answer = subprocess.run(
        [sys.executable, "-m", "personalize", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 1
    assert "personalize db upgrade" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_second_server_on_the_same_port_does_not_start(make_settings: Callable[..., Settings]) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressInUse, match="another --port"):
            serve(make_settings(port=taken.getsockname()[1]))
