"""A shop of three products and three styles, and the engines that are opened on it."""

from collections.abc import Callable

import sqlalchemy as sa

from personalize.data.database import reading
from personalize.data.schema import Impression
from personalize.engine import Engine

PRODUCTS = ("mug-a", "mug-b", "vase-c")
STYLES = ("dots", "waves", "woodcut")

OpenEngine = Callable[..., Engine]


def stored_impressions(engine: Engine) -> list[Impression]:
    with reading(engine.database) as session:
        return list(session.scalars(sa.select(Impression).order_by(Impression.position)))
