from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stylize.checkpoint import (
    StyleCheckpoint,
    build_network,
    read_checkpoint,
    shipped_checkpoint_path,
    write_checkpoint,
)
from stylize.errors import CorruptCheckpoint
from stylize.network import StyleNetwork


@pytest.fixture
def path(tmp_path: Path, small_checkpoint: StyleCheckpoint) -> Path:
    write_checkpoint(small_checkpoint, tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def test_what_is_written_is_read_back(path: Path, small_checkpoint: StyleCheckpoint) -> None:
    loaded = read_checkpoint(path)
    assert loaded.sha256 == small_checkpoint.sha256
    assert loaded.style_names == ("dots", "stripes", "waves")
    assert loaded.thumbnails == small_checkpoint.thumbnails
    assert loaded.recipe == {"steps": 1, "seed": 0}
    assert loaded.default_strengths == small_checkpoint.default_strengths
    assert np.array_equal(loaded.style_table, small_checkpoint.style_table)


def test_the_network_comes_back_bit_for_bit(path: Path, random_network: StyleNetwork) -> None:
    rebuilt = build_network(read_checkpoint(path))
    images, weights = torch.rand(3, 3, 32, 32), torch.eye(3)
    assert torch.equal(rebuilt(images, weights), random_network(images, weights))


def test_a_row_added_to_the_table_moves_no_other_style(small_checkpoint: StyleCheckpoint) -> None:
    row = np.random.default_rng(0).normal(size=(1, small_checkpoint.style_table.shape[1])).astype(np.float32)
    larger = replace(
        small_checkpoint,
        style_names=(*small_checkpoint.style_names, "added"),
        style_table=np.vstack([small_checkpoint.style_table, row]),
    )
    images = torch.rand(3, 3, 32, 32)
    before = build_network(small_checkpoint)(images, torch.eye(3))
    after = build_network(larger)(images, torch.eye(4)[:3])
    assert torch.equal(before, after)


def test_the_digest_covers_names_and_recipe(small_checkpoint: StyleCheckpoint) -> None:
    renamed = replace(small_checkpoint, style_names=("a", "b", "c"))
    retrained = replace(small_checkpoint, recipe={"steps": 2})
    gentler = replace(small_checkpoint, default_strengths=(0.4, 1.0))
    assert len({small_checkpoint.sha256, renamed.sha256, retrained.sha256, gentler.sha256}) == 4


def test_every_truncation_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for kept in (0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(CorruptCheckpoint, match=r"small\.safetensors"):
            read_checkpoint(path)


def test_every_flipped_bit_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    header_bytes = 8 + int.from_bytes(whole[:8], "little")
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, header_bytes, 150), *rng.integers(header_bytes, len(whole), 60)]
    for place in map(int, places):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(CorruptCheckpoint):
            read_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\xff" * 64, b"\x02" + bytes(7) + b"{}"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.bin").write_bytes(content)
    with pytest.raises(CorruptCheckpoint, match=r"other\.bin"):
        read_checkpoint(tmp_path / "other.bin")


def test_a_later_format_version_says_so(
    path: Path, small_checkpoint: StyleCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylize.checkpoint.FORMAT_VERSION", 3)
    write_checkpoint(small_checkpoint, path)
    monkeypatch.undo()
    with pytest.raises(CorruptCheckpoint, match="version is 3"):
        read_checkpoint(path)


def test_a_failed_write_leaves_the_old_file(
    path: Path, small_checkpoint: StyleCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("stylize.sealed.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_checkpoint(replace(small_checkpoint, style_names=("a", "b", "c")), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_shipped_checkpoint_is_sound_and_small() -> None:
    path = shipped_checkpoint_path()
    checkpoint = read_checkpoint(path)
    assert path.stat().st_size < 8_000_000
    assert len(checkpoint.style_names) >= 16
    assert np.allclose(np.linalg.norm(checkpoint.content_vectors, axis=1), 1, atol=1e-4)
    assert checkpoint.recipe["n_held_back"] == 200
