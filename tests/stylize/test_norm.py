import pytest
import torch
import torch.nn.functional as F

from stylize.norm import ConditionalInstanceNorm2d
from stylize.style_map import StyleMap, two_regions


def random_norm(num_channels: int = 4, num_styles: int = 3) -> ConditionalInstanceNorm2d:
    norm = ConditionalInstanceNorm2d(num_channels, num_styles)
    with torch.no_grad():
        norm.gamma.copy_(torch.randn_like(norm.gamma))
        norm.beta.copy_(torch.randn_like(norm.beta))
        norm.identity_gamma.copy_(torch.randn_like(norm.identity_gamma))
        norm.identity_beta.copy_(torch.randn_like(norm.identity_beta))
    return norm


def one_style(row: int) -> StyleMap:
    return StyleMap(torch.eye(3)[[row]])


def test_four_pixels_worked_by_hand() -> None:
    norm = ConditionalInstanceNorm2d(1, 1, eps=1e-12)
    with torch.no_grad():
        norm.gamma.fill_(2.0)
        norm.beta.fill_(10.0)
    x = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]])  # mean 4, biased variance 5
    expected = 10 + 2 * (x - 4) / 5**0.5
    assert torch.allclose(norm(x, StyleMap(torch.ones(1, 1))), expected, atol=1e-6)


def test_one_hot_weights_equal_torchs_instance_norm_with_that_row() -> None:
    norm, x = random_norm(), torch.randn(2, 4, 7, 5)
    out = norm(x, StyleMap(torch.eye(3)[[2, 0]]))
    for item, row in enumerate((2, 0)):
        reference = F.instance_norm(x[item : item + 1], weight=norm.gamma[row], bias=norm.beta[row])
        assert torch.allclose(out[item : item + 1], reference, atol=1e-5)


def test_a_mixture_is_linear_in_gamma_and_beta() -> None:
    norm, x = random_norm(), torch.randn(1, 4, 6, 6)
    mixed = norm(x, StyleMap(torch.tensor([[0.25, 0.75, 0.0]])))
    parts = 0.25 * norm(x, one_style(0)) + 0.75 * norm(x, one_style(1))
    assert torch.allclose(mixed, parts, atol=1e-5)


@pytest.mark.parametrize("offset", [0.0, 3.0, 20.0])
def test_bfloat16_input_is_normalized_with_float32_statistics(offset: float) -> None:
    norm = random_norm(num_channels=8)
    x, weights = (offset + torch.randn(2, 8, 64, 64)).bfloat16(), StyleMap(torch.eye(3)[:2])
    out = norm(x, weights)
    assert out.dtype == torch.bfloat16
    bias = (out.float() - norm(x.float(), weights)).mean(dim=(2, 3))
    assert bias.abs().max() < 0.005


def test_bfloat16_gradients_follow_the_float32_ones() -> None:
    norm, weights = random_norm(), StyleMap(torch.eye(3)[:2])
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1)).to(dtype).requires_grad_()
        norm.zero_grad()
        norm(x, weights).float().pow(3).sum().backward()
        gradients.append((norm.gamma.grad.clone(), norm.beta.grad.clone(), x.grad.float()))
    for exact, rounded in zip(*gradients, strict=True):
        assert torch.allclose(exact, rounded, rtol=0.05, atol=0.02 * exact.abs().max().item())


def test_what_is_missing_to_one_goes_to_the_identity_row() -> None:
    norm, x = random_norm(), torch.randn(1, 4, 6, 6)
    identity = norm(x, StyleMap(torch.zeros(1, 3)))
    assert torch.allclose(
        identity, F.instance_norm(x, weight=norm.identity_gamma, bias=norm.identity_beta), atol=1e-5
    )
    partly = norm(x, StyleMap(torch.tensor([[0.3, 0.0, 0.0]])))
    assert torch.allclose(partly, 0.3 * norm(x, one_style(0)) + 0.7 * identity, atol=1e-5)


def test_a_region_gets_its_own_scale_and_shift_but_the_whole_pictures_statistics() -> None:
    norm, x = random_norm(), torch.randn(1, 4, 6, 8)
    left = torch.zeros(1, 1, 6, 8)
    left[..., :4] = 1
    weights = torch.stack([torch.eye(3)[:1], torch.eye(3)[1:2]], dim=1)
    out = norm(x, StyleMap(weights, two_regions(left)))
    assert torch.allclose(out[..., :4], norm(x, one_style(0))[..., :4], atol=1e-5)
    assert torch.allclose(out[..., 4:], norm(x, one_style(1))[..., 4:], atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3), (2, 4), (3, 3)])
def test_maps_of_other_pictures_or_styles_are_refused_with_both_shapes(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\).*got \(" + ", ".join(map(str, shape))):
        random_norm()(torch.randn(2, 4, 5, 5), StyleMap(torch.ones(shape)))
