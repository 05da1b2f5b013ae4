"""StyleNetwork: one image-to-image network for many styles, and the config that rebuilds it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.norm import ConditionalInstanceNorm2d

STRIDE = 4
"""Height and width inside the network are the picture's divided by this, rounded up."""

STYLE_PARAMETER_SUFFIXES = (".gamma", ".beta")


@dataclass(frozen=True)
class NetworkConfig:
    """What it takes to build the network anew: channel widths, depth, number of styles."""

    num_styles: int
    widths: tuple[int, int, int] = (32, 64, 128)
    num_residual_blocks: int = 5

    def __post_init__(self) -> None:
        if self.num_styles < 1 or self.num_residual_blocks < 0 or min(self.widths) < 1:
            raise ValueError(f"styles and widths must be at least 1, residual blocks at least 0, got {self}")


class ConvNorm(nn.Module):
    """Reflect padding, a convolution without bias (the norm would cancel it), conditional norm.

    Shape:
        x (N, C_in, H, W), style_weights (N, S) -> (N, C_out, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, channels: tuple[int, int], kernel_size: int, num_styles: int, stride: int = 1) -> None:
        super().__init__()
        self.padding = kernel_size // 2
        self.conv = nn.Conv2d(*channels, kernel_size, stride, bias=False)
        self.norm = ConditionalInstanceNorm2d(channels[1], num_styles)

    def forward(self, x: Tensor, style_weights: Tensor) -> Tensor:
        padded = F.pad(x, (self.padding,) * 4, mode="reflect")
        return self.norm(self.conv(padded), style_weights)  # type: ignore[no-any-return]


class UpsampleConvNorm(ConvNorm):
    """Nearest-neighbour doubling before the convolution: transposed convolutions leave a visible grid.

    Shape:
        x (N, C_in, H, W), style_weights (N, S) -> (N, C_out, 2H, 2W).
    Source: Odena, Dumoulin and Olah, Distill 2016, doi:10.23915/distill.00003.
    """

    def forward(self, x: Tensor, style_weights: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"), style_weights)


class ResidualBlock(nn.Module):
    """Two ConvNorms and a skip; no activation after the sum, as in Johnson, Alahi and Fei-Fei (2016)."""

    def __init__(self, num_channels: int, num_styles: int) -> None:
        super().__init__()
        self.first = ConvNorm((num_channels, num_channels), 3, num_styles)
        self.second = ConvNorm((num_channels, num_channels), 3, num_styles)

    def forward(self, x: Tensor, style_weights: Tensor) -> Tensor:
        inner: Tensor = F.relu(self.first(x, style_weights))
        return x + self.second(inner, style_weights)  # type: ignore[no-any-return]


class StyleNetwork(nn.Module):
    """Photos in, stylized pictures out; every picture of a batch has style weights of its own.

    Convolutions are shared by all styles; a style is one row in every norm (`gamma` and `beta`).
    Pictures whose sides are not multiples of four are extended by their edge pixels and cut back.

    Args:
        config: widths, residual blocks and number of styles S.
    Shape:
        images (N, 3, H, W) float RGB in [0, 1], style_weights (N, S) with rows summing to 1
        -> (N, 3, H, W) in [0, 1]. H and W are at least 12 (reflect padding needs them).
    Source: Johnson, Alahi and Fei-Fei, ECCV 2016, arXiv:1603.08155, with conditional instance
    normalization throughout (the last layer too, then a sigmoid) as in arXiv:1610.07629.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        narrow, middle, wide = config.widths
        styles = config.num_styles
        self.encoder = nn.ModuleList(
            [
                ConvNorm((3, narrow), 9, styles),
                ConvNorm((narrow, middle), 3, styles, stride=2),
                ConvNorm((middle, wide), 3, styles, stride=2),
            ]
        )
        self.body = nn.ModuleList(ResidualBlock(wide, styles) for _ in range(config.num_residual_blocks))
        self.decoder = nn.ModuleList(
            [UpsampleConvNorm((wide, middle), 3, styles), UpsampleConvNorm((middle, narrow), 3, styles)]
        )
        self.output = ConvNorm((narrow, 3), 9, styles)

    def forward(self, images: Tensor, style_weights: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = F.pad(images, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        for layer in self.encoder:
            x = F.relu(layer(x, style_weights))
        for block in self.body:
            x = block(x, style_weights)
        for layer in self.decoder:
            x = F.relu(layer(x, style_weights))
        return torch.sigmoid(self.output(x, style_weights).float())[..., :height, :width]
