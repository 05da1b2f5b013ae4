from collections.abc import Callable

import torch
from PIL import Image

from stylize.evaluate.bench import BENCH_LAYERS
from stylize.evaluate.identification import StyleIdentifier, picture_statistics
from stylize.images import to_tensor
from stylize.vgg import VGGFeatures, VGGWeights


def test_style_pictures_are_identified_as_themselves(narrow_vgg: VGGWeights) -> None:
    vgg = VGGFeatures(narrow_vgg, BENCH_LAYERS)
    styles = torch.rand(4, 3, 64, 64) * torch.tensor([1.0, 0.7, 0.4, 0.1]).view(4, 1, 1, 1)
    statistics = [picture_statistics(vgg(style[None])) for style in styles]
    identifier = StyleIdentifier(("a", "b", "c", "d"), statistics)
    assert [identifier.identify(vgg(style[None])) for style in styles] == ["a", "b", "c", "d"]


def test_a_picture_whose_parts_were_moved_is_still_in_its_style(
    narrow_vgg: VGGWeights, make_style: Callable[[str], Image.Image]
) -> None:
    vgg = VGGFeatures(narrow_vgg, BENCH_LAYERS)
    styles = torch.stack([to_tensor(make_style(name)) for name in ("stripes", "dots")])
    statistics = [picture_statistics(vgg(style[None])) for style in styles]
    identifier = StyleIdentifier(("stripes", "dots"), statistics)
    moved = styles.flip(3).roll((17, 30), dims=(2, 3))
    assert [identifier.identify(vgg(picture[None])) for picture in moved] == ["stripes", "dots"]
