"""Large pictures in bounded memory: the statistics of the whole picture, then strips of it.

A picture in tiles shows seams when each tile is normalized by its own mean and variance. Here every
convolution's mean and variance are first gathered over the whole picture, strip by strip; then the
strips are normalized by them, so that they are those of the untiled picture. What lies before a layer
is computed anew in each pass rather than kept, except at a quarter of the resolution, where most of
the work is: there two buffers hold the whole picture, and the residual blocks run in place.

Strips are full-width rows; each is given the rows around it that its convolutions reach (its halo).
With C = 128 channels in bfloat16 the buffers take 2 C H W / 16 x 2 = 32 bytes a pixel of the
picture, the painted logits 12, the photo and its grain 5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from stylize.grain import grain
from stylize.network import STRIDE
from stylize.norm import ConditionalInstanceNorm2d
from stylize.render.inference import (
    InferenceNetwork,
    Layer,
    PlainConv,
    PlainResidualBlock,
    regional_style,
)
from stylize.style_map import StyleMap

STRIP_PIXELS = 300_000
"""Pixels of the picture in one strip, about."""
CHUNK_VALUES = 2_000_000
"""Values that are brought to float32 at a time."""
KEPT_DTYPE = torch.bfloat16
"""Of the activations that are kept whole."""


@dataclass(frozen=True)
class StyleRows:
    """Style weights of one picture, and how their strength varies over it.

    Attributes:
        weights: (1, S), their sum the strength of the whole picture; with a field, of full strength.
        field: strength at each pixel, (H, W) uint8 with 255 for 1; None: the weights hold everywhere.
    """

    weights: Tensor
    field: NDArray[np.uint8] | None = None

    def rows(self, start: int, stop: int, shrink: int, width: int) -> StyleMap:
        """The style map of some rows at 1 / shrink of the resolution.

        Args:
            width: of the picture in pixels, extended to whole blocks; the field's edge goes on there.
        """
        if self.field is None:
            return StyleMap(self.weights)
        rows = np.arange(start * shrink, stop * shrink).clip(max=len(self.field) - 1)
        strength = torch.from_numpy(self.field[rows]).to(self.weights.device).float().div_(255)[None, None]
        beyond = width - strength.shape[-1]
        pooled = F.avg_pool2d(F.pad(strength, (0, beyond, 0, 0), mode="replicate"), shrink)
        return regional_style(self.weights, pooled)


@torch.inference_mode()
def paint_in_strips(network: InferenceNetwork, photo: NDArray[np.uint8], style: StyleRows) -> Tensor:
    """`InferenceNetwork.paint` of one large photo, with the grain of seed 0.

    Shape:
        photo (H, W, 3) -> logits (1, 3, H, W), float32.
    """
    height, width = photo.shape[:2]
    frame = _Frame(style, width + -width % STRIDE)
    source: _Rows = _Seen(photo, network.dtype, style.weights.device)
    *shallow, deepest = _layers(network.encoder)
    for layer in shallow:
        source = _Convolved(layer, source, frame).measure()
    body = _Convolved(deepest, source, frame).keep(KEPT_DTYPE, network.dtype)
    _run_body(network.body, body, frame)
    source = body
    for layer in _layers(network.decoder):
        source = _Convolved(layer, source, frame).measure()
    painted = _Convolved(network.output, source, frame, is_rectified=False).keep(torch.float32, torch.float32)
    return painted.values[..., :height, :width]


@torch.inference_mode()
def develop_in_strips(
    network: InferenceNetwork, painted: Tensor, photo: NDArray[np.uint8], style: StyleRows
) -> NDArray[np.uint8]:
    """`InferenceNetwork.develop`, rounded to 8 bits: logits (1, 3, H, W), photo (H, W, 3) -> (H, W, 3)."""
    height, width = photo.shape[:2]
    picture = np.empty_like(photo)
    for start, stop in _Frame(style, width).strips(height, shrink=1):
        images = _pixels(photo[start:stop], painted.device)
        developed = network.develop(painted[:, :, start:stop], images, style.rows(start, stop, 1, width))
        levels = developed[0].mul_(255).round_().byte().permute(1, 2, 0)
        picture[start:stop] = levels.cpu().numpy()
    return picture


class _Rows(Protocol):
    """An activation that can give any of its rows, (1, C, stop - start, W / shrink)."""

    height: int
    shrink: int

    def rows(self, start: int, stop: int) -> Tensor: ...


@dataclass(frozen=True)
class _Frame:
    """The picture as the strips see it: its style, and its width extended to whole blocks."""

    style: StyleRows
    width: int

    def strips(self, height: int, shrink: int) -> Iterator[tuple[int, int]]:
        """First row and row after the last of each strip, at 1 / shrink of the resolution."""
        n_rows = max(4, STRIP_PIXELS // self.width // shrink)
        for start in range(0, height, n_rows):
            yield start, min(start + n_rows, height)

    def style_rows(self, start: int, stop: int, shrink: int) -> StyleMap:
        return self.style.rows(start, stop, shrink, self.width)


class _Statistics:
    """Mean and biased variance of each channel, gathered strip by strip in float64.

    Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm", 1979.
    """

    def __init__(self) -> None:
        self._n = 0
        self._mean = self._sum_of_squares = torch.zeros(())

    def add(self, x: Tensor) -> None:
        for chunk in _chunks(x):
            self._add_chunk(chunk.to(torch.float32, copy=True))

    def _add_chunk(self, values: Tensor) -> None:
        mean = values.mean(dim=(0, 2, 3))
        squares = values.sub_(mean[:, None, None]).square_().sum(dim=(0, 2, 3)).double()
        n = values.numel() // values.shape[1]
        shift, total = mean.double() - self._mean.to(mean.device), self._n + n
        self._sum_of_squares = (
            self._sum_of_squares.to(mean.device) + squares + shift.square() * (self._n * n / total)
        )
        self._mean, self._n = self._mean.to(mean.device) + shift * (n / total), total

    def normalize_(self, x: Tensor, norm: ConditionalInstanceNorm2d, style: StyleMap) -> Tensor:
        """x itself, as the norm would have made it within its whole picture."""
        scale = (self._sum_of_squares / self._n + norm.eps).rsqrt()
        shift = (-self._mean * scale).float()[:, None, None]
        scale = scale.float()[:, None, None]
        gamma = style.blend(norm.gamma, norm.identity_gamma)
        beta = style.blend(norm.beta, norm.identity_beta)
        first = 0
        for chunk in _chunks(x):
            n_rows, width = chunk.shape[-2:]
            styled = style if style.regions is None else _rows_of(style, first, first + n_rows)
            normalized = torch.addcmul(shift, chunk.float(), scale)
            normalized.mul_(styled.spread(gamma, n_rows, width)).add_(styled.spread(beta, n_rows, width))
            chunk.copy_(normalized)
            first += n_rows
        return x


def _chunks(x: Tensor) -> tuple[Tensor, ...]:
    """Views of some rows each."""
    n_rows = max(1, CHUNK_VALUES // (x.shape[1] * x.shape[3]))
    return x.split(n_rows, dim=2)  # type: ignore[no-untyped-call, no-any-return]


def _rows_of(style: StyleMap, start: int, stop: int) -> StyleMap:
    assert style.regions is not None
    return StyleMap(style.weights, style.regions[:, :, start:stop])


class _Seen:
    """What the first convolution sees: the photo and its grain, extended to whole blocks of four."""

    shrink = 1

    def __init__(self, photo: NDArray[np.uint8], dtype: torch.dtype, device: torch.device) -> None:
        height, width = photo.shape[:2]
        self._photo, self._dtype, self._device = photo, dtype, device
        self._grain = grain((height, width), seed=0).half()
        self._beyond = -width % STRIDE
        self.height = height + -height % STRIDE

    def rows(self, start: int, stop: int) -> Tensor:
        rows = np.arange(start, stop).clip(max=len(self._photo) - 1)
        noise = self._grain[:, :, rows].to(self._device).float()
        seen = _pixels(self._photo[rows], self._device).add_(noise).clamp_(0, 1).to(self._dtype)
        return F.pad(seen, (0, self._beyond, 0, 0), mode="replicate")


class _Whole:
    """An activation that is kept whole; its rows are given in the dtype of the convolutions."""

    def __init__(self, values: Tensor, shrink: int, dtype: torch.dtype) -> None:
        self.values, self.shrink, self.dtype = values, shrink, dtype
        self.height = values.shape[2]

    def rows(self, start: int, stop: int) -> Tensor:
        return self.values[:, :, start:stop].to(self.dtype)


class _Convolved:
    """A layer's output, computed anew from its input whenever rows are asked for."""

    def __init__(self, layer: Layer, source: _Rows, frame: _Frame, is_rectified: bool = True) -> None:
        self._layer, self._source, self._frame, self._is_rectified = layer, source, frame, is_rectified
        self.height, self.shrink = round(source.height * layer.scale), round(source.shrink / layer.scale)
        self._statistics = _Statistics()

    def measure(self) -> Self:
        """Gather the statistics of the whole picture."""
        for start, stop in self._frame.strips(self.height, self.shrink):
            self._statistics.add(self._convolve(start, stop))
        return self

    def keep(self, kept_dtype: torch.dtype, dtype: torch.dtype) -> _Whole:
        """The whole of it, normalized; every row is convolved once."""
        kept: _Whole | None = None
        for start, stop in self._frame.strips(self.height, self.shrink):
            strip = self._convolve(start, stop)
            self._statistics.add(strip)
            if kept is None:
                shape = (1, strip.shape[1], self.height, strip.shape[3])
                kept = _Whole(strip.new_empty(shape, dtype=kept_dtype), self.shrink, dtype)
            kept.values[:, :, start:stop] = strip
        assert kept is not None
        for start, stop in self._frame.strips(self.height, self.shrink):
            self._normalize(kept.values[:, :, start:stop], start, stop)
        return kept

    def rows(self, start: int, stop: int) -> Tensor:
        return self._normalize(self._convolve(start, stop), start, stop)

    def _convolve(self, start: int, stop: int) -> Tensor:
        first, last = self._layer.reach(start, stop)
        rows = _inside(np.arange(first, last), self._source.height, self._layer.padding_mode)
        lowest, highest = int(rows.min()), int(rows.max())
        x = self._source.rows(lowest, highest + 1)
        if highest - lowest + 1 < len(rows):
            x = x[:, :, torch.from_numpy(rows - lowest)]
        beside = self._layer.padding
        out = self._layer.convolve(F.pad(x, (beside, beside, 0, 0), mode=self._layer.padding_mode))
        extra = start % max(1, int(self._layer.scale))
        return out[:, :, extra : extra + stop - start]

    def _normalize(self, x: Tensor, start: int, stop: int) -> Tensor:
        style = self._frame.style_rows(start, stop, self.shrink)
        out = self._statistics.normalize_(x, self._layer.norm, style)
        return out.relu_() if self._is_rectified else out


