"""Products with their photos, and the styles on offer."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from personalize.data.database import in_chunks, insert_new, reading, upsert, writing
from personalize.data.photos import content_sha256, is_stored, photo_path, store_photo, sync_folders
from personalize.data.records import CatalogueProduct, Skipped, StyleOnOffer
from personalize.data.schema import ORIGINAL, Product, Style
from personalize.data.sources import FoundPhoto, find_photos
from personalize.errors import UnknownProduct

__all__ = [
    "CatalogueReport",
    "add_products",
    "ensure_products",
    "ensure_styles",
    "photo_path",
    "read_product",
    "read_product_at",
    "read_products",
    "read_products_by_id",
    "read_styles",
    "register_styles",
]

BATCH = 128
NO_PHOTO = "0" * 64
"""Stands for the photo of a product that a log names and the catalogue does not hold."""

Measure = Callable[[Path], tuple[int, int]]
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """What adding a source did: products by count, what was passed over by name."""

    added: int
    updated: int
    unchanged: int
    skipped: tuple[Skipped, ...]


def add_products(
    engine: Engine,
    source: Path,
    photos_dir: Path,
    *,
    measure: Measure,
    now: datetime,
    progress: Progress | None = None,
) -> CatalogueReport:
    """Add or update the products of a folder (sub-folders are categories) or CSV; removes none.

    Photos are copied under their content hash. Each batch is committed when its photos are on
    disk, so an interrupted run leaves whole products and may be run again; a product whose photo,
    title and category are as before is left alone, and its photo is not decoded.

    Args:
        measure: decodes a photo and returns (width, height) in pixels, as it will be shown; raises
            with the reason when it cannot. Called from several threads.
        progress: called with (done, total) as photos are dealt with.
    Raises:
        CatalogueError: the source cannot be read at all.
    """
    found = find_photos(source)
    skipped = [each for each in found if isinstance(each, Skipped)]
    photos = [each for each in found if isinstance(each, FoundPhoto)]
    counts = {"added": 0, "updated": 0, "unchanged": 0}
    report = progress or (lambda _done, _total: None)
    done = len(skipped)
    report(done, len(found))
    with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 2)) as pool:
        for batch in in_chunks(photos, BATCH):
            before = _read_by_id(engine, [photo.product_id for photo in batch])
            look_at = partial(_look_at, before=before, photos_dir=photos_dir, measure=measure)
            looked_at = []
            for each in pool.map(look_at, batch):
                looked_at.append(each)
                done += 1
                report(done, len(found))
            products = [each for each in looked_at if isinstance(each, CatalogueProduct)]
            skipped += [each for each in looked_at if isinstance(each, Skipped)]
            changed = [product for product in products if product != before.get(product.product_id)]
            _store(engine, changed, photos_dir, now)
            counts["unchanged"] += len(products) - len(changed)
            counts["added"] += sum(product.product_id not in before for product in changed)
            counts["updated"] += sum(product.product_id in before for product in changed)
    return CatalogueReport(**counts, skipped=tuple(skipped))


def _look_at(
    photo: FoundPhoto, *, before: dict[str, CatalogueProduct], photos_dir: Path, measure: Measure
) -> CatalogueProduct | Skipped:
    try:
        content = photo.path.read_bytes()
    except OSError as error:
        return Skipped(str(photo.path), f"cannot be read: {error.strerror}")
    known = before.get(photo.product_id)
    sha256 = content_sha256(content)
    if known is not None and known.photo_sha256 == sha256:
        size = known.width_px, known.height_px
    else:
        try:
            size = measure(photo.path)
        except Exception as error:
            return Skipped(str(photo.path), str(error) or type(error).__name__)
    if not is_stored(photos_dir, sha256, len(content)):
        store_photo(photos_dir, content)
    return CatalogueProduct(photo.product_id, photo.title, photo.category, sha256, *size)


def _store(engine: Engine, products: Sequence[CatalogueProduct], photos_dir: Path, now: datetime) -> None:
    if not products:
        return
    sync_folders(photos_dir, {product.photo_sha256 for product in products})
    rows = [
        {
            "product_id": product.product_id,
            "title": product.title,
            "category": product.category,
            "photo_sha256": product.photo_sha256,
            "width_px": product.width_px,
            "height_px": product.height_px,
            "added_at": now,
            "updated_at": now,
        }
        for product in products
    ]
    with writing(engine) as session:
        upsert(session, Product, rows, keep={"added_at"})


def _read_by_id(engine: Engine, product_ids: Sequence[str]) -> dict[str, CatalogueProduct]:
    with reading(engine) as session:
        rows = session.scalars(select(Product).where(Product.product_id.in_(product_ids)))
        return {row.product_id: _as_product(row) for row in rows}


def read_products(
    session: Session, *, after: str | None = None, limit: int = 100, category: str | None = None
) -> list[CatalogueProduct]:
    """Up to `limit` products in the order of their ids, beginning behind `after`.

    The next page is asked for with the last product_id of this one; it need not exist any more.
    """
    query = select(Product).order_by(Product.product_id).limit(limit)
    if after is not None:
        query = query.where(Product.product_id > after)
    if category is not None:
        query = query.where(Product.category == category)
    return [_as_product(row) for row in session.scalars(query)]


def read_product_at(session: Session, place: float) -> CatalogueProduct | None:
    """The product at a place in [0, 1) of the catalogue in the order of ids; None in an empty one."""
    n_products = session.scalar(select(func.count()).select_from(Product)) or 0
    query = select(Product).order_by(Product.product_id).limit(1).offset(int(place * n_products))
    row = session.scalar(query)
    return None if row is None else _as_product(row)


def read_product(session: Session, product_id: str) -> CatalogueProduct:
    """
    Raises:
        UnknownProduct: no such product.
    """
    row = session.get(Product, product_id)
    if row is None:
        raise UnknownProduct(product_id)
    return _as_product(row)


def read_products_by_id(session: Session, product_ids: Iterable[str]) -> dict[str, CatalogueProduct]:
    """The products with these ids, in one query for many.

    Raises:
        UnknownProduct: naming the first that there is not.
    """
    wanted = list(dict.fromkeys(product_ids))
    found = {
        row.product_id: _as_product(row)
        for chunk in in_chunks(wanted)
        for row in session.scalars(select(Product).where(Product.product_id.in_(chunk)))
    }
    for product_id in wanted:
        if product_id not in found:
            raise UnknownProduct(product_id)
    return found


def ensure_products(session: Session, categories: Mapping[str, str], now: datetime) -> int:
    """Make the products that are not there yet, without a photo, for a log to point to; returns how many.

    `add_products` gives them their photo, title and category later.

    Args:
        categories: the category of each product_id.
    """
    rows = [
        {
            "product_id": product_id,
            "title": product_id,
            "category": category,
            "photo_sha256": NO_PHOTO,
            "width_px": 0,
            "height_px": 0,
            "added_at": now,
            "updated_at": now,
        }
        for product_id, category in sorted(categories.items())
    ]
    return len(insert_new(session, Product, rows, "product_id"))


def ensure_styles(session: Session, style_ids: Iterable[str], now: datetime) -> int:
    """Make the styles that are not there yet, not on offer, for a log to point to; returns how many."""
    rows = [
        {"style_id": style_id, "title": style_id, "content_vector": [], "is_active": False, "added_at": now}
        for style_id in sorted(set(style_ids))
    ]
    return len(insert_new(session, Style, rows, "style_id"))


def _as_product(row: Product) -> CatalogueProduct:
    return CatalogueProduct(
        row.product_id, row.title, row.category, row.photo_sha256, row.width_px, row.height_px
    )


def register_styles(session: Session, styles: Sequence[StyleOnOffer], now: datetime) -> None:
    """Put exactly these styles, and the original photo, on offer.

    Styles that are stored but not among them stay for the log that names them, and are offered no
    longer. The original's content vector is all zeros, as long as the others'.

    Raises:
        ValueError: an id twice, the reserved id `original`, or content vectors of different lengths.
    """
    ids = [style.style_id for style in styles]
    lengths = {len(style.content_vector) for style in styles}
    if len(set(ids)) < len(ids) or ORIGINAL in ids:
        raise ValueError(f"expected distinct style ids other than {ORIGINAL!r}, got {ids}")
    if len(lengths) > 1:
        raise ValueError(f"expected content vectors of one length, got lengths {sorted(lengths)}")
    original = StyleOnOffer(ORIGINAL, "Original photo", (0.0,) * max(lengths, default=0))
    session.execute(update(Style).values(is_active=False))
    rows = [
        {
            "style_id": style.style_id,
            "title": style.title,
            "content_vector": list(style.content_vector),
            "is_active": True,
            "added_at": now,
        }
        for style in (*styles, original)
    ]
    upsert(session, Style, rows, keep={"added_at"})


def read_styles(session: Session) -> list[StyleOnOffer]:
    """The styles on offer in the order of their ids, the original photo among them."""
    rows = session.scalars(select(Style).where(Style.is_active))
    styles = [StyleOnOffer(row.style_id, row.title, tuple(row.content_vector), row.added_at) for row in rows]
    return sorted(styles, key=lambda style: style.style_id)
