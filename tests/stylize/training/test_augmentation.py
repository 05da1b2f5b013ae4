from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from stylize.training.augmentation import Augmentation, augment

STILL = Augmentation(zoom=1.0, max_rotation_degrees=0, color_jitter=0, flat_background_share=0)


@pytest.fixture
def photo_and_mask() -> tuple[Image.Image, Image.Image]:
    photo, mask = Image.new("RGB", (120, 90), "#406080"), Image.new("L", (120, 90), 0)
    for layer, ink in ((photo, "#ff0000"), (mask, 255)):
        ImageDraw.Draw(layer).rectangle((40, 30, 80, 60), fill=ink)
    return photo, mask


@pytest.mark.parametrize("augmentation", [STILL, Augmentation()], ids=["still", "default"])
def test_the_mask_goes_where_the_product_goes(
    photo_and_mask: tuple[Image.Image, Image.Image], augmentation: Augmentation
) -> None:
    for seed in range(8):
        image, subject = augment(*photo_and_mask, 64, augmentation, np.random.default_rng(seed))
        assert image.size == subject.size == (64, 64)
        red = np.asarray(image).astype(int)[:, :, 0] - np.asarray(image).astype(int)[:, :, 1] > 100
        inside = np.asarray(subject) > 127
        assert np.mean(red == inside) > 0.93


def test_a_turned_crop_never_leaves_the_photo() -> None:
    photo, mask = Image.new("RGB", (100, 70), "white"), Image.new("L", (100, 70), 255)
    turning = Augmentation(zoom=1.3, max_rotation_degrees=30, color_jitter=0, flat_background_share=0)
    for seed in range(20):
        image, subject = augment(photo, mask, 48, turning, np.random.default_rng(seed))
        assert np.asarray(image).min() == 255
        assert np.asarray(subject).min() == 255


def test_a_flat_background_replaces_everything_but_the_product(
    photo_and_mask: tuple[Image.Image, Image.Image],
) -> None:
    always = Augmentation(zoom=1.0, max_rotation_degrees=0, color_jitter=0, flat_background_share=1)
    image, subject = augment(*photo_and_mask, 90, always, np.random.default_rng(0))
    around = subject.filter(ImageFilter.MaxFilter(9))
    outside = np.asarray(image)[np.asarray(around) == 0]
    assert len(np.unique(outside, axis=0)) == 1
    assert tuple(outside[0]) != (0x40, 0x60, 0x80)


def test_the_same_draws_give_the_same_crop(make_photo: Callable[..., Image.Image]) -> None:
    mask = Image.new("L", (96, 80), 255)
    one, two = (augment(make_photo(), mask, 40, Augmentation(), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(np.asarray(one[0]), np.asarray(two[0]))
