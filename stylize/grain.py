"""Grain: the faint noise that gives a network something to paint with where a picture is perfectly flat.

A convolutional network can only turn differences into brush strokes. Camera photos are never flat;
rendered product pictures are, and come back with bald patches. Two levels of noise, far too faint to
see, cure that; training adds the same, so that the network learns to use it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

GRAIN_STD = 2 / 255


def grain(size: Sequence[int], seed: int, std: float = GRAIN_STD) -> Tensor:
    """Grey noise of this deviation, (1, 1, H, W) for a size (H, W).

    It follows from the seed and the size alone, so a picture renders alike alone and in a batch.
    """
    generator = torch.Generator().manual_seed(seed)
    return std * torch.randn(1, 1, *size, generator=generator)
