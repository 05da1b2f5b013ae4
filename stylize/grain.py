"""Grain: the faint noise that gives a network something to paint with where a picture is perfectly flat.

A convolutional network can only turn differences into brush strokes. Camera photos are never flat;
rendered product pictures are, and come back with bald patches. Two levels of noise, far too faint to
see, cure that; training adds the same, so that the network learns to use it.
"""

import torch
from torch import Tensor

GRAIN_STD = 2 / 255


def add_grain(images: Tensor, seed: int, std: float = GRAIN_STD) -> Tensor:
    """The pictures with grey noise of this deviation, the same for every picture of the batch.

    It follows from the seed and the size alone, so a picture renders alike alone and in a batch.

    Shape:
        images (N, 3, H, W) in [0, 1] -> (N, 3, H, W) in [0, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(images.shape[-2:], generator=generator).to(images.device)
    return (images + std * noise).clamp(0, 1)
