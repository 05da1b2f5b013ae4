"""The trained network rewritten for speed; the pictures are the same.

Two rewrites are exact in real arithmetic and only change how the sums are ordered:

* Doubling by nearest neighbour and a reflect-padded 3x3 convolution read every source pixel more
  than once. The same numbers come from a replicate-padded 2x2 convolution to four times the
  channels and a pixel shuffle, with 2.25 times fewer multiplications.
* The last 9x9 convolution has three output channels and leaves most of a vector register empty.
  A 9x1 convolution to 27 channels, followed by nine shifted sums, fills it.

Convolutions may run in bfloat16; means, variances and the last sums are taken in float32.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.network import STRIDE, ConvNorm, ResidualBlock, StyleNetwork
from stylize.norm import ConditionalInstanceNorm2d
from stylize.style_map import StyleMap, two_regions


class InferenceNetwork(nn.Module):
    """A StyleNetwork's pictures, faster; weights are copied, the original is left as it is.

    Args:
        network: the trained network.
        dtype: of the convolutions: float32, or bfloat16 where the hardware computes in it.
    Shape:
        as StyleNetwork.
    """

    def __init__(self, network: StyleNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.encoder = nn.ModuleList(PlainConv(layer, dtype) for layer in _layers(network.encoder))
        self.body = nn.ModuleList(PlainResidualBlock(block, dtype) for block in _blocks(network.body))
        self.decoder = nn.ModuleList(SubpixelUpsampleConv(layer, dtype) for layer in _layers(network.decoder))
        self.output = ShiftedSumConv(network.output, dtype)
        self.photo = copy.deepcopy(network.photo).requires_grad_(False)

    @torch.inference_mode()
    def forward(self, images: Tensor, style: StyleMap, grain: Tensor) -> Tensor:
        return self.develop(self.paint(images, style, grain), images, style)

    @torch.inference_mode()
    def paint(self, images: Tensor, style: StyleMap, grain: Tensor) -> Tensor:
        """What the network paints, before the photo is added: logits (N, 3, H, W) in float32."""
        height, width = images.shape[-2:]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        style = style.padded(padding)
        x = F.pad((images + grain).clamp_(0, 1).to(self.dtype), padding, mode="replicate")
        for layer in self.encoder:
            x = layer(x, style).relu_()
        for block in self.body:
            x = block(x, style)
        for layer in self.decoder:
            x = layer(x, style).relu_()
        return self.output(x, style)[..., :height, :width]  # type: ignore[no-any-return]

    @torch.inference_mode()
    def develop(self, painted: Tensor, images: Tensor, style: StyleMap) -> Tensor:
        """The picture: painted logits and the photo's own, through a sigmoid. Some rows of it will do."""
        logits: Tensor = self.photo(images, style).add_(painted)
        return logits.sigmoid_()


def regional_style(weights: Tensor, strength: Tensor) -> StyleMap:
    """Weights (N, S) of full strength, at a strength that differs from pixel to pixel, (N, 1, H, W)."""
    return StyleMap(torch.stack([weights, torch.zeros_like(weights)], dim=1), two_regions(strength))


def resize_painted(painted: Tensor, height: int, width: int) -> Tensor:
    """Painted logits of the photo at another size, brought to the photo's: (N, 3, height, width)."""
    if painted.shape[-2:] == (height, width):
        return painted
    return F.interpolate(painted, (height, width), mode="bicubic", antialias=True)


class Layer(nn.Module):
    """A convolution on extended input, then conditional norm over the whole picture.

    Attributes:
        padding, padding_mode: by how many pixels the input is extended on every side, and how.
        scale: side of the output over side of the input.
    """

    padding: int
    padding_mode: str
    scale: float
    norm: ConditionalInstanceNorm2d

    def convolve(self, extended: Tensor) -> Tensor:
        """The convolution of an extended input, or of some of its rows."""
        raise NotImplementedError

    def reach(self, start: int, stop: int) -> tuple[int, int]:
        """The input rows, some beyond the picture, that output rows from start up to stop are made of."""
        raise NotImplementedError

    def forward(self, x: Tensor, style: StyleMap) -> Tensor:
        extended = F.pad(x, (self.padding,) * 4, mode=self.padding_mode)
        return self.norm(self.convolve(extended), style)  # type: ignore[no-any-return]


