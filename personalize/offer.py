"""An offer without a photo: styles as ids and content vectors, products as ids and categories."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from personalize.data.catalogue import ensure_products, register_styles
from personalize.data.database import open_database, upgrade, writing
from personalize.data.identifiers import checked_id
from personalize.data.records import StyleOnOffer
from personalize.settings import Settings


def prepare_offer(
    settings: Settings,
    styles: Iterable[StyleOnOffer | tuple[str, Sequence[float]]],
    products: Mapping[str, str],
    now: datetime,
) -> None:
    """Make the database if it is not there, put just these styles on offer and add these products.

    Args:
        styles: as they are, or (style_id, content vector).
        products: the category of each product_id; what is there already stays as it is.
    Raises:
        ValueError: a style twice, the reserved id `original`, or vectors of different lengths.
        InvalidIdentifier: an id that cannot be one.
    """
    on_offer = [style if isinstance(style, StyleOnOffer) else _style(*style) for style in styles]
    for style in on_offer:
        checked_id("style_id", style.style_id)
    for product_id in products:
        checked_id("product_id", product_id)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    upgrade(settings.resolved_database_url)
    database = open_database(settings.resolved_database_url)
    try:
        with writing(database) as session:
            register_styles(session, on_offer, now)
            ensure_products(session, products, now)
    finally:
        database.dispose()


def _style(style_id: str, content_vector: Sequence[float]) -> StyleOnOffer:
    return StyleOnOffer(style_id, style_id, tuple(map(float, content_vector)))
