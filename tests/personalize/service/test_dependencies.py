import asyncio
from itertools import count
from unittest.mock import Mock

from personalize.service.dependencies import Backend


def make_backend() -> Backend:
    return Backend(Mock(), Mock(), Mock(), Mock())


def test_a_look_over_the_log_is_made_once_for_all_who_ask() -> None:
    backend, looks = make_backend(), count(1)

    async def ask() -> list[int]:
        return await asyncio.gather(*(backend.remembered("sums", next, looks) for _ in range(5)))

    assert asyncio.run(ask()) == [1] * 5


def test_after_an_erasure_and_after_a_failure_it_looks_again() -> None:
    backend, looks = make_backend(), count(1)

    def fail() -> int:
        raise OSError

    async def ask() -> list[object]:
        first = await backend.remembered("sums", next, looks)
        backend.remember_nothing()
        failed = (await asyncio.gather(backend.remembered("sums", fail), return_exceptions=True))[0]
        return [first, type(failed), await backend.remembered("sums", next, looks)]

    assert asyncio.run(ask()) == [1, OSError, 2]
