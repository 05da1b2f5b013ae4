"""Who is in which variant: a hash that anybody can compute, the same in every process and language.

A unit (a user) falls into one of N_BUCKETS buckets per salt. Three independent draws, three salts:
    is it in the experiment's share of the traffic?   "<salt>/traffic", or "layer/<layer>" within a layer
    which variant does it get?                        "<salt>", from version 2 on "<salt>@<version>"
Salts differ, so the draws of one experiment say nothing about another's; experiments of one layer
share the draw of the traffic, so with ranges that do not overlap nobody is in two of them. Worked
examples for other languages are in tests/analytics/assignment_vectors.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analytics.definition import Definition

N_BUCKETS = 10_000


def bucket(salt: str, unit: str) -> int:
    """The unit's bucket in [0, N_BUCKETS): the first 8 bytes of sha256(salt + ":" + unit), modulo N_BUCKETS.

    Both are encoded as UTF-8 without normalization, the 8 bytes are read big endian. 2^64 is so much
    larger than the number of buckets that the modulo favours none by more than 1 in 10^15.

    >>> bucket("demo", "ada"), bucket("demo", "grace")
    (6217, 5572)
    """
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % N_BUCKETS


def variant_at(shares: Mapping[str, float], place: int) -> str:
    """The variant whose range of buckets holds `place`.

    Variants take half-open ranges [start, end), one after the other in the order of their names; the
    cumulative shares are rounded to whole buckets.

    >>> halves = {"control": 0.5, "personal": 0.5}
    >>> variant_at(halves, 4999), variant_at(halves, 5000)
    ('control', 'personal')
    """
    names = sorted(shares)
    ends = accumulate(shares[name] for name in names)
    inside = (name for name, end in zip(names, ends, strict=True) if place < round(end * N_BUCKETS))
    return next(inside, names[-1])


def variant_of(definition: Definition, unit: str) -> str | None:
    """The unit's variant, or None for a unit outside the experiment's share of the traffic."""
    first, end = traffic_range(definition)
    if end - first < N_BUCKETS and not first <= bucket(traffic_salt(definition), unit) < end:
        return None
    return variant_at(definition.variants, bucket(variant_salt(definition), unit))


def variant_salt(definition: Definition) -> str:
    """What the draw of the variant is salted with; a new version shuffles everybody anew."""
    return definition.salt if definition.version == 1 else f"{definition.salt}@{definition.version}"


def traffic_salt(definition: Definition) -> str:
    """What the draw of the traffic is salted with; no version moves it, so a ramp-up only adds units."""
    return f"{definition.salt}/traffic" if definition.layer is None else f"layer/{definition.layer}"


def traffic_range(definition: Definition) -> tuple[int, int]:
    """The half-open range of buckets of the traffic draw that are in the experiment."""
    return definition.layer_start, definition.layer_start + round(definition.traffic * N_BUCKETS)


def free_range(taken: list[tuple[int, int]], n_buckets: int) -> int | None:
    """Where the first gap of `n_buckets` in a layer begins, given the ranges taken; None without one.

    >>> free_range([(0, 3000), (5000, 9000)], 2000), free_range([(0, 3000), (5000, 9000)], 2500)
    (3000, None)
    """
    start = 0
    for first, end in sorted(taken):
        if first - start >= n_buckets:
            return start
        start = max(start, end)
    return start if N_BUCKETS - start >= n_buckets else None
