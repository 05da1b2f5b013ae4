import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stylize.colors import LUMA, keep_colors

pictures = arrays(np.uint8, (3, 4, 3), elements=st.integers(0, 255))


def pixel(*rgb: int) -> np.ndarray:
    return np.array([[rgb]], dtype=np.uint8)


def test_a_pixel_worked_by_hand() -> None:
    # luma of (200, 100, 50) is 117.65; the painted grey is 30 darker, and all its differences fit
    kept = keep_colors(pixel(88, 88, 88), pixel(200, 100, 50))
    assert kept.tolist() == [[[170, 70, 20]]]


def test_saturation_gives_way_where_the_colour_does_not_fit() -> None:
    # pure red has luma 54.2 and differences (200.8, -54.2, -54.2); at luma 200 there is room for 55 / 200.8
    kept = keep_colors(pixel(200, 200, 200), pixel(255, 0, 0))
    assert kept.tolist() == [[[255, 185, 185]]]


@given(painted=pictures, photo=pictures)
def test_luma_is_the_paintings_and_hue_the_photos(painted: np.ndarray, photo: np.ndarray) -> None:
    kept = keep_colors(painted, photo)
    assert np.abs(kept @ LUMA - painted @ LUMA).max() <= 1
    shown, wanted = (a - (a @ LUMA)[..., None] for a in (kept.astype(np.float32), photo.astype(np.float32)))
    across = np.cross(shown, wanted)  # zero for parallel differences, up to rounding
    assert (np.abs(across).max(axis=-1) <= 2 * np.abs(wanted).max(axis=-1) + 1e-3).all()
    assert ((shown * wanted).sum(axis=-1) >= -2 * np.abs(wanted).sum(axis=-1)).all()


@given(photo=pictures)
def test_the_photo_itself_comes_back(photo: np.ndarray) -> None:
    assert np.abs(keep_colors(photo, photo).astype(int) - photo).max() <= 1


def test_every_pixel_is_treated_by_itself() -> None:
    rng = np.random.default_rng(0)
    painted, photo = (rng.integers(0, 256, (50, 7, 3), dtype=np.uint8) for _ in range(2))
    rows = [keep_colors(painted[i : i + 1], photo[i : i + 1]) for i in range(50)]
    assert np.array_equal(keep_colors(painted, photo), np.concatenate(rows))
