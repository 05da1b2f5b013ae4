"""Conditional instance normalization: the one layer that knows about styles."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.style_map import StyleMap


class ConditionalInstanceNorm2d(nn.Module):
    """Instance normalization whose scale and shift belong to a style.

    Each channel of each image is normalized over its own pixels. Every style owns one row of
    `gamma` and one of `beta`; style weights w blend rows, so a mixture costs what one style costs.
    Weights that sum to less than 1 leave the rest to the identity row (gamma_0, beta_0):
        y = (w @ gamma + (1 - sum w) gamma_0) * (x - mean) / sqrt(var + eps)
            + (w @ beta + (1 - sum w) beta_0)
    The weights may differ between regions of a picture; mean and variance are the whole picture's,
    in float32 whatever the dtype of x.

    Args:
        num_channels: C, num_styles: S.
        is_identity_zero: the identity row is fixed at zero, not learned.
        eps: added to the variance (the biased one).
    Shape:
        x (N, C, H, W), a StyleMap of N pictures and S styles -> (N, C, H, W).
    Raises:
        ValueError: the map is of another number of pictures or styles; the message gives both.
    Source: Dumoulin, Shlens and Kudlur, ICLR 2017, arXiv:1610.07629. Ours takes weights, not an
    index, and lets them vary over the picture; the identity row is after Ghiasi et al., 2017.
    """

    def __init__(
        self, num_channels: int, num_styles: int, is_identity_zero: bool = False, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(num_styles, num_channels))
        self.beta = nn.Parameter(torch.zeros(num_styles, num_channels))
        if is_identity_zero:
            self.register_buffer("identity_gamma", torch.zeros(num_channels))
            self.register_buffer("identity_beta", torch.zeros(num_channels))
        else:
            self.identity_gamma = nn.Parameter(torch.ones(num_channels))
            self.identity_beta = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor, style: StyleMap) -> Tensor:
        expected = (x.shape[0], self.gamma.shape[0])
        if (style.weights.shape[0], style.n_styles) != expected:
            raise ValueError(
                f"style weights must be (N, S) = {expected} for images {tuple(x.shape)}, "
                f"got {(style.weights.shape[0], style.n_styles)}"
            )
        gamma = style.blend(self.gamma, self.identity_gamma)
        beta = style.blend(self.beta, self.identity_beta)
        if style.is_uniform:
            return instance_norm(x, gamma.flatten(), beta.flatten(), self.eps)
        h, w = x.shape[-2:]
        normalized = instance_norm(x, None, None, self.eps)
        scale, shift = style.spread(gamma, h, w), style.spread(beta, h, w)
        return torch.addcmul(shift, normalized, scale).to(x.dtype)


def instance_norm(x: Tensor, gamma: Tensor | None, beta: Tensor | None, eps: float) -> Tensor:
    """Each channel of each image over its own pixels, then scaled and shifted.

    Every channel of every image is a channel of its own here: batch norm then is instance norm, and
    it keeps float32 statistics for bfloat16 input, which `F.instance_norm` rounds (bias up to 0.1
    sigma).

    Shape:
        x (N, C, H, W), gamma and beta (N * C,) float32 -> (N, C, H, W).
    """
    n, c, h, w = x.shape
    out = F.batch_norm(x.reshape(1, n * c, h, w), None, None, gamma, beta, training=True, eps=eps)
    return out.reshape(n, c, h, w)
