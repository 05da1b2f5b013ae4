"""Rendered pictures kept in a folder or a bucket: bounded, written atomically, never served damaged.

Each blob is the picture's bytes followed by their SHA-256. Image viewers ignore the tail, and a
truncated or altered file no longer matches it: it is then deleted and reported as missing.
"""

import logging
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

logger = logging.getLogger(__name__)

DIGEST_BYTES = 32
EVICT_TO = 0.95
WARN_EVERY_SECONDS = 60.0
STALE_TEMPORARY_SECONDS = 3600.0
_TEMPORARY = ".writing-"


class Blobs(Protocol):
    """Named blobs somewhere; names are `xx/xxxx...`, safe in any file system."""

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError."""
        ...

    def write(self, name: str, blob: bytes) -> None:
        """All of it or nothing. Raises OSError."""
        ...

    def delete(self, name: str) -> None:
        """Nothing happens when it is not there."""
        ...

    def names_by_age(self) -> list[tuple[str, int]]:
        """Every name with its size in bytes, the longest unused first."""
        ...


class FolderBlobs:
    """Blobs in a local folder: written beside their place, synced, then renamed into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.rglob(f"{_TEMPORARY}*"):
            if path.stat().st_mtime < time.time() - STALE_TEMPORARY_SECONDS:
                path.unlink(missing_ok=True)

    def read(self, name: str) -> bytes:
        path = self.folder / name
        blob = path.read_bytes()
        try:
            os.utime(path)  # last use, which `names_by_age` reads after a restart
        except OSError:
            logger.debug("render_store_is_read_only")
        return blob

    def write(self, name: str, blob: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(blob)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def delete(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def names_by_age(self) -> list[tuple[str, int]]:
        files = [path for path in self.folder.glob("*/*") if not path.name.startswith(".")]
        stats = sorted((stat.st_mtime, path, stat.st_size) for path in files for stat in [path.stat()])
        return [(path.relative_to(self.folder).as_posix(), size) for _, path, size in stats]


class BucketBlobs:
    """Blobs in any place that fsspec knows by URL; an object store writes an object whole or not at all."""

    def __init__(self, url: str) -> None:
        import fsspec

        self._fs: Any
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def read(self, name: str) -> bytes:
        return bytes(self._fs.cat_file(f"{self._root}/{name}"))

    def write(self, name: str, blob: bytes) -> None:
        self._fs.pipe_file(f"{self._root}/{name}", blob)

    def delete(self, name: str) -> None:
        if self._fs.exists(f"{self._root}/{name}"):
            self._fs.rm_file(f"{self._root}/{name}")

    def names_by_age(self) -> list[tuple[str, int]]:
        try:
            found = self._fs.find(self._root, detail=True)
        except FileNotFoundError:
            return []
        entries = sorted(found.items(), key=lambda entry: (_modified(entry[1]), entry[0]))
        return [(path.removeprefix(self._root).lstrip("/"), int(info["size"])) for path, info in entries]


class RenderStore:
    """Pictures by name, the least recently used evicted once `max_bytes` is passed.

    A store that cannot be written to (a full disk, a lost bucket) costs renders, not answers: `put`
    says so in the log, at most once a minute, and goes on. May be shared between threads. Several
    processes may share the place; each then bounds it by what it has seen.
    """

    def __init__(self, blobs: Blobs, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._blobs, self._max_bytes, self._clock = blobs, max_bytes, clock
        self._sizes = OrderedDict(blobs.names_by_age())
        self._n_bytes = sum(self._sizes.values())
        self._lock = threading.Lock()
        self._warned_at = -WARN_EVERY_SECONDS

    @classmethod
    def open(cls, url: str, max_bytes: int) -> "RenderStore":
        """The store at an fsspec URL; a path or a file:// URL is a local folder."""
        is_local = "://" not in url or url.startswith("file://")
        return cls(
            FolderBlobs(Path(url.removeprefix("file://"))) if is_local else BucketBlobs(url), max_bytes
        )

    @property
    def n_bytes(self) -> int:
        """Bytes in the store, as far as this process has seen."""
        return self._n_bytes

    def get(self, digest: str) -> bytes | None:
        """The picture, or None when there is no sound one."""
        name = _name(digest)
        try:
            blob = self._blobs.read(name)
        except FileNotFoundError:
            self._forget(name)
            return None
        except OSError as error:
            self._warn("render_store_unreadable", error)
            return None
        payload, tail = blob[:-DIGEST_BYTES], blob[-DIGEST_BYTES:]
        if not payload or sha256(payload).digest() != tail:
            logger.warning("render_store_blob_damaged", extra={"blob": name, "n_bytes": len(blob)})
            self._delete(name)
            return None
        self._remember(name, len(blob))
        return payload

    def put(self, digest: str, payload: bytes) -> bool:
        """Keep the picture; False when it could not be written."""
        name, blob = _name(digest), payload + sha256(payload).digest()
        if len(blob) > self._max_bytes:
            return False
        try:
            self._blobs.write(name, blob)
        except OSError as error:
            self._warn("render_store_unwritable", error)
            return False
        self._remember(name, len(blob))
        for victim in self._victims():
            self._delete(victim)
        return True

    def _remember(self, name: str, n_bytes: int) -> None:
        with self._lock:
            self._n_bytes += n_bytes - self._sizes.pop(name, 0)
            self._sizes[name] = n_bytes

    def _forget(self, name: str) -> None:
        with self._lock:
            self._n_bytes -= self._sizes.pop(name, 0)

    def _victims(self) -> list[str]:
        """Names to delete, already taken off the books; some room is made at once, not blob by blob."""
        with self._lock:
            if self._n_bytes <= self._max_bytes:
                return []
            return list(self._drop_oldest())

    def _drop_oldest(self) -> Iterator[str]:
        while len(self._sizes) > 1 and self._n_bytes > EVICT_TO * self._max_bytes:
            name, n_bytes = self._sizes.popitem(last=False)
            self._n_bytes -= n_bytes
            yield name

    def _delete(self, name: str) -> None:
        self._forget(name)
        try:
            self._blobs.delete(name)
        except OSError as error:
            self._warn("render_store_unwritable", error)

    def _warn(self, event: str, error: OSError) -> None:
        if self._clock() - self._warned_at >= WARN_EVERY_SECONDS:
            self._warned_at = self._clock()
            logger.warning(event, extra={"error": repr(error)})


def _name(digest: str) -> str:
    return f"{digest[:2]}/{digest}"


def _modified(info: dict[str, Any]) -> str:
    """Last change as sortable text; object stores differ in the key they use."""
    return str(
        next((info[key] for key in ("LastModified", "updated", "mtime", "created") if key in info), "")
    )
