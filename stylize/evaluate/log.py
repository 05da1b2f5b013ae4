"""Measurements kept as they come, so that an interrupted evaluation goes on where it stopped."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class MeasurementLog:
    """An append-only file of JSON lines, a key and a record each; a line torn by a crash is taken off.

    The file's name carries what all of its records depend on (checkpoint, style pictures, probe), so a
    record that can be found is still true.

    Args:
        path: the file; its folder is made. None keeps records in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._records: dict[str, Any] = {}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._records = _read_and_mend(path)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def __getitem__(self, key: str) -> Any:
        return self._records[key]

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep a record; it has left the process when this returns."""
        self._records[key] = record
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "record": record}) + "\n")


def _read_and_mend(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    lines = path.read_bytes().split(b"\n")
    whole, torn = lines[:-1], lines[-1]
    if torn:
        os.truncate(path, path.stat().st_size - len(torn))
    rows = [json.loads(line) for line in whole]
    return {row["key"]: row["record"] for row in rows}
