"""Pictures: what identifies a render, how it is made once and kept; `renders` is the door to `stylize`."""

from personalize.rendering.keys import PictureFormat, RenderKey
from personalize.rendering.measures import Measures, StyleMeasures
from personalize.rendering.renders import (
    CARD_FORMAT,
    CARD_WIDTH_PX,
    PRODUCTS_PER_PAGE,
    Picture,
    Renders,
    measure_photo,
    measures_of_checkpoint,
    styles_of_checkpoint,
)
from personalize.rendering.store import RenderStore

__all__ = [
    "CARD_FORMAT",
    "CARD_WIDTH_PX",
    "PRODUCTS_PER_PAGE",
    "Measures",
    "Picture",
    "PictureFormat",
    "RenderKey",
    "RenderStore",
    "Renders",
    "StyleMeasures",
    "measure_photo",
    "measures_of_checkpoint",
    "styles_of_checkpoint",
]
