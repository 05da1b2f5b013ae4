import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from stylize.evaluate.fidelity import IDENTICAL_DB, psnr_db, ssim


def ssim_by_scipy(x: torch.Tensor, y: torch.Tensor) -> float:
    """The same definition, filtered by scipy and cut where its windows leave the picture."""
    values = []
    for a, b in zip(x[0].double().numpy(), y[0].double().numpy(), strict=True):
        mean_a, mean_b, aa, bb, ab = (
            gaussian_filter(plane, 1.5, truncate=3.5)[5:-5, 5:-5] for plane in (a, b, a * a, b * b, a * b)
        )
        light = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
        structure = (2 * (ab - mean_a * mean_b) + 9e-4) / (aa - mean_a**2 + bb - mean_b**2 + 9e-4)
        values.append((light * structure).mean())
    return float(np.mean(values))


def test_a_tenth_off_everywhere_is_twenty_decibels() -> None:
    photo = torch.full((2, 3, 16, 16), 0.5)
    shifted = photo + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    assert torch.allclose(psnr_db(shifted, photo), torch.tensor([20.0, 40.0]), atol=1e-3)


def test_equal_pictures_count_as_a_hundred_decibels_and_similarity_one() -> None:
    photo = torch.rand(1, 3, 24, 20)
    assert psnr_db(photo, photo).item() == IDENTICAL_DB
    assert ssim(photo, photo).item() == 1


def test_similarity_of_two_flat_pictures_is_that_of_their_light() -> None:
    dark, light = torch.full((1, 3, 16, 16), 0.2), torch.full((1, 3, 16, 16), 0.6)
    by_hand = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert abs(ssim(dark, light).item() - by_hand) < 1e-6


def test_similarity_is_that_of_a_second_implementation() -> None:
    photo = torch.rand(1, 3, 40, 33)
    noisy = (photo + 0.2 * torch.randn_like(photo)).clamp(0, 1)
    assert abs(ssim(noisy, photo).item() - ssim_by_scipy(noisy, photo)) < 1e-5


def test_similarity_falls_with_noise_and_does_not_mind_which_picture_comes_first() -> None:
    photo, noise = torch.rand(1, 3, 32, 32), torch.randn(1, 3, 32, 32)
    values = [ssim(photo + amount * noise, photo).item() for amount in (0.05, 0.1, 0.3)]
    assert values == sorted(values, reverse=True)
    assert torch.allclose(ssim(photo, noise.sigmoid()), ssim(noise.sigmoid(), photo))
