"""The render store: bounded, atomic, never serving a damaged picture, and no reason to fail an answer."""

import errno
import os
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from personalize.rendering.store import BucketBlobs, FolderBlobs, RenderStore

PICTURE = b"\xff\xd8 a picture \xff\xd9" * 50


def digest(n: int) -> str:
    return f"{n:064x}"


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "renders") if request.param == "folder" else f"memory://renders-{uuid4().hex}"


def test_what_was_put_comes_back(url: str) -> None:
    store = RenderStore.open(url, 10_000)
    assert store.get(digest(1)) is None
    assert store.put(digest(1), PICTURE)
    assert store.get(digest(1)) == PICTURE


def test_it_is_still_there_after_a_restart(url: str) -> None:
    RenderStore.open(url, 10_000).put(digest(1), PICTURE)
    reopened = RenderStore.open(url, 10_000)
    assert reopened.get(digest(1)) == PICTURE
    assert reopened.n_bytes == len(PICTURE) + 32


def test_the_longest_unused_goes_first(url: str) -> None:
    store = RenderStore.open(url, 3 * (len(PICTURE) + 32))
    for n in (1, 2, 3):
        store.put(digest(n), PICTURE)
    store.get(digest(1))
    store.put(digest(4), PICTURE)
    assert store.get(digest(2)) is None
    assert store.get(digest(1)) == PICTURE
    assert store.get(digest(4)) == PICTURE


def test_it_never_holds_more_than_its_bound(url: str) -> None:
    bound = 5_000
    store = RenderStore.open(url, bound)
    for n in range(40):
        store.put(digest(n), PICTURE)
        assert store.n_bytes <= bound
    assert RenderStore.open(url, bound).n_bytes <= bound


def test_a_store_opened_with_a_smaller_bound_shrinks_to_it(url: str) -> None:
    store = RenderStore.open(url, 100_000)
    for n in range(20):
        store.put(digest(n), PICTURE)
    smaller = RenderStore.open(url, 3_000)
    smaller.put(digest(99), PICTURE)
    assert smaller.n_bytes <= 3_000
    assert smaller.get(digest(99)) == PICTURE


def test_a_picture_larger_than_the_bound_is_not_kept(url: str) -> None:
    store = RenderStore.open(url, 100)
    assert not store.put(digest(1), PICTURE)
    assert store.get(digest(1)) is None


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_no_damaged_picture_is_served(tmp_path: Path) -> None:
    """Every truncation and every flipped byte is noticed, removed, and can be rendered anew."""
    store = RenderStore(FolderBlobs(tmp_path), 1_000_000)
    store.put(digest(1), PICTURE)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    damaged = [whole[:n] for n in (0, 1, 31, 32, 33, len(whole) // 2, len(whole) - 1)]
    damaged += [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in range(0, len(whole), 7)]
    for blob in damaged:
        path.write_bytes(blob)
        assert store.get(digest(1)) is None
        assert not path.exists()
        assert store.n_bytes == 0
        store.put(digest(1), PICTURE)


def test_a_stored_picture_opens_in_an_image_viewer(tmp_path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (20, 10), "red").save(buffer, "WEBP")
    RenderStore(FolderBlobs(tmp_path), 1_000_000).put(digest(1), buffer.getvalue())
    with Image.open(files(tmp_path)[0]) as image:
        image.load()
        assert image.size == (20, 10)


def test_a_full_disk_costs_the_cache_and_not_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = RenderStore(FolderBlobs(tmp_path), 1_000_000)

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert [store.put(digest(n), PICTURE) for n in range(5)] == [False] * 5
    assert files(tmp_path) == []
    assert store.n_bytes == 0
    assert [record.message for record in caplog.records] == ["render_store_unwritable"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """One thread overwrites, one reads: it is always one of the two whole pictures."""
    blobs = FolderBlobs(tmp_path)
    old, new = b"a" * 200_000, b"b" * 200_000
    blobs.write("aa/x", old)
    seen: set[bytes] = set()
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            seen.add(blobs.read("aa/x"))

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(60):
        blobs.write("aa/x", new if n % 2 else old)
    is_over.set()
    reader.join()
    assert seen <= {old, new}


def test_temporary_files_of_a_killed_process_are_cleaned_up(tmp_path: Path) -> None:
    left_over, in_use = tmp_path / "aa" / ".writing-old", tmp_path / "aa" / ".writing-new"
    left_over.parent.mkdir()
    left_over.write_bytes(b"half")
    in_use.write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    os.utime(left_over, (two_hours_ago, two_hours_ago))
    store = RenderStore(FolderBlobs(tmp_path), 1_000)
    assert not left_over.exists()
    assert in_use.exists()
    assert store.n_bytes == 0


def test_a_bucket_that_is_gone_reads_as_empty() -> None:
    class Gone(BucketBlobs):
        def __init__(self) -> None:
            pass

        def read(self, name: str) -> bytes:
            raise ConnectionError("no route to host")

        def names_by_age(self) -> list[tuple[str, int]]:
            return []

    assert RenderStore(Gone(), 1_000).get(digest(1)) is None