def _inside(rows: NDArray[np.int64], height: int, padding_mode: str) -> NDArray[np.int64]:
    """The picture's own rows that stand for rows beyond it."""
    if padding_mode == "replicate":
        return rows.clip(0, height - 1)
    mirrored = np.abs(rows)
    return np.where(mirrored >= height, 2 * (height - 1) - mirrored, mirrored)


def _run_body(blocks: nn.ModuleList, body: _Whole, frame: _Frame) -> None:
    """The residual blocks, in place; one buffer more is needed for what is inside a block."""
    inner = _Whole(torch.empty_like(body.values), body.shrink, body.dtype)
    for block in blocks:
        assert isinstance(block, PlainResidualBlock)
        first = _convolve_whole(block.first, body, inner, frame)
        for start, stop in frame.strips(body.height, body.shrink):
            style = frame.style_rows(start, stop, body.shrink)
            rows = inner.values[:, :, start:stop]
            first.normalize_(rows, block.first.norm, style).relu_()
        second = _convolve_whole(block.second, inner, inner, frame)
        for start, stop in frame.strips(body.height, body.shrink):
            style = frame.style_rows(start, stop, body.shrink)
            rows = inner.values[:, :, start:stop]
            body.values[:, :, start:stop] += second.normalize_(rows, block.second.norm, style)


