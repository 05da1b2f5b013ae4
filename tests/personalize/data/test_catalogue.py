"""Photos come in once, whole, and can be added again; styles on offer follow the checkpoint."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from factories import NOW, make_product, make_slate, make_styles
from PIL import Image
from sqlalchemy import Engine, select

from personalize.data.catalogue import (
    BATCH,
    CatalogueReport,
    add_products,
    photo_path,
    read_product,
    read_products,
    read_products_by_id,
    read_styles,
    register_styles,
)
from personalize.data.database import reading, writing
from personalize.data.photos import store_photo
from personalize.data.records import CatalogueProduct, StyleOnOffer
from personalize.data.schema import Product, Style
from personalize.errors import UnknownProduct

Add = Callable[..., CatalogueReport]


def draw(path: Path, colour: str = "navy", size: tuple[int, int] = (12, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def measure(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


@pytest.fixture
def photos_dir(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    draw(folder / "mug" / "blue.png")
    draw(folder / "mug" / "red.png", "red", (20, 10))
    draw(folder / "chair" / "oak.jpg", "brown")
    return folder


@pytest.fixture
def add(engine: Engine, source: Path, photos_dir: Path) -> Add:
    def add(**changes: object) -> CatalogueReport:
        arguments: dict[str, object] = {"measure": measure, "now": NOW} | changes
        return add_products(engine, source, photos_dir, **arguments)  # type: ignore[arg-type]

    return add


def read_all(engine: Engine) -> dict[str, CatalogueProduct]:
    with reading(engine) as session:
        return {product.product_id: product for product in read_products(session)}


def test_every_photo_becomes_a_product(add: Add, engine: Engine, source: Path, photos_dir: Path) -> None:
    assert add() == CatalogueReport(added=3, updated=0, unchanged=0, skipped=())
    product = read_all(engine)["mug-red"]
    content = (source / "mug" / "red.png").read_bytes()
    assert product == CatalogueProduct(
        "mug-red", "Mug red", "mug", hashlib.sha256(content).hexdigest(), width_px=20, height_px=10
    )
    assert photo_path(photos_dir, product.photo_sha256).read_bytes() == content


def test_adding_again_changes_nothing_and_decodes_nothing(add: Add, engine: Engine) -> None:
    add()
    before = read_all(engine)

    def refuse(path: Path) -> tuple[int, int]:
        raise AssertionError(f"decoded {path} again")

    assert add(measure=refuse, now=NOW + timedelta(days=1)) == CatalogueReport(0, 0, 3, ())
    assert read_all(engine) == before


def test_a_changed_photo_updates_its_product(add: Add, engine: Engine, source: Path) -> None:
    add()
    draw(source / "mug" / "blue.png", "skyblue", (30, 30))
    assert add(now=NOW + timedelta(days=1)) == CatalogueReport(0, 1, 2, ())
    assert read_all(engine)["mug-blue"].width_px == 30
    with reading(engine) as session:
        row = session.get_one(Product, "mug-blue")
        assert (row.added_at, row.updated_at) == (NOW, NOW + timedelta(days=1))


def test_a_product_that_was_shown_can_be_updated(add: Add, engine: Engine, source: Path) -> None:
    add()
    with writing(engine) as session:
        make_styles(session)
        make_slate(session, "ada", ["mug-blue"])
    draw(source / "mug" / "blue.png", "skyblue")
    assert add().updated == 1


def test_a_changed_title_updates_its_product(engine: Engine, source: Path, photos_dir: Path) -> None:
    listing = source / "products.csv"
    for title, expected in [
        ("Mug", CatalogueReport(1, 0, 0, ())),
        ("Mug", CatalogueReport(0, 0, 1, ())),
        ("Blue mug", CatalogueReport(0, 1, 0, ())),
    ]:
        listing.write_text(f"product_id,title,category,image\nm-1,{title},mug,mug/blue.png\n")
        assert add_products(engine, listing, photos_dir, measure=measure, now=NOW) == expected
    assert read_all(engine)["m-1"].title == "Blue mug"


def test_what_cannot_be_shown_is_skipped_with_the_reason(add: Add, engine: Engine, source: Path) -> None:
    (source / "mug" / "text.jpg").write_text("this is no picture")
    whole = draw(source / "mug" / "whole.png", size=(64, 64)).read_bytes()
    (source / "mug" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (source / "mug" / "gone.jpg").symlink_to(source / "nowhere.jpg")
    (source / "notes.txt").write_text("notes")
    report = add()
    assert report.added == 4
    reasons = {Path(each.path).name: each.reason for each in report.skipped}
    assert set(reasons) == {"text.jpg", "cut.png", "gone.jpg", "notes.txt"}
    assert "cannot identify image file" in reasons["text.jpg"]
    assert "truncated" in reasons["cut.png"] or "broken" in reasons["cut.png"]
    assert reasons["gone.jpg"] == "cannot be read: No such file or directory"
    assert set(read_all(engine)) == {"mug-blue", "mug-red", "mug-whole", "chair-oak"}


def test_a_spoiled_photo_keeps_the_product_as_it_was(add: Add, engine: Engine, source: Path) -> None:
    add()
    before = read_all(engine)
    (source / "mug" / "blue.png").write_text("spoiled")
    report = add()
    assert (report.unchanged, len(report.skipped)) == (2, 1)
    assert read_all(engine) == before


def test_a_photo_that_was_lost_is_put_back(add: Add, engine: Engine, photos_dir: Path) -> None:
    add()
    lost = photo_path(photos_dir, read_all(engine)["mug-red"].photo_sha256)
    content = lost.read_bytes()
    lost.write_bytes(content[:10])
    assert add().unchanged == 3
    assert lost.read_bytes() == content


def test_the_same_photo_of_two_products_is_kept_once(add: Add, source: Path, photos_dir: Path) -> None:
    draw(source / "mug" / "twin.png")
    assert add().added == 4
    assert len([path for path in photos_dir.rglob("*") if path.is_file()]) == 3


def test_an_interrupted_run_can_be_run_again(
    add: Add, engine: Engine, source: Path, photos_dir: Path
) -> None:
    for n in range(BATCH):
        draw(source / "box" / f"{n:04}.png", f"#0000{n % 256:02x}", (4 + n // 256, 4))

    def pull_the_plug(path: Path) -> tuple[int, int]:
        if path.parent.name == "mug":
            raise KeyboardInterrupt
        return measure(path)

    with pytest.raises(KeyboardInterrupt):
        add(measure=pull_the_plug)
    stored = read_all(engine) | _rest(engine)
    assert len(stored) == BATCH
    assert all(photo_path(photos_dir, each.photo_sha256).is_file() for each in stored.values())
    assert add() == CatalogueReport(added=3, updated=0, unchanged=BATCH, skipped=())
    assert not list(photos_dir.rglob(".photo-*"))


def _rest(engine: Engine) -> dict[str, CatalogueProduct]:
    with reading(engine) as session:
        last = read_products(session)[-1].product_id
        return {product.product_id: product for product in read_products(session, after=last)}


def test_progress_runs_from_nothing_to_everything(add: Add, source: Path) -> None:
    (source / "notes.txt").write_text("notes")
    seen: list[tuple[int, int]] = []
    add(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_products_are_read_page_by_page(engine: Engine) -> None:
    with writing(engine) as session:
        ids = [make_product(session, f"p-{n:02}", category="mug" if n % 2 else "chair") for n in range(7)]
    with reading(engine) as session:
        pages, after = [], None
        while page := read_products(session, after=after, limit=3):
            pages.append([product.product_id for product in page])
            after = pages[-1][-1]
        assert pages == [ids[:3], ids[3:6], ids[6:]]
        mugs = read_products(session, category="mug", after="p-02")
        assert [product.product_id for product in mugs] == ["p-03", "p-05"]


def test_products_are_read_by_id(engine: Engine) -> None:
    with writing(engine) as session:
        one, two = make_product(session), make_product(session)
        assert read_product(session, one).product_id == one
        assert set(read_products_by_id(session, [two, one, two])) == {one, two}
        assert read_products_by_id(session, []) == {}
        with pytest.raises(UnknownProduct, match="'nowhere'"):
            read_products_by_id(session, [one, "nowhere", "no-more"])
        with pytest.raises(UnknownProduct, match="personalize catalog add"):
            read_product(session, "nowhere")


WAVES = StyleOnOffer("waves", "Waves", (0.25, -1.5))
WOODCUT = StyleOnOffer("woodcut", "Woodcut", (1.0, 0.1))


def test_the_original_is_always_on_offer(engine: Engine) -> None:
    with writing(engine) as session:
        register_styles(session, [WOODCUT, WAVES], NOW)
        original = StyleOnOffer("original", "Original photo", (0.0, 0.0))
        assert read_styles(session) == [original, WAVES, WOODCUT]


def test_styles_follow_the_checkpoint(engine: Engine) -> None:
    renamed = replace(WAVES, title="Great waves", content_vector=(9.0,))
    with writing(engine) as session:
        register_styles(session, [WAVES, WOODCUT], NOW)
        [shown] = make_slate(session, style_id="woodcut")
        register_styles(session, [renamed], NOW + timedelta(days=1))
        assert read_styles(session)[1:] == [renamed]
        assert session.get_one(Style, shown.style_id).is_active is False
        assert session.get_one(Style, "waves").added_at == NOW
        register_styles(session, [WAVES, WOODCUT], NOW)
        assert read_styles(session)[1:] == [WAVES, WOODCUT]


def test_before_any_checkpoint_only_the_original_is_on_offer(engine: Engine) -> None:
    with writing(engine) as session:
        assert read_styles(session) == []
        register_styles(session, [], NOW)
        assert read_styles(session) == [StyleOnOffer("original", "Original photo", ())]
        assert session.scalars(select(Style.style_id)).all() == ["original"]


@pytest.mark.parametrize(
    ("styles", "complaint"),
    [
        ([WAVES, WAVES], "distinct style ids"),
        ([replace(WAVES, style_id="original")], "distinct style ids other than 'original'"),
        ([WAVES, replace(WOODCUT, content_vector=(1.0,))], "one length"),
    ],
)
def test_a_broken_checkpoint_is_refused(
    sqlite_engine: Engine, styles: list[StyleOnOffer], complaint: str
) -> None:
    with writing(sqlite_engine) as session, pytest.raises(ValueError, match=complaint):
        register_styles(session, styles, NOW)


@pytest.mark.parametrize("sha256", ["", "../../etc/passwd", "a" * 63, "A" * 64, "g" * 64])
def test_only_a_content_hash_names_a_photo(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        photo_path(tmp_path, sha256)


def test_a_photo_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("personalize.data.photos.os.fsync", disk_full)
    with pytest.raises(OSError, match="No space left"):
        store_photo(tmp_path, b"bytes")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
