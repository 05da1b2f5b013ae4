import pytest
import torch

from stylize.losses import (
    StyleTargets,
    channel_moments,
    content_loss,
    flatness_loss,
    gram_matrix,
    grid_loss,
    moments_loss,
    readability_loss,
    sliced_wasserstein_loss,
    style_loss,
    style_targets,
    total_variation,
)


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


def test_targets_at_two_sizes_are_averaged() -> None:
    small, large = {"a": torch.rand(1, 2, 4, 4)}, {"a": torch.rand(1, 2, 8, 8)}
    mean = (gram_matrix(small["a"]) + gram_matrix(large["a"])) / 2
    assert torch.allclose(style_targets([small, large]).grams["a"], mean)


def test_a_mixture_aims_at_the_mean_of_its_styles_statistics() -> None:
    styles = [style_targets([{"a": torch.rand(1, 2, 4, 4)}]) for _ in range(3)]
    bank = StyleTargets.stack(styles)
    mixed = bank.mix(torch.tensor([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]]))
    assert torch.allclose(mixed.grams["a"][0], 0.25 * bank.grams["a"][1] + 0.75 * bank.grams["a"][2])
    assert torch.equal(mixed.moments["a"][1], bank.moments["a"][0])


def test_channel_moments_worked_by_hand() -> None:
    features = torch.tensor([[[[1.0, 3.0]], [[5.0, 5.0]]]])
    assert channel_moments(features).tolist() == [pytest.approx([2.0, 5.0, 1.0, 0.0], abs=2e-4)]


def test_moments_loss_is_zero_at_the_target_and_one_per_layer_at_nothing() -> None:
    features = {"a": torch.rand(2, 3, 8, 8)}
    targets = StyleTargets.stack([style_targets([{"a": features["a"][i : i + 1]}]) for i in range(2)])
    assert moments_loss(features, targets, {"a": 1.0}).tolist() == pytest.approx([0.0, 0.0], abs=1e-9)
    nothing = moments_loss({"a": torch.zeros(2, 3, 8, 8)}, targets, {"a": 0.5})
    assert nothing.tolist() == pytest.approx([0.5, 0.5], rel=1e-2)


def test_sliced_wasserstein_sees_what_gram_matrices_and_moments_cannot() -> None:
    """Two distributions of equal mean and variance: three levels against two."""
    two_levels = torch.tensor([1.0, 3.0]).repeat(32).reshape(1, 1, 8, 8)
    spread = (8 / 3) ** 0.5
    three_levels = torch.tensor([2.0, 2 - spread, 2 + spread, 2.0]).repeat(16)
    three_levels = (three_levels - three_levels.mean()) / three_levels.std(correction=0) + 2
    three_levels = three_levels.reshape(1, 1, 8, 8)
    targets, one = style_targets([{"a": two_levels}]), torch.ones(1, 1)
    same = sliced_wasserstein_loss({"a": two_levels}, targets.samples, one, {"a": 1.0}, seed=0)
    other = sliced_wasserstein_loss({"a": three_levels}, targets.samples, one, {"a": 1.0}, seed=0)
    assert moments_loss({"a": three_levels}, targets, {"a": 1.0}).item() < 1e-6
    assert other.item() > 20 * same.item()


def test_readability_is_lost_where_edges_and_shades_change_inside_the_subject_alone() -> None:
    photos = torch.full((3, 3, 32, 32), 0.2)
    photos[:, :, 8:24, 8:24] = 0.8
    subject = torch.zeros(3, 1, 32, 32)
    subject[..., 8:24, 8:24] = 1
    images = photos.clone()
    images[1, :, 8:24, 8:24] = 0.2  # the product is gone
    images[2, :, :4] = 1.0  # only the background has changed
    kept, lost, outside = readability_loss(images, photos, subject).tolist()
    assert kept == pytest.approx(0.0, abs=1e-6)
    assert lost > 1
    assert outside == pytest.approx(0.0, abs=1e-6)


def test_a_flat_background_may_be_evenly_textured_but_not_blotchy() -> None:
    photos, subject = torch.full((3, 3, 64, 64), 0.9), torch.zeros(3, 1, 64, 64)
    images = photos.clone()
    images[1] = (torch.arange(64) % 2).float()  # stripes finer than 8 px
    images[2, :, :, :32] = 0.2
    plain, striped, blotchy = flatness_loss(images, photos, subject).tolist()
    assert plain == pytest.approx(0.0, abs=1e-5)
    assert striped == pytest.approx(0.0, abs=1e-5)
    assert blotchy > 1


def test_a_busy_background_is_not_asked_to_be_flat() -> None:
    photos = torch.rand(1, 3, 64, 64)
    assert flatness_loss(torch.rand(1, 3, 64, 64), photos, torch.zeros(1, 1, 64, 64)).item() == 0


def test_content_loss_is_per_picture_and_relative() -> None:
    target = torch.rand(2, 3, 4, 4)
    assert torch.allclose(content_loss(torch.zeros_like(target), target), torch.ones(2))
    assert torch.equal(content_loss(target, target), torch.zeros(2))


def test_total_variation_worked_by_hand() -> None:
    image = torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])  # down: 0, 1; across: 1, 0
    assert total_variation(image).item() == pytest.approx(0.5 + 0.5)
    assert total_variation(torch.full((1, 3, 5, 5), 0.3)).item() == 0


def test_a_grid_is_seen_and_noise_or_strokes_are_not() -> None:
    noise = 0.5 + 0.1 * torch.randn(1, 3, 96, 96)
    grid = noise + 0.1 * (torch.arange(96) % 2) * torch.ones(1, 3, 96, 1)
    strokes = 0.5 + 0.3 * torch.sin(torch.arange(96) / 1.3) * torch.ones(1, 3, 96, 1)
    assert grid_loss(noise).item() == pytest.approx(1.0, abs=0.4)
    assert grid_loss(strokes).item() < 2
    assert grid_loss(grid).item() > 10


def test_the_grid_of_a_flat_picture_is_nothing() -> None:
    assert grid_loss(torch.full((1, 3, 64, 64), 0.4)).item() == pytest.approx(0.0, abs=1e-4)
