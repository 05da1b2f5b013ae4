import torch

from stylize.grain import GRAIN_STD, grain


def test_grain_has_the_deviation_it_claims_and_is_grey() -> None:
    noise = grain((200, 200), seed=0)
    assert noise.shape == (1, 1, 200, 200)
    assert abs(noise.std().item() - GRAIN_STD) < 0.1 * GRAIN_STD


def test_grain_follows_from_seed_and_size_alone() -> None:
    assert torch.equal(grain((20, 30), seed=5), grain((20, 30), seed=5))
    assert not torch.equal(grain((20, 30), seed=5), grain((20, 30), seed=6))
