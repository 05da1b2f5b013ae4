"""What training minimizes.

Content and style losses compare VGG features relative to their target, so every style and every layer
starts near 1 and no style needs weights tuned by hand. All of it is computed in float32, also under
autocast. Every loss is one value per picture, (N,).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
LUMA = (0.299, 0.587, 0.114)
LOW_RESOLUTION_PX = 8
"""Luminance is compared over squares of this side: brush strokes may differ, light and shade may not."""
HALF_RANGE = 0.25
"""A luminance error of a quarter of the range counts as 1."""
N_SAMPLES = 1024
"""Places of a style picture whose features are kept for the sliced Wasserstein loss."""
FLAT_STD = 0.02
"""A square whose luminance varies less than this is flat."""


@dataclass(frozen=True)
class StyleTargets:
    """What S style pictures look like, layer by layer.

    Attributes:
        grams: Gram matrices, (S, C, C).
        moments: channel means and deviations, (S, 2C).
        samples: features at M random places of the picture, (S, C, M).
    """

    grams: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]
    samples: Mapping[str, Tensor]

    def mix(self, mixtures: Tensor) -> "StyleTargets":
        """The targets of N mixtures, (N, S) with rows summing to 1: their styles' means, without samples."""
        return StyleTargets(
            {layer: torch.einsum("ns,scd->ncd", mixtures, gram) for layer, gram in self.grams.items()},
            {layer: mixtures @ moments for layer, moments in self.moments.items()},
            {},
        )

    def to(self, device: torch.device) -> "StyleTargets":
        """The same on another device."""
        parts = (self.grams, self.moments, self.samples)
        return StyleTargets(*({k: v.to(device) for k, v in part.items()} for part in parts))

    @staticmethod
    def stack(styles: Sequence["StyleTargets"]) -> "StyleTargets":
        """The targets of several styles as one, in their order."""

        def join(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
            return {layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]}

        columns = ([s.grams for s in styles], [s.moments for s in styles], [s.samples for s in styles])
        return StyleTargets(*(join(column) for column in columns))


def gram_matrix(features: Tensor) -> Tensor:
    """Which channels fire together, wherever they do: F F' / (C * H * W), in float32.

    Shape:
        features (N, C, H, W) -> (N, C, C).
    Source: Gatys, Ecker and Bethge, CVPR 2016; divided by C * H * W as in Johnson et al., 2016.
    """
    n, c, h, w = features.shape
    with torch.autocast(features.device.type, enabled=False):
        flat = features.float().reshape(n, c, h * w)
        return flat @ flat.transpose(1, 2) / (c * h * w)


def channel_moments(features: Tensor) -> Tensor:
    """Mean and standard deviation of every channel: (N, C, H, W) -> (N, 2C), in float32."""
    flat = features.float().flatten(2)
    return torch.cat([flat.mean(2), (flat.var(2, correction=0) + 1e-8).sqrt()], dim=1)


def style_targets(features: Sequence[Mapping[str, Tensor]]) -> StyleTargets:
    """One style's targets from its features at one or more sizes: the mean over sizes.

    Shape:
        each features {layer: (1, C, H, W)} -> grams {layer: (1, C, C)}, moments {layer: (1, 2C)}.
    """
    layers = features[0].keys()
    return StyleTargets(
        {layer: torch.stack([gram_matrix(f[layer]) for f in features]).mean(0) for layer in layers},
        {layer: torch.stack([channel_moments(f[layer]) for f in features]).mean(0) for layer in layers},
        {layer: _sample_places(features[0][layer], N_SAMPLES) for layer in layers},
    )


def style_loss(
    features: Mapping[str, Tensor], targets: StyleTargets, layer_weights: Mapping[str, float]
) -> Tensor:
    """Distance of Gram matrices, relative to the target's size and summed over layers.

        sum over layers of layer_weight * |G(out) - G(style)|^2 / |G(style)|^2

    Shape:
        features {layer: (N, C, H, W)}, targets with N rows -> (N,).
    """
    terms = [
        weight * _relative_distance(gram_matrix(features[layer]), targets.grams[layer])
        for layer, weight in layer_weights.items()
    ]
    return torch.stack(terms).sum(0)


def moments_loss(
    features: Mapping[str, Tensor], targets: StyleTargets, layer_weights: Mapping[str, float]
) -> Tensor:
    """Distance of channel means and deviations, relative and summed over layers like the style loss.

    Source: Huang and Belongie, ICCV 2017, arXiv:1703.06868, eq. 13; ours is relative to the target.
    """
    terms = [
        weight * _relative_distance(channel_moments(features[layer]), targets.moments[layer])
        for layer, weight in layer_weights.items()
    ]
    return torch.stack(terms).sum(0)


