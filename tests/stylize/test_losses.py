import pytest
import torch

from stylize.losses import StyleTargets, content_loss, gram_matrix, style_loss, style_targets, total_variation


def test_gram_matrix_worked_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # C 2, H 1, W 2: rows (1, 2) and (3, -1)
    expected = torch.tensor([[[5.0, 1.0], [1.0, 10.0]]]) / 4
    assert torch.equal(gram_matrix(features), expected)


def test_gram_matrix_does_not_care_where_things_are() -> None:
    features = torch.randn(1, 5, 6, 4)
    shuffled = features.flatten(2)[..., torch.randperm(24)].reshape(1, 5, 6, 4)
    assert torch.allclose(gram_matrix(features), gram_matrix(shuffled), atol=1e-6)


def test_gram_matrix_is_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        gram = gram_matrix(torch.randn(1, 4, 8, 8).bfloat16())
    assert gram.dtype == torch.float32


def test_style_loss_is_zero_at_the_target_and_one_per_layer_at_zero() -> None:
    features = {"relu1_1": torch.rand(1, 3, 8, 8), "relu2_1": torch.rand(1, 4, 4, 4)}
    targets, weights = style_targets([features]), {"relu1_1": 1.0, "relu2_1": 0.5}
    assert style_loss(features, targets, weights).item() == pytest.approx(0.0, abs=1e-12)
    nothing = {name: torch.zeros_like(value) for name, value in features.items()}
    assert style_loss(nothing, targets, weights).item() == pytest.approx(1.5)


def test_style_loss_is_relative_so_that_faint_and_loud_styles_weigh_the_same() -> None:
    style, out = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    quiet = style_loss({"a": out * 0.01}, style_targets([{"a": style * 0.01}]), {"a": 1.0})
    loud = style_loss({"a": out}, style_targets([{"a": style}]), {"a": 1.0})
    assert quiet.item() == pytest.approx(loud.item(), rel=1e-4)


def test_targets_at_two_sizes_are_averaged_and_rows_are_picked() -> None:
    small, large = {"a": torch.rand(1, 2, 4, 4)}, {"a": torch.rand(1, 2, 8, 8)}
    mean = (gram_matrix(small["a"]) + gram_matrix(large["a"])) / 2
    assert torch.allclose(style_targets([small, large]).grams["a"], mean)
    bank = StyleTargets({"a": torch.arange(3.0).reshape(3, 1, 1)})
    assert bank.rows(torch.tensor([2, 0])).grams["a"].flatten().tolist() == [2.0, 0.0]


def test_content_loss_is_per_picture_and_relative() -> None:
    target = torch.rand(2, 3, 4, 4)
    assert torch.allclose(content_loss(torch.zeros_like(target), target), torch.ones(2))
    assert torch.equal(content_loss(target, target), torch.zeros(2))


def test_total_variation_worked_by_hand() -> None:
    image = torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])  # down: 0, 1; across: 1, 0
    assert total_variation(image).item() == pytest.approx(0.5 + 0.5)
    assert total_variation(torch.full((1, 3, 5, 5), 0.3)).item() == 0
