from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from stylize.errors import NoImages
from stylize.evaluate.sample import ProductPhoto, prepare_photo, split_photos, stratify
from stylize.images import find_photos
from stylize.training.content import hold_back


@pytest.fixture
def shop(tmp_path: Path, make_photo: Callable[..., Image.Image]) -> Path:
    """Twelve t-shirts, six trousers, two pairs of shoes, and a photo of no known group."""
    for folder, n in {"t-shirt": 12, "pants": 6, "shoes": 2, "misc": 1}.items():
        (tmp_path / folder).mkdir()
        for seed in range(n):
            make_photo((64, 48), seed).save(tmp_path / folder / f"{folder}{seed}.png")
    return tmp_path


def test_photos_held_back_are_the_ones_training_holds_back(shop: Path) -> None:
    seen, held_back = split_photos(shop, 5)
    expected_seen, expected_held_back = hold_back(find_photos(shop), 5)
    assert [photo.path for photo in seen] == expected_seen
    assert [photo.path for photo in held_back] == expected_held_back


def test_folders_say_which_group_a_photo_belongs_to(shop: Path) -> None:
    _, photos = split_photos(shop, 21)
    assert Counter(photo.group for photo in photos) == {"top": 12, "bottoms": 6, "shoes": 2, None: 1}


def test_a_sample_has_the_proportions_of_the_whole_and_grows_without_changing(shop: Path) -> None:
    _, photos = split_photos(shop, 21)
    samples = [stratify(photos, n) for n in (5, 10, 21)]
    assert Counter(photo.group for photo in samples[1]) == {"top": 6, "bottoms": 3, "shoes": 1}
    assert samples[2][:10] == samples[1]
    assert samples[1][:5] == samples[0]
    assert len(samples[2]) == 21


def test_a_prepared_photo_is_a_square_with_its_subject(shop: Path) -> None:
    photo = prepare_photo(ProductPhoto(shop / "shoes" / "shoes0.png", "shoes"))
    assert photo.image.shape == (1, 3, 256, 256)
    assert photo.subject.shape == (1, 1, 256, 256)
    assert photo.subject[0, 0, 128, 128] > 0.9 > 0.1 > photo.subject[0, 0, 0, 0]
    assert photo.name == "shoes/shoes0.png"


def test_a_folder_without_photos_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NoImages, match="holds no photos; give a folder"):
        split_photos(tmp_path, 5)
