"""A checkpoint of format version 1, written by hand, is read as the present version."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stylize.checkpoint import StyleCheckpoint, build_network, read_checkpoint
from stylize.network import StyleNetwork
from stylize.old_checkpoints import upgrade
from stylize.sealed import Array, write_sealed


@pytest.fixture
def version_1(small_checkpoint: StyleCheckpoint) -> tuple[dict[str, Array], dict[str, str]]:
    """small_checkpoint as release 1 wrote it: no identity rows, no skip, no default strengths."""
    tensors = {
        f"shared.{name}": values for name, values in small_checkpoint.shared.items() if "identity" not in name
    }
    tensors |= {
        "style_table": small_checkpoint.style_table[:, :-3],
        "content_vectors": small_checkpoint.content_vectors,
        "descriptor_center": small_checkpoint.descriptor_center,
        "descriptor_axes": small_checkpoint.descriptor_axes,
        "thumbnail.0000": np.frombuffer(small_checkpoint.thumbnails[0], dtype=np.uint8),
    }
    metadata = {
        "format": "stylize-checkpoint",
        "format_version": "1",
        "network": json.dumps(small_checkpoint.network),
        "style_names": json.dumps(small_checkpoint.style_names),
        "recipe": "{}",
    }
    return tensors, metadata


def test_version_1_becomes_a_network_of_today(
    version_1: tuple[dict[str, Array], dict[str, str]], random_network: StyleNetwork, tmp_path: Path
) -> None:
    write_sealed(*version_1, tmp_path / "old.safetensors")
    checkpoint = read_checkpoint(tmp_path / "old.safetensors")
    assert checkpoint.default_strengths == (1.0, 1.0)
    network = build_network(checkpoint)
    images = torch.rand(3, 3, 32, 36)
    assert (network(images, torch.zeros(3, 3)) - images).abs().max() <= 0.5 / 255 + 1e-6
    with torch.no_grad():
        random_network.photo.skip.zero_()  # version 1 had none
    assert torch.allclose(network(images, torch.eye(3)), random_network(images, torch.eye(3)), atol=1e-6)


def test_the_identity_row_is_the_mean_of_the_styles(
    version_1: tuple[dict[str, Array], dict[str, str]], random_network: StyleNetwork
) -> None:
    tensors, metadata = upgrade(*version_1)
    assert metadata["format_version"] == "2"
    norm = random_network.encoder[1].norm
    assert np.allclose(tensors["shared.encoder.1.norm.identity_gamma"], norm.gamma.mean(0), atol=1e-6)
    assert not tensors["shared.output.norm.identity_gamma"].any()


def test_what_is_of_today_is_left_alone(version_1: tuple[dict[str, Array], dict[str, str]]) -> None:
    tensors, metadata = version_1
    metadata = {**metadata, "format_version": "2"}
    assert upgrade(tensors, metadata) == (tensors, metadata)
