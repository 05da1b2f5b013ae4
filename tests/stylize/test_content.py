from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylize.content import ORDER, CropSampler, hold_back, shuffled_item


@pytest.fixture
def sampler(training_folders: tuple[Path, Path]) -> CropSampler:
    photos = sorted(training_folders[0].iterdir())
    return CropSampler(photos, photo_px=80, zoom=1.5, crop_px=64, seed=3)


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


def test_a_crop_follows_from_seed_and_position_alone(sampler: CropSampler) -> None:
    again = CropSampler(sampler.photos, 80, 1.5, 64, seed=3)
    [sampler.crop_at(position) for position in range(5)]
    assert np.array_equal(np.asarray(sampler.crop_at(17)), np.asarray(again.crop_at(17)))
    other_seed = CropSampler(sampler.photos, 80, 1.5, 64, seed=4)
    assert not np.array_equal(np.asarray(sampler.crop_at(17)), np.asarray(other_seed.crop_at(17)))


def test_crops_are_square_also_from_photos_smaller_than_a_crop(
    tmp_path: Path, make_photo: Callable[..., Image.Image]
) -> None:
    make_photo(size=(20, 31)).save(tmp_path / "small.png")
    sampler = CropSampler([tmp_path / "small.png"], photo_px=20, zoom=1.0, crop_px=48, seed=0)
    assert {sampler.crop_at(position).size for position in range(4)} == {(48, 48)}