class PlainConv(Layer):
    """ConvNorm with its weight in the dtype of inference."""

    padding_mode = "reflect"

    def __init__(self, layer: ConvNorm, dtype: torch.dtype) -> None:
        super().__init__()
        self.padding, self.stride = layer.padding, layer.conv.stride[0]
        self.scale = 1 / self.stride
        self.register_buffer("weight", layer.conv.weight.detach().to(dtype))
        self.norm = copy.deepcopy(layer.norm).requires_grad_(False)

    def convolve(self, extended: Tensor) -> Tensor:
        return F.conv2d(extended, self.get_buffer("weight"), stride=self.stride)

    def reach(self, start: int, stop: int) -> tuple[int, int]:
        return self.stride * start - self.padding, self.stride * (stop - 1) + self.padding + 1


class PlainResidualBlock(nn.Module):
    """ResidualBlock with its weights in the dtype of inference."""

    def __init__(self, block: ResidualBlock, dtype: torch.dtype) -> None:
        super().__init__()
        self.first, self.second = PlainConv(block.first, dtype), PlainConv(block.second, dtype)

    def forward(self, x: Tensor, style: StyleMap) -> Tensor:
        inner: Tensor = self.first(x, style).relu_()
        out: Tensor = self.second(inner, style).add_(x)
        return out


class SubpixelUpsampleConv(Layer):
    """UpsampleConvNorm as a 2x2 convolution and a pixel shuffle.

    Along one axis, output 2i reads x[i-1], x[i], x[i] with taps k0, k1, k2, and output 2i+1 reads
    x[i], x[i], x[i+1]: two-tap kernels (k0, k1+k2) and (k0+k1, k2). The second belongs to the window
    one step further on, so it is shuffled to the even place and a one-pixel rim is cut off.
    """

    padding, padding_mode, scale = 1, "replicate", 2.0

    def __init__(self, layer: ConvNorm, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", subpixel_weight(layer.conv.weight.detach()).to(dtype))
        self.norm = copy.deepcopy(layer.norm).requires_grad_(False)

    def convolve(self, extended: Tensor) -> Tensor:
        return F.pixel_shuffle(F.conv2d(extended, self.get_buffer("weight")), 2)[..., 1:-1, 1:-1]

    def reach(self, start: int, stop: int) -> tuple[int, int]:
        """Of output rows from the even one at or before start."""
        return start // 2 - 1, (stop + 1) // 2 + 1


class ShiftedSumConv(Layer):
    """The last ConvNorm as a k x 1 convolution to 3k channels and k shifted sums in float32."""

    padding_mode, scale = "reflect", 1.0

    def __init__(self, layer: ConvNorm, dtype: torch.dtype) -> None:
        super().__init__()
        self.padding = layer.padding
        weight = layer.conv.weight.detach()
        c_out, c_in, self.kernel_size, _ = weight.shape
        columns = weight.permute(3, 0, 1, 2).reshape(self.kernel_size * c_out, c_in, self.kernel_size, 1)
        self.register_buffer("weight", columns.contiguous().to(dtype))
        self.norm = copy.deepcopy(layer.norm).requires_grad_(False)

    def convolve(self, extended: Tensor) -> Tensor:
        width = extended.shape[-1] - 2 * self.padding
        columns = F.conv2d(extended, self.get_buffer("weight")).chunk(self.kernel_size, dim=1)
        total = columns[0][..., :width].float()
        for shift, column in enumerate(columns[1:], 1):
            total += column[..., shift : shift + width]
        return total

    def reach(self, start: int, stop: int) -> tuple[int, int]:
        return start - self.padding, stop + self.padding


def subpixel_weight(weight: Tensor) -> Tensor:
    """The 2x2 kernels of _SubpixelUpsampleConv: (C_out, C_in, 3, 3) -> (4 * C_out, C_in, 2, 2)."""
    place_to_taps = weight.new_tensor([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
    kernels = torch.einsum("oiyx,aty,bsx->oabits", weight, place_to_taps, place_to_taps)
    return kernels.reshape(4 * weight.shape[0], weight.shape[1], 2, 2).contiguous()


def _layers(layers: nn.ModuleList) -> list[ConvNorm]:
    return [layer for layer in layers if isinstance(layer, ConvNorm)]


def _blocks(blocks: nn.ModuleList) -> list[ResidualBlock]:
    return [block for block in blocks if isinstance(block, ResidualBlock)]
