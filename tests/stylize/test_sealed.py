from pathlib import Path

import numpy as np

from stylize.sealed import Array, read_sealed, write_sealed


def test_equal_contents_are_equal_bytes_and_read_back(tmp_path: Path) -> None:
    tensors: dict[str, Array] = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.zeros(1, dtype=np.int64),
    }
    metadata = {f"key-{i}": "é" * i for i in range(9)}
    paths = [tmp_path / f"{i}.safetensors" for i in range(6)]
    for path in paths:
        write_sealed(tensors, metadata, path)
    assert len({path.read_bytes() for path in paths}) == 1
    read, kept = read_sealed(paths[0])
    assert kept == metadata
    assert all(np.array_equal(read[name], values) for name, values in tensors.items())
