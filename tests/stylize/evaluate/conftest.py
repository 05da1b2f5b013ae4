from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from stylize.vgg import VGGWeights

SHOP = {"t-shirt": 6, "shoes": 6}


@pytest.fixture
def shop(tmp_path: Path, make_photo: Callable[..., Image.Image]) -> Path:
    """Product photos in two folders: wide dark shapes are shoes."""
    folder = tmp_path / "shop"
    for name, n in SHOP.items():
        (folder / name).mkdir(parents=True)
        for seed in range(n):
            photo = make_photo((96, 96), seed)
            if name == "shoes":
                ImageDraw.Draw(photo).rectangle((4, 60, 92, 90), fill="#101010")
            photo.save(folder / name / f"{name}{seed}.png")
    return folder


@pytest.fixture
def style_folder(tmp_path: Path, make_style: Callable[[str], Image.Image]) -> Path:
    """Pictures of the small checkpoint's three styles."""
    folder = tmp_path / "styles"
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
