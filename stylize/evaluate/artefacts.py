"""What a network leaves behind that no painter would: grids and borders."""

import torch
from torch import Tensor

from stylize.losses import luminance

GRID_PERIODS_PX = (2, 4)
"""Strides of the network: where a grid of it would show."""
PEAK_BINS = 1
"""A peak is the bin of its frequency and this many on either side: the window smears it so far."""
NEIGHBOUR_BINS = (4, 16)
"""Distance in bins of the frequencies a peak is compared with."""
BORDER_PX = 8
"""Width of the band in which padding could show."""
INSIDE_PX = 24
"""Width of the ring just inside the border band that it is compared with."""
NO_STROKES, NO_POWER = 1e-4, 1e-9
"""Far below what an 8-bit picture can show; two pictures without any compare as 1."""


def checkerboard_energy(images: Tensor) -> Tensor:
    """How far the spectrum sticks out at periods of 2 and 4 px: 1 for a picture without a grid.

    With P the power of rows (and of columns) of the luminance under a Hann window, averaged over all
    of them, it is the mean over both directions and both periods p of

        mean of P around 1 / p  /  mean of P 4 to 16 bins beside it

    so that a picture rich in fine detail is not taken for one with a grid.

    Shape:
        (N, 3, H, W) in [0, 1], sides of at least 64 px -> (N,).
    """
    y = luminance(images.double())[:, 0]
    peaks = [_prominence(_mean_spectrum(y, axis), p) for axis in (1, 2) for p in GRID_PERIODS_PX]
    return torch.stack(peaks).mean(0).float()


def border_ratio(images: Tensor) -> Tensor:
    """Strokes at the picture's edge against strokes just inside: 1 where the border does not show.

    Mean absolute difference of neighbouring pixels in the outermost 8 px, divided by that in the 24 px
    inside of them. (The very centre is the product's, whose strokes differ for good reason.)

    Shape:
        (N, 3, H, W) in [0, 1] -> (N,); 1 where there are no strokes in either.
    """
    down = (images[..., 1:, :-1] - images[..., :-1, :-1]).abs()
    across = (images[..., :-1, 1:] - images[..., :-1, :-1]).abs()
    strokes = (down + across).mean(1)
    depth = _depth(strokes)
    band = strokes[:, depth < BORDER_PX].mean(1)
    inside = strokes[:, (depth >= BORDER_PX) & (depth < BORDER_PX + INSIDE_PX)].mean(1)
    ratio: Tensor = (band + NO_STROKES) / (inside + NO_STROKES)
    return ratio


def _mean_spectrum(luma: Tensor, axis: int) -> Tensor:
    """Power along an axis, averaged over the other: (N, H, W) -> (N, length / 2 + 1)."""
    length = luma.shape[axis]
    window = torch.hann_window(length, periodic=True, dtype=luma.dtype, device=luma.device)
    shape = (1, -1, 1) if axis == 1 else (1, 1, -1)
    centred = luma - luma.mean(dim=axis, keepdim=True)
    power: Tensor = torch.fft.rfft(centred * window.view(shape), dim=axis).abs().square()
    return power.mean(dim=3 - axis)


def _prominence(spectrum: Tensor, period_px: int) -> Tensor:
    """Mean power at a period against its neighbours', (N, bins) -> (N,)."""
    last = spectrum.shape[1] - 1
    distance = (torch.arange(last + 1, device=spectrum.device) - round(2 * last / period_px)).abs()
    peak = spectrum[:, distance <= PEAK_BINS].mean(1)
    low, high = NEIGHBOUR_BINS
    beside = spectrum[:, (distance >= low) & (distance <= high)].mean(1)
    return (peak + NO_POWER) / (beside + NO_POWER)


def _depth(strokes: Tensor) -> Tensor:
    """Distance in px of every pixel from the nearest edge, (H, W), 0 at the edge."""
    height, width = strokes.shape[-2:]
    down, across = torch.arange(height), torch.arange(width)
    return torch.minimum(
        torch.minimum(down, height - 1 - down)[:, None], torch.minimum(across, width - 1 - across)[None, :]
    ).to(strokes.device)