def sliced_wasserstein_loss(
    features: Mapping[str, Tensor],
    samples: Mapping[str, Tensor],
    mixtures: Tensor,
    layer_weights: Mapping[str, float],
    seed: int,
    n_directions: int = 32,
) -> Tensor:
    """Distance of feature distributions along random directions: it sees what Gram matrices cannot.

    Along each direction both distributions are sorted; the loss is the mean squared distance of their
    quantiles, relative to the style's mean square. A mixture's target is the mean of its styles' quantiles.

    Shape:
        features {layer: (N, C, H, W)}, samples {layer: (S, C, M)}, mixtures (N, S) -> (N,).
    Source: Heitz et al., "A Sliced Wasserstein Loss for Neural Texture Synthesis", CVPR 2021,
    arXiv:2006.07229. Ours compares M quantiles, so that pictures of any size fit.
    """
    terms = []
    for layer, weight in layer_weights.items():
        generator = torch.Generator().manual_seed(seed)
        n_channels, n_samples = samples[layer].shape[1:]
        directions = torch.randn(n_directions, n_channels, generator=generator)
        directions = F.normalize(directions, dim=1).to(features[layer].device)
        with torch.autocast(directions.device.type, enabled=False):
            ours = torch.sort(directions @ features[layer].float().flatten(2), dim=2).values
            ours = F.interpolate(ours, size=n_samples, mode="linear", align_corners=True)
            theirs = torch.sort(directions @ samples[layer], dim=2).values
            theirs = torch.einsum("ns,sdm->ndm", mixtures, theirs)
        terms.append(weight * _relative_distance(ours, theirs))
    return torch.stack(terms).sum(0)


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """|F(out) - F(content)|^2 / |F(content)|^2 per picture: (N, C, H, W) twice -> (N,)."""
    return _relative_distance(features.float(), target.float())


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, down plus across: (N, 3, H, W) -> (N,)."""
    down = (images[..., 1:, :] - images[..., :-1, :]).abs().mean(dim=(1, 2, 3))
    across = (images[..., 1:] - images[..., :-1]).abs().mean(dim=(1, 2, 3))
    return down + across


def readability_loss(images: Tensor, photos: Tensor, subject: Tensor) -> Tensor:
    """How much of the product's drawing is lost: its edges, and its light and shade.

    With luminance Y, Sobel gradient D and subject mask m (both sums over pixels):
        sum m |D Y(out) - D Y(photo)| / sum m |D Y(photo)|  +  mean_m |low(Y(out)) - low(Y(photo))| / 0.25
    where low() averages squares of 8 px.

    Shape:
        images, photos (N, 3, H, W), subject (N, 1, H, W) -> (N,); 0 where there is no subject.
    """
    painted, seen = luminance(images), luminance(photos)
    drawn = _sobel(seen)
    lost = (subject * (_sobel(painted) - drawn).abs()).sum(dim=(1, 2, 3))
    there = (subject * drawn.abs()).sum(dim=(1, 2, 3)) + 0.02 * subject.sum(dim=(1, 2, 3))
    shade = (_low_resolution(painted) - _low_resolution(seen)).abs()
    return lost / there.clamp_min(1e-6) + _masked_mean(shade, _low_resolution(subject)) / HALF_RANGE


def flatness_loss(images: Tensor, photos: Tensor, subject: Tensor) -> Tensor:
    """How blotchy a flat background has become: deviation of its low-resolution colours from their mean.

    Strokes smaller than 8 px cost nothing: a flat background may be textured, but evenly.

    Shape:
        images, photos (N, 3, H, W), subject (N, 1, H, W) -> (N,); 0 where no background is flat.
    """
    seen = luminance(photos)
    deviation = (_low_resolution(seen.square()) - _low_resolution(seen).square()).clamp_min(0).sqrt()
    flat = (deviation < FLAT_STD).float() * (1 - _low_resolution(subject))
    colors = _low_resolution(images)
    area = flat.sum(dim=(2, 3), keepdim=True).clamp_min(1e-6)
    mean = (flat * colors).sum(dim=(2, 3), keepdim=True) / area
    return _masked_mean((colors - mean).abs(), flat) / HALF_RANGE


def grid_loss(images: Tensor) -> Tensor:
    """How much of a picture's fine structure keeps step with a grid of 4 px, which upsampling can leave.

    In every window of 32 px, the high-passed luminance is averaged over the pixels of each of the 4 x 4
    phases; what differs between phases has period 2 or 4. Its energy over that of all fine structure is
    about 1/64 in pictures without a grid and is divided by that here.

    Shape:
        images (N, 3, H, W), sides at least 32 -> (N,).
    Source: ours; it is what an excess of the spectrum at 1/4 and 1/2 looks like in space.
    """
    luma = luminance(images)
    blurred = F.avg_pool2d(F.pad(luma, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
    height, width = (side - side % 4 for side in luma.shape[-2:])
    fine = (luma - blurred)[..., :height, :width]
    phases = F.avg_pool2d(F.pixel_unshuffle(fine, 4), 8, stride=4)
    in_step = (phases - phases.mean(1, keepdim=True)).square().mean(dim=(1, 2, 3))
    return 64 * in_step / (fine.square().mean(dim=(1, 2, 3)) + 1e-5)


def luminance(images: Tensor) -> Tensor:
    """Rec. 601 luma: (N, 3, H, W) -> (N, 1, H, W)."""
    weights = images.new_tensor(LUMA).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _sample_places(features: Tensor, n_samples: int) -> Tensor:
    """Features at random places, the same for every picture of a size: (1, C, H, W) -> (1, C, M)."""
    flat = features.flatten(2)
    generator = torch.Generator().manual_seed(0)
    return flat[..., torch.randint(flat.shape[2], (n_samples,), generator=generator)]


def _low_resolution(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, LOW_RESOLUTION_PX)


def _sobel(luma: Tensor) -> Tensor:
    """Gradient down and across, (N, 1, H, W) -> (N, 2, H, W), per pixel of distance."""
    smooth, slope = luma.new_tensor([1.0, 2.0, 1.0]) / 4, luma.new_tensor([-1.0, 0.0, 1.0]) / 2
    kernels = torch.stack([slope[:, None] * smooth, smooth[:, None] * slope])[:, None]
    return F.conv2d(F.pad(luma, (1, 1, 1, 1), mode="replicate"), kernels)


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    weighed = (values * mask).sum(dim=(1, 2, 3))
    return weighed / (mask.sum(dim=(1, 2, 3)) * values.shape[1]).clamp_min(1e-6)


def _relative_distance(value: Tensor, target: Tensor) -> Tensor:
    squared = (value - target).square().flatten(1).sum(1)
    return squared / target.square().flatten(1).sum(1).clamp_min(1e-12)
