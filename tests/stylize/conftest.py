"""Pictures drawn in code, a narrow VGG with random weights, and a small trained-looking checkpoint."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from narrow_vgg import narrow_vgg_weights
from PIL import Image, ImageDraw

from stylize.checkpoint import StyleCheckpoint, join_style_table, shared_weights
from stylize.images import encode
from stylize.network import NetworkConfig, StyleNetwork
from stylize.vgg import VGGWeights

STYLE_NAMES = ("dots", "stripes", "waves")


torch.set_num_threads(1)  # pictures this small gain nothing from a second thread, and lose on a busy machine


@pytest.fixture(autouse=True)
def _same_random_numbers_every_time() -> None:
    torch.manual_seed(0)


@pytest.fixture
def make_photo() -> Callable[..., Image.Image]:
    """A product-like photo: a coloured shape on a light background, noise on top."""

    def make(size: tuple[int, int] = (96, 80), seed: int = 0) -> Image.Image:
        rng = np.random.default_rng(seed)
        image = Image.new("RGB", size, tuple(int(v) for v in rng.integers(180, 250, 3)))
        box = (size[0] // 5, size[1] // 6, size[0] * 4 // 5, size[1] * 5 // 6)
        ImageDraw.Draw(image).ellipse(box, fill=tuple(int(v) for v in rng.integers(20, 200, 3)))
        noisy = np.asarray(image, dtype=np.int16) + rng.integers(-12, 13, (size[1], size[0], 1))
        return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))

    return make


@pytest.fixture
def make_style() -> Callable[[str], Image.Image]:
    """A style picture of 96 px: "stripes" in red and blue, or "dots" in green on black."""

    def make(name: str) -> Image.Image:
        image = Image.new("RGB", (96, 96), "#b02020" if name == "stripes" else "#101010")
        draw = ImageDraw.Draw(image)
        for step in range(0, 96, 12):
            if name == "stripes":
                draw.rectangle((0, step, 96, step + 5), fill="#2030c0")
            else:
                for x in range(0, 96, 12):
                    draw.ellipse((x, step, x + 7, step + 7), fill="#40d060")
        return image

    return make


@pytest.fixture
def training_folders(
    tmp_path: Path, make_photo: Callable[..., Image.Image], make_style: Callable[[str], Image.Image]
) -> tuple[Path, Path]:
    """A folder of six photos and a folder of two styles."""
    photos, styles = tmp_path / "photos", tmp_path / "styles"
    photos.mkdir()
    styles.mkdir()
    for seed in range(6):
        make_photo(seed=seed).save(photos / f"photo{seed}.png")
    for name in ("stripes", "dots"):
        make_style(name).save(styles / f"{name}.png")
    return photos, styles


@pytest.fixture
def narrow_vgg() -> VGGWeights:
    """VGG19 in miniature."""
    return narrow_vgg_weights()


@pytest.fixture
def random_network() -> StyleNetwork:
    """A small network of three styles whose rows all differ."""
    network = StyleNetwork(NetworkConfig(num_styles=3, widths=(8, 12, 16), num_residual_blocks=2))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.shape[0] == 3 and parameter.ndim == 2:
                parameter.add_(torch.randn_like(parameter) * 0.4)
    return network.eval().requires_grad_(False)


@pytest.fixture
def small_checkpoint(random_network: StyleNetwork) -> StyleCheckpoint:
    """random_network as a checkpoint with the styles dots, stripes and waves."""
    state = random_network.state_dict()
    thumbnail = encode(Image.new("RGB", (96, 96), "teal"), "jpeg", 80)
    return StyleCheckpoint(
        network={"widths": random_network.config.widths, "num_residual_blocks": 2},
        shared=shared_weights(state),
        style_names=STYLE_NAMES,
        style_table=join_style_table(state),
        content_vectors=np.eye(3, 16, dtype=np.float32),
        descriptor_center=np.zeros(5, dtype=np.float32),
        descriptor_axes=np.zeros((16, 5), dtype=np.float32),
        thumbnails=(thumbnail,) * 3,
        recipe={"steps": 1, "seed": 0},
    )


@pytest.fixture
def shop(tmp_path: Path, make_photo: Callable[..., Image.Image]) -> Path:
    """A folder of six t-shirts and six pairs of shoes, which are dark and wide."""
    folder = tmp_path / "shop"
    for kind in ("t-shirt", "shoes"):
        (folder / kind).mkdir(parents=True)
        for seed in range(6):
            photo = make_photo((96, 96), seed)
            if kind == "shoes":
                ImageDraw.Draw(photo).rectangle((4, 60, 92, 90), fill="#101010")
            photo.save(folder / kind / f"{kind}{seed}.png")
    return folder


@pytest.fixture
def style_folder(tmp_path: Path, make_style: Callable[[str], Image.Image]) -> Path:
    """A folder of pictures of the small checkpoint's three styles."""
    folder = tmp_path / "style_pictures"
    folder.mkdir()
    for name in ("stripes", "dots"):
        make_style(name).save(folder / f"{name}.png")
    make_style("stripes").rotate(45).save(folder / "waves.png")
    return folder


@pytest.fixture
def vgg_file(tmp_path: Path, narrow_vgg: VGGWeights) -> Path:
    """narrow_vgg's convolutions as a file in torchvision's format."""
    state = {}
    for place, (weight, bias) in enumerate(narrow_vgg.convolutions.values()):
        state |= {f"features.{place}.weight": weight, f"features.{place}.bias": bias}
    torch.save(state, tmp_path / "vgg.pt")
    return tmp_path / "vgg.pt"
