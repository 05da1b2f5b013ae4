"""What a folder or CSV is read as, and what is passed over with which reason."""

from pathlib import Path

import pytest

from personalize.data.records import Skipped
from personalize.data.sources import FoundPhoto, find_photos
from personalize.errors import CatalogueError

HEADER = "product_id,title,category,image\n"


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "products.csv"
    path.write_bytes(text.encode(encoding))
    return path


def photos(source: Path) -> list[FoundPhoto]:
    return [each for each in find_photos(source) if isinstance(each, FoundPhoto)]


def skipped(source: Path) -> list[Skipped]:
    return [each for each in find_photos(source) if isinstance(each, Skipped)]


def test_sub_folders_are_categories(tmp_path: Path) -> None:
    touch(tmp_path, "mug/blue-01.jpg", "chair/oak.PNG", "loose.webp")
    assert [(each.category, each.product_id) for each in photos(tmp_path)] == [
        ("uncategorised", "loose"),
        ("chair", "chair-oak"),
        ("mug", "mug-blue-01"),
    ]


@pytest.mark.parametrize(
    ("name", "product_id", "title"),
    [
        ("mug/Blue 01.jpg", "mug-blue-01", "Mug Blue 01"),
        ("mug/mug_blue_01.jpg", "mug-blue-01", "Mug blue 01"),
        ("t-shirt/009b3c31.jpg", "t-shirt-009b3c31", "T shirt 009b3c31"),
        ("Stühle/Käthe's.jpg", "stuhle-kathe-s", "Stühle Käthe's"),
        ("shoes/men/oxford.jpg", "shoes-men-oxford", "Shoes oxford"),
        ("a'b;c%2f..jpg", "a-b-c-2f", "A'b;c%2f."),
    ],
)
def test_the_id_is_the_path_made_safe_for_a_url(
    tmp_path: Path, name: str, product_id: str, title: str
) -> None:
    touch(tmp_path, name)
    [photo] = photos(tmp_path)
    assert (photo.product_id, photo.title) == (product_id, title)


def test_a_name_without_a_latin_letter_gets_an_id_all_the_same(tmp_path: Path) -> None:
    touch(tmp_path, "マグ/青.jpg", "マグ/赤.jpg")
    ids = [each.product_id for each in photos(tmp_path)]
    assert len(set(ids)) == 2
    assert all(each.isascii() and each.startswith("photo-") for each in ids)


def test_two_files_that_come_to_one_id_are_two_products_in_every_run(tmp_path: Path) -> None:
    touch(tmp_path, "mug/a b.jpg", "mug/a-b.jpg", "mug/a-b.png")
    ids = [each.product_id for each in photos(tmp_path)]
    assert ids[0] == "mug-a-b"
    assert len(set(ids)) == 3
    assert ids == [each.product_id for each in photos(tmp_path)]


def test_a_very_long_name_still_fits(tmp_path: Path) -> None:
    touch(tmp_path, f"mug/{'x' * 200}.jpg", f"mug/{'x' * 201}.jpg")
    ids = [each.product_id for each in photos(tmp_path)]
    assert len(set(ids)) == 2
    assert all(len(each) <= 128 for each in ids)


def test_hidden_files_are_passed_over_without_a_word(tmp_path: Path) -> None:
    touch(tmp_path, "mug/blue.jpg", ".DS_Store", "mug/._blue.jpg", ".git/config", "mug/.thumbs/blue.jpg")
    assert [each.path.name for each in photos(tmp_path)] == ["blue.jpg"]
    assert skipped(tmp_path) == []


def test_other_files_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "mug/blue.jpg", "mug/notes.txt", "price list.pdf")
    assert [each.path for each in skipped(tmp_path)] == ["price list.pdf", "mug/notes.txt"]
    assert "not a picture" in skipped(tmp_path)[0].reason


def test_a_csv_is_read_row_by_row(tmp_path: Path) -> None:
    source = write_csv(tmp_path, HEADER + '007,"Mug, blue",mug,img/blue.jpg\nm-2,,,/abs/red.jpg\n')
    assert find_photos(source) == [
        FoundPhoto("007", "Mug, blue", "mug", tmp_path / "img/blue.jpg"),
        FoundPhoto("m-2", "m-2", "uncategorised", Path("/abs/red.jpg")),
    ]


def test_a_csv_from_a_spreadsheet_is_read_too(tmp_path: Path) -> None:
    text = "image, title ,stock,category,product_id\r\nblue.jpg,Tasse Käthe,3,mug,m-1\r\n"
    [photo] = photos(write_csv(tmp_path, text, "utf-8-sig"))
    assert (photo.product_id, photo.title, photo.category) == ("m-1", "Tasse Käthe", "mug")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Mug,mug,blue.jpg", "line 2: product_id is empty"),
        ("a/b,Mug,mug,blue.jpg", "line 2: product_id 'a/b' cannot be part of a URL path"),
        ("..,Mug,mug,blue.jpg", "cannot be part of a URL path"),
        ("m-1,Mug,mug,", "line 2: image is empty"),
        ("m-1,Mug,mug", "expected 4 columns"),
        ("m-1,Mug, with comma,mug,blue.jpg", "expected 4 columns"),
        (f"m-1,{'x' * 301},mug,blue.jpg", "title has 301 characters"),
        (f"m-1,Mug,{'x' * 129},blue.jpg", "category has 129 characters"),
    ],
)
def test_a_bad_row_is_skipped_with_its_line(tmp_path: Path, row: str, reason: str) -> None:
    source = write_csv(tmp_path, HEADER + row + "\nm-9,Fine,mug,fine.jpg\n")
    [bad] = skipped(source)
    assert reason in bad.reason
    assert [each.product_id for each in photos(source)] == ["m-9"]


def test_the_second_row_of_an_id_is_skipped(tmp_path: Path) -> None:
    source = write_csv(tmp_path, HEADER + "m-1,One,mug,1.jpg\nm-2,Two,mug,2.jpg\nm-1,Again,mug,3.jpg\n")
    assert skipped(source) == [Skipped("m-1", "line 4: product_id was used on line 2 already")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"product_id,name\nm-1,Mug\n", "lacks the columns title, category, image"),
        (b"product_id;title;category;image\n", "got product_id;title;category;image"),
        (b"", "got an empty file"),
        (HEADER.encode(), "a header but no rows"),
        (HEADER.encode() + b"m-1,Tasse K\xe4the,mug,1.jpg\n", "is not UTF-8"),
        (HEADER.encode() + b'm-1,"never closed,mug,1.jpg\n', "is it really a CSV"),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    source = tmp_path / "products.csv"
    source.write_bytes(content)
    with pytest.raises(CatalogueError, match=sentence):
        find_photos(source)


def test_what_is_neither_folder_nor_csv_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "one.jpg", "empty/.keep")
    with pytest.raises(CatalogueError, match=r"expected a folder of photos or a \.csv"):
        find_photos(tmp_path / "one.jpg")
    with pytest.raises(CatalogueError, match="no such file or folder"):
        find_photos(tmp_path / "nowhere")
    with pytest.raises(CatalogueError, match="holds no photos"):
        find_photos(tmp_path / "empty")
