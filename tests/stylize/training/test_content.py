from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylize.training.augmentation import Augmentation
from stylize.training.content import ORDER, ContentSampler, hold_back, shuffled_item


@pytest.fixture
def sampler(training_folders: tuple[Path, Path]) -> ContentSampler:
    photos = sorted(training_folders[0].iterdir())
    return ContentSampler(photos, 80, Augmentation(), seed=3)


def pixels(sampler: ContentSampler) -> np.ndarray:
    crop = sampler.crop_at(17, 64)
    return np.dstack([np.asarray(crop.image), np.asarray(crop.subject)])


def test_held_back_photos_follow_from_their_names_alone() -> None:
    here = [Path("a") / f"{n}.jpg" for n in range(50)]
    there = [Path("/else/where") / f"{n}.jpg" for n in reversed(range(50))]
    train, held = hold_back(here, 10)
    assert (len(train), len(held)) == (40, 10)
    assert {path.name for path in held} == {path.name for path in hold_back(there, 10)[1]}
    assert not set(train) & set(held)


def test_more_held_back_keeps_those_held_back_before() -> None:
    photos = [Path(f"{n}.jpg") for n in range(50)]
    assert set(hold_back(photos, 5)[1]) < set(hold_back(photos, 10)[1])


def test_every_item_comes_once_per_shuffle() -> None:
    items = [shuffled_item(0, ORDER, position, 7) for position in range(21)]
    assert Counter(items) == dict.fromkeys(range(7), 3)
    assert items[:7] != items[7:14]


def test_a_crop_follows_from_seed_and_position_alone(sampler: ContentSampler) -> None:
    again = ContentSampler(sampler.photos, 80, Augmentation(), seed=3)
    [sampler.crop_at(position, 64) for position in range(5)]
    assert np.array_equal(pixels(sampler), pixels(again))
    other_seed = ContentSampler(sampler.photos, 80, Augmentation(), seed=4)
    assert not np.array_equal(pixels(sampler), pixels(other_seed))


def test_crops_are_square_also_from_photos_smaller_than_a_crop(
    tmp_path: Path, make_photo: Callable[..., Image.Image]
) -> None:
    make_photo(size=(20, 31)).save(tmp_path / "small.png")
    sampler = ContentSampler([tmp_path / "small.png"], 20, Augmentation(), seed=0)
    assert {sampler.crop_at(position, 48).image.size for position in range(4)} == {(48, 48)}
