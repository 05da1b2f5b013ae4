import pytest
import torch

from stylize.checkpoint import is_style_parameter
from stylize.network import NetworkConfig, StyleNetwork
from stylize.style_map import StyleMap, two_regions


def test_the_full_network_stays_within_its_parameter_budget() -> None:
    network = StyleNetwork(NetworkConfig(num_styles=2))
    counts = {True: 0, False: 0}
    for name, parameter in network.named_parameters():
        counts[is_style_parameter(name)] += parameter.numel()
    assert counts[False] <= 1_800_000
    assert counts[True] / 2 <= 3300


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (50, 31), (30, 64)])
def test_every_size_is_kept(random_network: StyleNetwork, size: tuple[int, int]) -> None:
    out = random_network(torch.rand(1, 3, *size), torch.eye(3)[:1])
    assert out.shape == (1, 3, *size)
    assert out.min() >= 0
    assert out.max() <= 1


def test_a_batch_of_mixed_styles_equals_single_pictures(random_network: StyleNetwork) -> None:
    images = torch.rand(4, 3, 40, 36)
    weights = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.2, 0.3, 0.5], [0, 0, 1]])
    together = random_network(images, weights)
    for item in range(4):
        alone = random_network(images[item : item + 1], weights[item : item + 1])
        assert torch.allclose(together[item : item + 1], alone, atol=1e-5)


def test_styles_give_different_pictures(random_network: StyleNetwork) -> None:
    image = torch.rand(1, 3, 32, 32).expand(3, -1, -1, -1)
    out = random_network(image, torch.eye(3))
    assert (out[0] - out[1]).abs().mean() > 0.01
    assert (out[1] - out[2]).abs().mean() > 0.01


def test_a_style_added_at_the_end_moves_no_other_by_a_bit(random_network: StyleNetwork) -> None:
    larger = StyleNetwork(NetworkConfig(num_styles=4, widths=(8, 12, 16), num_residual_blocks=2))
    state = larger.state_dict()
    for name, values in random_network.state_dict().items():
        state[name] = (
            torch.cat([values, torch.randn(1, values.shape[1])]) if is_style_parameter(name) else values
        )
    larger.load_state_dict(state)
    images = torch.rand(3, 3, 36, 36)
    with torch.no_grad():
        before = random_network(images, torch.eye(3))
        after = larger(images, torch.eye(4)[:3])
    assert torch.equal(before, after)


def test_strength_zero_is_the_photo_to_within_half_a_level(random_network: StyleNetwork) -> None:
    images = torch.cat([torch.rand(1, 3, 33, 46), torch.zeros(1, 3, 33, 46), torch.ones(1, 3, 33, 46)])
    out = random_network(images, torch.zeros(3, 3))
    assert (out - images).abs().max() <= 0.5 / 255 + 1e-6


def test_one_region_everywhere_equals_no_regions(random_network: StyleNetwork) -> None:
    images, weights = torch.rand(2, 3, 33, 46), torch.tensor([[0.7, 0, 0], [0.1, 0.6, 0.3]])
    regions = torch.full((2, 2, 33, 46), 0.5)
    uneven = StyleMap(weights[:, None].expand(-1, 2, -1), regions)
    assert torch.allclose(random_network(images, uneven), random_network(images, weights), atol=1e-5)


def test_a_region_of_strength_zero_keeps_the_photos_pixels(random_network: StyleNetwork) -> None:
    image, subject = torch.rand(1, 3, 34, 45), torch.zeros(1, 1, 34, 45)
    subject[..., 10:25, 12:30] = 1
    weights = torch.stack([torch.zeros(1, 3), torch.eye(3)[:1]], dim=1)
    out = random_network(image, StyleMap(weights, two_regions(subject)))
    changed = (out - image).abs().amax(1)
    assert changed[0, 10:25, 12:30].max() <= 0.5 / 255 + 1e-6
    assert changed[subject[:, 0] == 0].mean() > 0.02


def test_a_config_without_styles_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        NetworkConfig(num_styles=0)
