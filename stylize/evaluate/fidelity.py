"""How much of the photo is left, pixel by pixel: PSNR and SSIM."""

import torch
import torch.nn.functional as F
from torch import Tensor

IDENTICAL_DB = 100.0
"""What equal pictures count as: a mean over pictures must stay finite."""
WINDOW_PX, WINDOW_STD = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
"""What keeps SSIM's two fractions finite, for pictures in [0, 1]."""


def psnr_db(images: Tensor, photos: Tensor) -> Tensor:
    """Peak signal-to-noise ratio per picture, at most 100 dB: -10 log10(mean squared error).

    Shape:
        both (N, 3, H, W) in [0, 1] -> (N,).
    """
    error = (images - photos).square().mean(dim=(1, 2, 3))
    return (-10 * torch.log10(error)).clamp_max(IDENTICAL_DB)


def ssim(images: Tensor, photos: Tensor) -> Tensor:
    """Structural similarity per picture, 1 for equal ones: the mean over pixels and colours of

        (2 m_x m_y + C1) (2 s_xy + C2) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2))

    with means, variances and the covariance under a Gaussian window of 11 px and deviation 1.5.
    Only windows that lie inside the picture count.

    Shape:
        both (N, 3, H, W) in [0, 1], sides of at least 11 px -> (N,).
    Source: Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 2004; per colour channel, not on luminance.
    """
    x, y = images.double(), photos.double()
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x.square()
    variance_y = _windowed(y * y) - mean_y.square()
    covariance = _windowed(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + C1) / (mean_x.square() + mean_y.square() + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return (light * structure).mean(dim=(1, 2, 3)).float()


def _windowed(values: Tensor) -> Tensor:
    """Gaussian means: (N, C, H, W) -> (N, C, H - 10, W - 10)."""
    offsets = torch.arange(WINDOW_PX, dtype=values.dtype, device=values.device) - WINDOW_PX // 2
    window = torch.exp(-offsets.square() / (2 * WINDOW_STD**2))
    window = window / window.sum()
    channels = values.shape[1]
    down = window.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    across = window.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    return F.conv2d(F.conv2d(values, down, groups=channels), across, groups=channels)
