import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from stylize.white import find_white_background


def studio(
    background: str = "#f6f6f4", product: str = "#204080", size: tuple[int, int] = (240, 200)
) -> Image.Image:
    """A product with a white label in front of a studio background, with a soft shadow below."""
    photo = Image.new("RGB", size, background)
    ImageDraw.Draw(photo).ellipse((70, 140, 180, 170), fill="#b0b0b0")
    photo = photo.filter(ImageFilter.GaussianBlur(6))
    draw = ImageDraw.Draw(photo)
    draw.rectangle((80, 40, 170, 150), fill=product)
    draw.rectangle((100, 60, 150, 90), fill="white")
    return photo


def test_the_studio_background_is_found_and_neither_the_product_nor_its_label() -> None:
    mask = np.asarray(find_white_background(studio()))
    assert mask.shape == (200, 240)
    assert mask[5:30, 5:235].min() == 255
    assert mask[45:145, 85:165].max() == 0  # the label in it is white too, but not background


def test_the_edge_is_soft_and_ends_where_the_product_begins() -> None:
    row = np.asarray(find_white_background(studio()))[100].astype(int)
    assert row[80:171].max() < 16
    assert ((row > 16) & (row < 240)).any()


@pytest.mark.parametrize("background", ["#d8d8d8", "#ffe8c0", "#305030"])
def test_grey_tinted_and_dark_backgrounds_are_not_white(background: str) -> None:
    assert find_white_background(studio(background)).getbbox() is None


def test_a_bright_but_restless_background_is_not_flat() -> None:
    noise = np.random.default_rng(0).integers(225, 256, (160, 160, 1)).repeat(3, axis=2).astype(np.uint8)
    assert find_white_background(Image.fromarray(noise)).getbbox() is None


def test_a_product_that_fills_the_border_leaves_no_background() -> None:
    photo = Image.new("RGB", (100, 100), "#204080")
    photo.paste("white", (0, 0, 100, 20))
    assert find_white_background(photo).getbbox() is None


@pytest.mark.parametrize("size", [(16, 16), (17, 300), (640, 480)])
def test_every_size_is_taken(size: tuple[int, int]) -> None:
    assert find_white_background(Image.new("RGB", size, "white")).getextrema() == (255, 255)
