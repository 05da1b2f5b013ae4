"""The folder of photos: each file is named by the sha256 of its bytes, so none is ever overwritten."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def photo_path(photos_dir: Path, sha256: str) -> Path:
    """Where the photo with this content hash lies: `ab/abcdef...`.

    Raises:
        ValueError: not 64 lower-case hex digits.
    """
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError(f"expected a sha256 of 64 hex digits, got {sha256[:80]!r}")
    return photos_dir / sha256[:2] / sha256


def content_sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def store_photo(photos_dir: Path, content: bytes) -> str:
    """Put the photo into the folder and return its sha256; a photo that is there already is left alone.

    The file appears whole or not at all: a temporary file in the same folder is synced, then renamed.
    """
    sha256 = content_sha256(content)
    path = photo_path(photos_dir, sha256)
    if is_stored(photos_dir, sha256, len(content)):
        return sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".photo-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return sha256


def is_stored(photos_dir: Path, sha256: str, size_bytes: int) -> bool:
    path = photo_path(photos_dir, sha256)
    return path.is_file() and path.stat().st_size == size_bytes


def sync_folders(photos_dir: Path, stored: Iterable[str]) -> None:
    """Make the names of stored photos durable too; after it, database rows may point to them."""
    if os.name == "nt":  # a folder cannot be opened there, and NTFS journals names by itself
        return
    folders = {photo_path(photos_dir, sha256).parent for sha256 in stored}
    for folder in [*sorted(folders), photos_dir] if folders else []:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
