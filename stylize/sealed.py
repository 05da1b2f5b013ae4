"""Safetensors files under a SHA-256 seal: a flipped bit in a bare one loads without a word.

The seal covers names, shapes, types and bytes of all tensors and all metadata; it lies in the
metadata itself. Reading and writing need no torch.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load, save

Array = NDArray[Any]

SEAL = "sha256"


class BrokenSeal(ValueError):
    """The file is truncated, damaged, or was never sealed; the message is the reason."""


def seal(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    """Hex SHA-256 over everything given."""
    digest = hashlib.sha256()
    for part in _sealed_parts(tensors, metadata):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def write_sealed(tensors: Mapping[str, Array], metadata: Mapping[str, str], path: Path) -> None:
    """Write tensors and metadata with their seal, whole or not at all; equal contents give equal bytes."""
    contiguous = {name: np.array(values, order="C") for name, values in tensors.items()}
    payload = save(contiguous, {**metadata, SEAL: seal(contiguous, metadata)})
    write_atomically(_with_sorted_metadata(payload), path)


def read_sealed(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Tensors and metadata of the file, the seal checked and taken off.

    Raises:
        FileNotFoundError: there is no such file.
        BrokenSeal: it is not what was written.
    """
    payload = path.read_bytes()
    try:
        metadata = _read_metadata(payload)
        tensors = load(payload)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
        raise BrokenSeal(f"it cannot be parsed ({error})") from error
    if metadata.pop(SEAL, None) != seal(tensors, metadata):
        raise BrokenSeal("its SHA-256 does not match its contents")
    return tensors, metadata


def write_atomically(payload: bytes, path: Path) -> None:
    """Bytes to a file that is either the old one or the whole new one, also when the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _with_sorted_metadata(payload: bytes) -> bytes:
    """The same file; safetensors writes the metadata in another order every time."""
    header_bytes = int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8 : 8 + header_bytes])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + payload[8 + header_bytes :]


def _read_metadata(payload: bytes) -> dict[str, str]:
    header_bytes = int.from_bytes(payload[:8], "little")
    metadata = json.loads(payload[8 : 8 + header_bytes])["__metadata__"]
    if not isinstance(metadata, dict):
        raise TypeError("its metadata is no table")
    return metadata


def _sealed_parts(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> Iterator[bytes]:
    for name in sorted(metadata):
        yield f"{name}={metadata[name]}".encode()
    for name in sorted(tensors):
        yield f"{name}:{tensors[name].dtype.str}:{tensors[name].shape}".encode()
        yield tensors[name].tobytes()
