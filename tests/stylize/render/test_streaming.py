"""Strips cannot be told from the whole picture, whatever its sides and wherever the strips are cut."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from stylize.checkpoint import build_network, read_checkpoint, shipped_checkpoint_path
from stylize.devices import computes_in_bfloat16
from stylize.grain import grain
from stylize.network import StyleNetwork
from stylize.render.inference import InferenceNetwork, regional_style
from stylize.render.streaming import StyleRows, develop_in_strips, paint_in_strips
from stylize.style_map import StyleMap


def random_field(height: int, width: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(1).integers(0, 256, (5, 6), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def whole(network: InferenceNetwork, photo: NDArray[np.uint8], style: StyleRows) -> torch.Tensor:
    """The untiled picture, (H, W, 3) in [0, 1]."""
    images = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    style_map = StyleMap(style.weights)
    if style.field is not None:
        strength = torch.from_numpy(style.field).float()[None, None] / 255
        style_map = regional_style(style.weights, strength)
    return network(images, style_map, grain(photo.shape[:2], seed=0))[0].permute(1, 2, 0)


@pytest.mark.parametrize("strip_pixels", [200, 1100, 10**9])
@pytest.mark.parametrize("size", [(32, 32), (33, 46), (70, 19), (13, 150), (97, 66)])
@pytest.mark.parametrize("is_uniform", [True, False])
def test_in_float32_strips_are_the_whole_to_the_last_digits(
    random_network: StyleNetwork,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    strip_pixels: int,
    is_uniform: bool,
) -> None:
    monkeypatch.setattr("stylize.render.streaming.STRIP_PIXELS", strip_pixels)
    monkeypatch.setattr("stylize.render.streaming.KEPT_DTYPE", torch.float32)
    network = InferenceNetwork(random_network, torch.float32)
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    style = StyleRows(torch.tensor([[0.2, 0.7, 0.1]]), None if is_uniform else random_field(*size))
    picture = develop_in_strips(network, paint_in_strips(network, photo, style), photo, style)
    assert np.abs(picture - 255 * whole(network, photo, style).numpy()).max() < 0.52


@pytest.mark.parametrize(("size", "is_uniform"), [((1001, 1022), True), ((403, 515), False)])
def test_the_shipped_network_shows_no_seams_in_megapixels(
    make_photo: Callable[..., Image.Image],
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    is_uniform: bool,
) -> None:
    monkeypatch.setattr("stylize.render.streaming.STRIP_PIXELS", 100_000)
    dtype = torch.bfloat16 if computes_in_bfloat16(torch.device("cpu")) else torch.float32
    trained = build_network(read_checkpoint(shipped_checkpoint_path()))
    network = InferenceNetwork(trained, dtype)
    photo = np.array(make_photo(size[::-1]))
    weights = torch.eye(trained.config.num_styles)[:1]
    style = StyleRows(weights, None if is_uniform else random_field(*size))
    picture = develop_in_strips(network, paint_in_strips(network, photo, style), photo, style)
    difference = np.abs(picture - (255 * whole(network, photo, style)).round().numpy())
    assert difference.mean() <= 1
    assert np.quantile(difference, 0.999) <= 4
    rows = difference.mean(axis=(1, 2))
    assert rows.max() <= 3 * rows.mean() + 0.5  # a seam would be a row that stands out
