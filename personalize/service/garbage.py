"""The garbage collector of a process that keeps much and must answer soon."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (20_000, 20, 20)
"""Objects made before the youngest are looked through, and how often before the older ones are: a page makes
a few thousand, of which next to none are cycles. With Python's own (700, 10, 10) one page in a hundred waits
some 5 ms for it."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """While the block lasts, leave alone what there is by now, and look through what comes less often."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
