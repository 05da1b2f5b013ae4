import torch

from stylize.grain import GRAIN_STD, add_grain


def test_grain_has_the_deviation_it_claims_and_is_grey() -> None:
    images = torch.full((1, 3, 200, 200), 0.5)
    noise = add_grain(images, seed=0) - images
    assert abs(noise.std().item() - GRAIN_STD) < 0.1 * GRAIN_STD
    assert torch.equal(noise[:, 0], noise[:, 2])


def test_a_picture_gets_the_same_grain_alone_and_in_a_batch() -> None:
    images = torch.rand(4, 3, 20, 30)
    assert torch.equal(add_grain(images, seed=5)[2:3], add_grain(images[2:3], seed=5))
    assert not torch.equal(add_grain(images, seed=5), add_grain(images, seed=6))


def test_values_stay_between_zero_and_one() -> None:
    ends = torch.stack([torch.zeros(3, 50, 50), torch.ones(3, 50, 50)])
    grained = add_grain(ends, seed=1, std=0.5)
    assert (grained.min().item(), grained.max().item()) == (0.0, 1.0)
