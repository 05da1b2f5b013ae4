"""Contact sheets: many small pictures on one, with captions."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from stylize.images import crop_to_square

CAPTION_PX = 20
GAP_PX = 6


def contact_sheet(
    images: Sequence[Image.Image], captions: Sequence[str], tile_px: int, n_columns: int | None = None
) -> Image.Image:
    """Square tiles in reading order, a caption under each; the sheet is about as wide as high by default."""
    n_columns = n_columns or max(1, math.ceil(math.sqrt(len(images))))
    n_rows = math.ceil(len(images) / n_columns)
    step_x, step_y = tile_px + GAP_PX, tile_px + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (n_columns * step_x + GAP_PX, n_rows * step_y + GAP_PX), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, n_columns)
        x, y = GAP_PX + column * step_x, GAP_PX + row * step_y
        sheet.paste(crop_to_square(image, tile_px), (x, y))
        draw.text((x + 2, y + tile_px + 2), caption[: tile_px // 7], fill="#333333", font=font)
    return sheet
