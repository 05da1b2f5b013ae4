"""Ids: ours are ordered by time, everybody else's are opaque text that we check and never change."""

import os
import random
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

from personalize.data.schema import MAX_ID_LENGTH
from personalize.errors import InvalidIdentifier

if TYPE_CHECKING:
    import numpy as np

# Cc: control characters, Cs: lone surrogates (no UTF-8), Zl and Zp: line and paragraph separators (log lines)
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})

_RANDOM_BYTES = 10


def new_ids(now: datetime, count: int, rng: "random.Random | np.random.Generator | None" = None) -> list[str]:
    """So many new ids of 32 hex digits that sort by `now` to the millisecond: the layout of UUID version 7.

    48 bits of Unix milliseconds, the version, 74 random bits. With an `rng` the random part is
    reproducible; without one it comes from the operating system.

    Source: RFC 9562, section 5.7.
    """
    milliseconds = int(now.timestamp() * 1000)
    drawn = _random_bytes(rng, _RANDOM_BYTES * count)
    return [
        _laid_out(milliseconds, int.from_bytes(drawn[start : start + _RANDOM_BYTES], "big"))
        for start in range(0, len(drawn), _RANDOM_BYTES)
    ]


def _laid_out(milliseconds: int, entropy: int) -> str:
    version_and_a = 0x7000 | (entropy >> 62 & 0x0FFF)
    variant_and_b = 1 << 63 | (entropy & (1 << 62) - 1)
    return f"{milliseconds:012x}{version_and_a:04x}{variant_and_b:016x}"


def _random_bytes(rng: "random.Random | np.random.Generator | None", count: int) -> bytes:
    if rng is None:
        return os.urandom(count)
    return rng.randbytes(count) if isinstance(rng, random.Random) else rng.bytes(count)


def checked_id(field: str, value: str) -> str:
    """`value` itself, if it can be an id: '007' stays '007' and Unicode is not folded.

    Args:
        field: what the id names, for the message ("user_id").
    Raises:
        InvalidIdentifier: empty, blank, longer than MAX_ID_LENGTH, or holding a control character,
            a line separator or half a surrogate pair.

    >>> checked_id("user_id", "ada@example")
    'ada@example'
    """
    if not isinstance(value, str):
        raise InvalidIdentifier(field, f"is a {type(value).__name__}, not text")
    if len(value) > MAX_ID_LENGTH:
        raise InvalidIdentifier(field, f"has {len(value)} characters")
    if not value.strip():
        raise InvalidIdentifier(field, "is blank" if value else "is empty")
    if value.isascii() and value.isprintable():
        return value
    for position, character in enumerate(value):
        if unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            raise InvalidIdentifier(field, f"holds U+{ord(character):04X} at position {position}")
    return value
