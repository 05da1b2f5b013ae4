"""A server in a process of its own, which tests may kill."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from personalize.settings import Settings

CODE = """
from personalize.service.server import serve
from personalize.settings import Settings
serve(Settings())
"""


class Server:
    """A server in a process of its own, on a free port that it keeps when it is started again."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings, self.log = settings, log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        environment = os.environ | {
            "PERSONALIZE_DATA_DIR": str(self.settings.data_dir),
            "PERSONALIZE_PORT": str(self.port),
            "PERSONALIZE_DEVICE": "cpu",
            "PERSONALIZE_EXPERIMENT": self.settings.experiment,
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen([sys.executable, "-c", CODE], env=environment, stdout=log, stderr=log)
        try:
            self.wait_for("/healthz", process)
            yield process
        finally:
            process.kill()
            process.wait()

    def wait_for(self, path: str, process: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert process.poll() is None, self.log.read_text()
            try:
                if self.ask("GET", path)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with closing(connection):
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def ask_picture(self) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            connection.request("GET", "/v1/users/ada/products/mug-red/image?width=32")
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("Content-Type")
