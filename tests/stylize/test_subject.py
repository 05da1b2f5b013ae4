from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stylize.errors import UnreadableImage
from stylize.subject import feather, find_subject, load_mask, mask_tensor


def ellipse(size: tuple[int, int]) -> np.ndarray:
    """Where `make_photo` draws its product."""
    mask = Image.new("L", size)
    box = (size[0] // 5, size[1] // 6, size[0] * 4 // 5, size[1] * 5 // 6)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return np.asarray(mask) > 127


@pytest.mark.parametrize("size", [(200, 160), (90, 240)])
def test_the_product_is_found_at_the_photos_size(
    make_photo: Callable[..., Image.Image], size: tuple[int, int]
) -> None:
    mask = find_subject(make_photo(size))
    assert (mask.mode, mask.size) == ("L", size)
    found, true = np.asarray(mask) > 127, ellipse(size)
    assert (found & true).sum() / (found | true).sum() > 0.9


def test_beside_a_bottles_neck_the_centre_is_background() -> None:
    photo = Image.new("RGB", (200, 200), (205, 198, 214))
    draw = ImageDraw.Draw(photo)
    draw.rectangle((92, 40, 108, 110), fill=(24, 70, 40))
    draw.rectangle((65, 110, 135, 180), fill=(24, 70, 40))
    found = np.asarray(find_subject(photo)) > 127
    assert found[100, 100]
    assert found[150, 70]
    assert not found[85, 82]
    assert not found[85, 118]


def test_finding_is_deterministic(make_photo: Callable[..., Image.Image]) -> None:
    photo = make_photo((120, 120))
    assert find_subject(photo).tobytes() == find_subject(photo).tobytes()


def test_in_a_photo_of_nothing_the_centre_is_the_subject() -> None:
    mask = np.asarray(find_subject(Image.new("RGB", (64, 48), "white")))
    assert mask[24, 32] == 255
    assert max(mask[0].max(), mask[:, 0].max()) == 0


def test_feathered_edges_are_soft_and_the_rest_stays() -> None:
    mask = Image.new("L", (256, 256))
    mask.paste(255, (0, 0, 128, 256))
    soft = np.asarray(feather(mask))[128]
    assert (np.diff(soft.astype(int)) <= 0).all()
    assert soft[110] == 255
    assert soft[146] == 0
    assert ((soft > 0) & (soft < 255)).sum() >= 4


def test_a_mask_as_a_tensor_is_the_share_of_subject() -> None:
    mask = Image.new("L", (3, 2), 51)
    assert mask_tensor(mask).shape == (1, 2, 3)
    assert mask_tensor(mask).unique().tolist() == pytest.approx([0.2])


def test_a_mask_file_is_read_from_alpha_or_else_from_brightness(tmp_path: Path) -> None:
    drawn = Image.new("L", (20, 20))
    drawn.paste(255, (0, 0, 10, 20))
    drawn.save(tmp_path / "drawn.png")
    cut_out = Image.new("RGB", (20, 20), "navy")
    cut_out.putalpha(drawn)
    cut_out.save(tmp_path / "cut_out.png")
    for name in ("drawn.png", "cut_out.png"):
        assert load_mask(tmp_path / name).tobytes() == drawn.tobytes()
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UnreadableImage, match=r"text\.png"):
        load_mask(tmp_path / "text.png")