def _convolve_whole(layer: PlainConv, source: _Whole, target: _Whole, frame: _Frame) -> _Statistics:
    """A 3x3 convolution of a whole activation into another, or into itself; gives its statistics.

    In place, the row above a strip is overwritten before the strip is read: it is kept aside.
    """
    statistics, height = _Statistics(), source.height
    above = source.rows(1, 2).clone()  # the reflection of row -1
    for start, stop in frame.strips(height, source.shrink):
        below = source.rows(start, min(stop + 1, height))
        last_row = source.rows(stop - 1, stop).clone()
        window = torch.cat([above, below], dim=2)
        if stop == height:
            window = torch.cat([window, window[:, :, -2:-1]], dim=2)
        convolved = layer.convolve(F.pad(window, (1, 1, 0, 0), mode="reflect"))
        statistics.add(convolved)
        target.values[:, :, start:stop] = convolved
        above = last_row
    return statistics


def _pixels(photo: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Rows of a photo as float RGB in [0, 1]: (h, W, 3) uint8 -> (1, 3, h, W)."""
    return torch.from_numpy(photo).to(device).permute(2, 0, 1).float().div_(255)[None]


def _layers(layers: nn.ModuleList) -> list[Layer]:
    return [layer for layer in layers if isinstance(layer, Layer)]
