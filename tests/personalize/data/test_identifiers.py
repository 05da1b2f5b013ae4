"""Ids of ours sort by time; ids of others are checked and left as they are."""

import random
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from factories import NOW
from hypothesis import given
from hypothesis import strategies as st

from personalize.data.identifiers import checked_id, new_ids
from personalize.errors import InvalidIdentifier


@given(st.integers(1, 10**13).map(lambda ms: datetime.fromtimestamp(ms / 1000, UTC)))
def test_a_new_id_is_a_version_7_uuid_that_tells_its_time(now: datetime) -> None:
    [drawn] = new_ids(now, 1)
    parsed = uuid.UUID(drawn)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == int(now.timestamp() * 1000)


def test_new_ids_sort_by_time() -> None:
    moments = [NOW + timedelta(milliseconds=n) for n in range(50)]
    ids = [new_ids(moment, 1)[0] for moment in moments]
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {32}


def test_ids_of_the_same_millisecond_differ() -> None:
    assert len(set(new_ids(NOW, 10_000))) == 10_000


@pytest.mark.parametrize("make", [random.Random, np.random.default_rng])
def test_the_same_seed_gives_the_same_ids(make: type[random.Random]) -> None:
    first, again, other = make(7), make(7), make(8)
    ids = new_ids(NOW, 3, first)
    assert ids == new_ids(NOW, 3, again)
    assert ids[0] != new_ids(NOW, 1, other)[0]


@pytest.mark.parametrize(
    "value",
    ["007", "ada@example.com", "Zoë", "Zoe\u0308", "مرحبا", "a/b", "..", "' OR 1=1--", "🦊", "x" * 128],
)
def test_opaque_text_is_kept_as_it_is(value: str) -> None:
    assert checked_id("user_id", value) is value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "user_id is empty"),
        (" \t ", "user_id is blank"),
        ("x" * 129, "user_id has 129 characters"),
        ("a\0b", "holds U\\+0000 at position 1"),
        ("line\nbreak", "holds U\\+000A at position 4"),
        ("é\x7f", "holds U\\+007F"),
        ("half \ud83e", "holds U\\+D83E"),
        ("two\u2028lines", "holds U\\+2028"),
        (7, "is a int, not text"),
    ],
)
def test_what_cannot_be_an_id_is_refused_with_the_reason(value: str, reason: str) -> None:
    with pytest.raises(InvalidIdentifier, match=reason):
        checked_id("user_id", value)
