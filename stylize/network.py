"""StyleNetwork: one image-to-image network for many styles, and the config that rebuilds it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.norm import ConditionalInstanceNorm2d
from stylize.style_map import StyleMap

STRIDE = 4
"""Height and width inside the network are the picture's divided by this, rounded up."""

LOGIT_EPS = 1 / 512
"""Pixels are kept this far from 0 and 1 before their logit; half a level of 8 bits, so nothing is lost."""


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
        x (N, C_in, H, W), a StyleMap -> (N, C_out, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        channels: tuple[int, int],
        kernel_size: int,
        num_styles: int,
        stride: int = 1,
        is_identity_zero: bool = False,
    ) -> None:
        super().__init__()
        self.padding = kernel_size // 2
        self.conv = nn.Conv2d(*channels, kernel_size, stride, bias=False)
        self.norm = ConditionalInstanceNorm2d(channels[1], num_styles, is_identity_zero)

    def forward(self, x: Tensor, style: StyleMap) -> Tensor:
        padded = F.pad(x, (self.padding,) * 4, mode="reflect")
        return self.norm(self.conv(padded), style)  # type: ignore[no-any-return]


class UpsampleConvNorm(ConvNorm):
    """Nearest-neighbour doubling before the convolution: transposed convolutions leave a visible grid.

    Shape:
        x (N, C_in, H, W), a StyleMap -> (N, C_out, 2H, 2W).
    Source: Odena, Dumoulin and Olah, Distill 2016, doi:10.23915/distill.00003.
    """

    def forward(self, x: Tensor, style: StyleMap) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"), style)


class ResidualBlock(nn.Module):
    """Two ConvNorms and a skip; no activation after the sum, as in Johnson, Alahi and Fei-Fei (2016)."""

    def __init__(self, num_channels: int, num_styles: int) -> None:
        super().__init__()
        self.first = ConvNorm((num_channels, num_channels), 3, num_styles)
        self.second = ConvNorm((num_channels, num_channels), 3, num_styles)

    def forward(self, x: Tensor, style: StyleMap) -> Tensor:
        inner: Tensor = F.relu(self.first(x, style))
        return x + self.second(inner, style)  # type: ignore[no-any-return]


class PhotoSkip(nn.Module):
    """How much of the photo itself reaches the output: its logit times a gain per style and colour.

    The identity row's gain is 1. Together with an output norm whose identity row is zero, strength 0
    therefore gives back the photo, to within half a level of 8 bits, and strengths between blend in
    logit space what the network paints with what the camera saw.

    Shape:
        images (N, 3, H, W) in [0, 1], a StyleMap -> logits (N, 3, H, W), float32.
    """

    def __init__(self, num_styles: int) -> None:
        super().__init__()
        self.skip = nn.Parameter(torch.zeros(num_styles, 3))
        self.register_buffer("identity_skip", torch.ones(3), persistent=False)

    def forward(self, images: Tensor, style: StyleMap) -> Tensor:
        gain = style.blend(self.skip, self.get_buffer("identity_skip"))
        logits = torch.logit(images.float(), eps=LOGIT_EPS)
        return logits * style.spread(gain, *images.shape[-2:])


class StyleNetwork(nn.Module):
    """Photos in, stylized pictures out; every picture of a batch has style weights of its own.

    Convolutions are shared by all styles; a style is one row in every norm (`gamma` and `beta`) and
    one in the skip from the photo. Weights may differ between regions of a picture and sum to the
    region's strength: 0 is the photo, 1 the full style. Pictures whose sides are not multiples of
    four are extended by their edge pixels and cut back.

    Args:
        config: widths, residual blocks and number of styles S.
    Shape:
        images (N, 3, H, W) float RGB in [0, 1], a StyleMap of N pictures (or style weights (N, S)),
        optionally grain (1, 1, H, W) -> (N, 3, H, W) in [0, 1]. Grain is added to what the
        convolutions see, not to the skip (stylize.grain says what it is for). H and W are at least 12
        (reflect padding needs them).
    Source: Johnson, Alahi and Fei-Fei, ECCV 2016, arXiv:1603.08155, with conditional instance
    normalization throughout (the last layer too, then a sigmoid) as in arXiv:1610.07629. The skip
    from the photo is ours.
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
        self.output = ConvNorm((narrow, 3), 9, styles, is_identity_zero=True)
        self.photo = PhotoSkip(styles)

    def forward(self, images: Tensor, style: StyleMap | Tensor, grain: Tensor | None = None) -> Tensor:
        height, width = images.shape[-2:]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        photo = F.pad(images, padding, mode="replicate")
        style = (style if isinstance(style, StyleMap) else StyleMap(style)).padded(padding)
        x = photo if grain is None else F.pad((images + grain).clamp(0, 1), padding, mode="replicate")
        for layer in self.encoder:
            x = F.relu(layer(x, style))
        for block in self.body:
            x = block(x, style)
        for layer in self.decoder:
            x = F.relu(layer(x, style))
        logits = self.output(x, style).float() + self.photo(photo, style)
        return torch.sigmoid(logits)[..., :height, :width]
