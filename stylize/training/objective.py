"""Objective: everything that training minimizes, measured on one batch of pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from stylize import losses
from stylize.losses import CONTENT_LAYER, StyleTargets
from stylize.training.conditions import Conditions
from stylize.vgg import VGGFeatures, VGGWeights


@dataclass(frozen=True)
class LossWeights:
    """What each term of the objective counts.

    With s the mean strength asked of a picture and p that of its subject, the objective is
        s (style L_style + moments L_moments + sliced_wasserstein L_SW)
        + (1 + partial_content (1 - s)) content L_content + variation L_TV + grid L_grid
        + (1 - p) readability L_readability + flatness L_flatness + s adversarial L_adversarial
    so that less strength means less style and a stricter hold on the photo.
    """

    content: float = 1.0
    style: float = 1.0
    moments: float = 0.2
    sliced_wasserstein: float = 0.0
    adversarial: float = 0.0
    variation: float = 0.2
    grid: float = 0.1
    partial_content: float = 2.0
    readability: float = 1.0
    flatness: float = 0.2

    def __post_init__(self) -> None:
        if negative := [name for name, value in vars(self).items() if not value >= 0]:
            raise ValueError(f"loss weights must be zero or more, got {negative} in {self}")


@dataclass(frozen=True)
class Batch:
    """What one step trains on: photos (N, 3, H, W), subject (N, 1, H, W) and N conditions."""

    photos: Tensor
    subject: Tensor
    conditions: Conditions


class Objective:
    """Measures a batch of stylized pictures against their photos and their styles.

    Args:
        weights: of the terms.
        layer_weights: weight of each VGG layer in the style losses.
        targets: the S styles.
        vgg_weights: of the loss network.
        device: where to compute.
    """

    def __init__(
        self,
        weights: LossWeights,
        layer_weights: Mapping[str, float],
        targets: StyleTargets,
        vgg_weights: VGGWeights,
        device: torch.device,
    ) -> None:
        self.weights, self.layer_weights = weights, layer_weights
        self.targets = targets.to(device)
        self.vgg = VGGFeatures(vgg_weights, {*layer_weights, CONTENT_LAYER}).to(device)

    @torch.no_grad()
    def content_features(self, photos: Tensor, shared: int) -> Tensor:
        """Content features of photos that come in runs of `shared` equal ones: (N, C, H / 8, W / 8)."""
        features: Tensor = self.vgg(photos[::shared])[CONTENT_LAYER]
        return features.repeat_interleave(shared, 0)[: len(photos)]

    def measure(self, stylized: Tensor, content: Tensor, batch: Batch, step: int) -> dict[str, Tensor]:
        """Every term by its name, (N,) each; terms that weigh nothing and cost much are left out."""
        features = self.vgg(stylized)
        targets = self.targets.mix(batch.conditions.mixtures)
        parts = {
            "content": losses.content_loss(features[CONTENT_LAYER], content),
            "style": losses.style_loss(features, targets, self.layer_weights),
            "moments": losses.moments_loss(features, targets, self.layer_weights),
            "variation": losses.total_variation(stylized),
            "grid": losses.grid_loss(stylized),
            "readability": losses.readability_loss(stylized, batch.photos, batch.subject),
            "flatness": losses.flatness_loss(stylized, batch.photos, batch.subject),
        }
        if self.weights.sliced_wasserstein:
            parts["sliced_wasserstein"] = losses.sliced_wasserstein_loss(
                features, self.targets.samples, batch.conditions.mixtures, self.layer_weights, seed=step
            )
        return parts

    def total(self, parts: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """The objective, (N,); see LossWeights."""
        weights, strength = self.weights, batch.conditions.style_map(batch.subject).strength()
        factors = {
            "content": 1 + weights.partial_content * (1 - strength),
            "style": strength,
            "moments": strength,
            "sliced_wasserstein": strength,
            "adversarial": strength,
            "readability": 1 - batch.conditions.subject_strength,
        }
        terms = [getattr(weights, name) * factors.get(name, 1.0) * part for name, part in parts.items()]
        return torch.stack(terms).sum(0)
