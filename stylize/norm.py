"""Conditional instance normalization: the one layer that knows about styles."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConditionalInstanceNorm2d(nn.Module):
    """Instance normalization whose scale and shift belong to a style.

    Each channel of each image is normalized over its own pixels. Every style owns one row
    of `gamma` and one of `beta`; style weights blend rows, so a mixture costs what one style costs:
        y = (w @ gamma) * (x - mean) / sqrt(var + eps) + (w @ beta)
    Mean and variance are float32 whatever the dtype of x.

    Args:
        num_channels: C, num_styles: S.
        eps: added to the variance (the biased one).
    Shape:
        x (N, C, H, W), style_weights w (N, S) with rows summing to 1 -> (N, C, H, W).
    Raises:
        ValueError: style_weights is not (N, S); the message gives both shapes.
    Source: Dumoulin, Shlens and Kudlur, ICLR 2017, arXiv:1610.07629. Ours takes weights, not an index.
    """

    def __init__(self, num_channels: int, num_styles: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(num_styles, num_channels))
        self.beta = nn.Parameter(torch.zeros(num_styles, num_channels))

    def forward(self, x: Tensor, style_weights: Tensor) -> Tensor:
        expected = (x.shape[0], self.gamma.shape[0])
        if tuple(style_weights.shape) != expected:
            raise ValueError(
                f"style_weights must be (N, S) = {expected} for images {tuple(x.shape)}, "
                f"got {tuple(style_weights.shape)}"
            )
        with torch.autocast(x.device.type, enabled=False):
            gamma, beta = style_weights @ self.gamma, style_weights @ self.beta
        # Every channel of every image as a channel of its own: batch norm then is instance norm, and it
        # keeps float32 statistics for bfloat16 input, which instance_norm rounds (bias up to 0.1 sigma).
        n, c, h, w = x.shape
        channels = x.reshape(1, n * c, h, w)
        out = F.batch_norm(channels, None, None, gamma.flatten(), beta.flatten(), training=True, eps=self.eps)
        return out.reshape(n, c, h, w)
