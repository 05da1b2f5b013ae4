"""Products as decisions need them, kept in mind so that a page need not read them again."""

import time
from collections.abc import Callable, Iterable
from threading import Lock

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from personalize.data.catalogue import read_products_by_id
from personalize.data.records import CatalogueProduct

KEPT_SECONDS = 30.0
"""How old a product in mind may be: a new photo or category reaches decisions within that time."""

MAX_KEPT = 100_000


class Shelf:
    """The products asked for lately. Thread-safe; a product that is not there is never kept in mind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[str, tuple[float, CatalogueProduct]] = {}

    def find(self, connection: Connection, product_ids: Iterable[str]) -> dict[str, CatalogueProduct]:
        """The products with these ids; the database is asked for those not in mind alone.

        Raises:
            UnknownProduct: naming the first that there is not.
        """
        fresh = self._clock() - KEPT_SECONDS
        found: dict[str, CatalogueProduct] = {}
        missing: list[str] = []
        for product_id in product_ids:
            read_at, product = self._kept.get(product_id, (fresh, None))
            if product is None or read_at <= fresh:
                missing.append(product_id)
            else:
                found[product_id] = product
        if missing:
            with Session(connection) as session:
                read = read_products_by_id(session, missing)
            self._keep(read)
            found |= read
        return found

    def _keep(self, read: dict[str, CatalogueProduct]) -> None:
        now = self._clock()
        with self._lock:
            if len(self._kept) + len(read) > MAX_KEPT:
                self._kept = {}
            self._kept |= {product_id: (now, product) for product_id, product in read.items()}
