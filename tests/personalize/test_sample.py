"""The sample catalogue that ships: complete, large enough, light enough, and nothing but pixels."""

import csv
from collections import Counter

import pytest
from PIL import Image

from personalize.sample import sample_catalogue

ROWS = list(csv.DictReader(sample_catalogue().open(encoding="utf-8")))


def test_it_holds_enough_kinds_and_products() -> None:
    kinds = Counter(row["category"] for row in ROWS)
    assert len(ROWS) >= 24
    assert len(kinds) >= 6
    assert len({row["product_id"] for row in ROWS}) == len({row["title"] for row in ROWS}) == len(ROWS)


def test_every_picture_belongs_to_a_row_and_all_are_light() -> None:
    folder = sample_catalogue().parent
    pictures = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*.jpg")}
    assert set(pictures) == {row["image"] for row in ROWS}
    assert sum(pictures.values()) < 3_000_000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["product_id"])
def test_a_picture_is_at_least_640_px_and_carries_no_metadata(row: dict[str, str]) -> None:
    with Image.open(sample_catalogue().parent / row["image"]) as picture:
        picture.load()
        assert min(picture.size) >= 640
        assert not picture.getexif()
        assert "comment" not in picture.info
