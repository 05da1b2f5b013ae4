import pytest
import torch
import torch.nn.functional as F

from stylize.network import StyleNetwork
from stylize.render.inference import InferenceNetwork, subpixel_weight


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
    images, weights = torch.rand(2, 3, *size), torch.tensor([[1.0, 0, 0], [0.1, 0.6, 0.3]])
    fast = InferenceNetwork(random_network, torch.float32)(images, weights)
    assert torch.allclose(fast, random_network(images, weights), atol=2e-5)


def test_bfloat16_stays_within_forty_decibels(random_network: StyleNetwork) -> None:
    images, weights = torch.rand(1, 3, 48, 48), torch.eye(3)[:1]
    fast = InferenceNetwork(random_network, torch.bfloat16)(images, weights)
    assert fast.dtype == torch.float32
    error = (fast - random_network(images, weights)).square().mean()
    assert -10 * torch.log10(error) > 40


def test_the_original_network_is_left_as_it_is(random_network: StyleNetwork) -> None:
    before = {name: values.clone() for name, values in random_network.state_dict().items()}
    InferenceNetwork(random_network, torch.bfloat16)
    after = random_network.state_dict()
    assert all(
        torch.equal(values, after[name]) and after[name].dtype == torch.float32
        for name, values in before.items()
    )
