import pytest
import torch
import torch.nn.functional as F

from stylize.grain import grain
from stylize.network import StyleNetwork
from stylize.render.inference import InferenceNetwork, regional_style, subpixel_weight
from stylize.style_map import StyleMap, two_regions


def test_the_subpixel_convolution_equals_doubling_and_convolving() -> None:
    x, weight = torch.randn(2, 3, 7, 5, dtype=torch.float64), torch.randn(4, 3, 3, 3, dtype=torch.float64)
    doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
    expected = F.conv2d(F.pad(doubled, (1, 1, 1, 1), mode="reflect"), weight)
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    out = F.pixel_shuffle(F.conv2d(padded, subpixel_weight(weight)), 2)[..., 1:-1, 1:-1]
    assert torch.allclose(out, expected, atol=1e-12)


@pytest.mark.parametrize("size", [(32, 32), (33, 46), (19, 70)])
def test_the_rewritten_network_gives_the_same_pictures(
    random_network: StyleNetwork, size: tuple[int, int]
) -> None:
    images, noise = torch.rand(2, 3, *size), grain(size, seed=0)
    weights = torch.tensor([[1.0, 0, 0], [0.1, 0.6, 0.1]])
    fast = InferenceNetwork(random_network, torch.float32)
    even, uneven = StyleMap(weights), regional_style(weights, torch.rand(2, 1, *size))
    for style in (even, uneven):
        assert torch.allclose(fast(images, style, noise), random_network(images, style, noise), atol=2e-5)


def test_bfloat16_stays_within_forty_decibels(random_network: StyleNetwork) -> None:
    images, style, noise = torch.rand(1, 3, 48, 48), StyleMap(torch.eye(3)[:1]), grain((48, 48), seed=0)
    fast = InferenceNetwork(random_network, torch.bfloat16)(images, style, noise)
    assert fast.dtype == torch.float32
    error = (fast - random_network(images, style, noise)).square().mean()
    assert -10 * torch.log10(error) > 40


def test_the_field_of_strengths_is_a_map_of_two_regions(random_network: StyleNetwork) -> None:
    images, noise = torch.rand(1, 3, 32, 40), grain((32, 40), seed=0)
    weights, mask = torch.tensor([[0.5, 0.5, 0.0]]), torch.rand(1, 1, 32, 40)
    by_regions = StyleMap(torch.stack([0.4 * weights, 0.9 * weights], dim=1), two_regions(mask))
    by_field = regional_style(weights, 0.4 * mask + 0.9 * (1 - mask))
    network = InferenceNetwork(random_network, torch.float32)
    assert torch.allclose(network(images, by_regions, noise), network(images, by_field, noise), atol=1e-5)


def test_the_original_network_is_left_as_it_is(random_network: StyleNetwork) -> None:
    before = {name: values.clone() for name, values in random_network.state_dict().items()}
    InferenceNetwork(random_network, torch.bfloat16)
    after = random_network.state_dict()
    assert all(
        torch.equal(values, after[name]) and after[name].dtype == torch.float32
        for name, values in before.items()
    )
