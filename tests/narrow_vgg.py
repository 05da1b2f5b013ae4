"""VGG19 in miniature, for tests that train."""

import torch

from stylize.vgg import BLOCKS, LAYERS, VGGWeights


def narrow_vgg_weights() -> VGGWeights:
    """VGG19's layers with six channels each and He-initialized weights: fast, and not blind."""
    generator = torch.Generator().manual_seed(7)
    convolutions, channels = {}, 3
    for layer in LAYERS:
        weight = torch.randn(6, channels, 3, 3, generator=generator) * (2 / (9 * channels)) ** 0.5
        convolutions[layer] = (weight, torch.zeros(6))
        channels = 6
    assert len(LAYERS) == sum(len(widths) - 1 for widths in BLOCKS)
    return VGGWeights("narrow", convolutions, (4.0, 4.0, 4.0), (-2.0, -2.0, -2.0), is_bgr=False)
