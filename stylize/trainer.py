"""Trainer: a StyleNetwork, its optimizer and its moving average, one step at a time.

One step draws crops, styles (all equally often) and strengths, and minimizes the objective of
stylize.recipe.LossWeights. Everything random at a step follows from the seed and the step's number, so
the state to resume from is the weights, their moving average and Adam's moments, nothing else.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylize import losses
from stylize.checkpoint import (
    StyleCheckpoint,
    build_network,
    is_style_parameter,
    join_style_table,
    shared_weights,
)
from stylize.conditions import Conditions, draw_conditions
from stylize.content import ContentSampler
from stylize.errors import DivergedTraining
from stylize.grain import grain
from stylize.images import to_tensor
from stylize.losses import CONTENT_LAYER
from stylize.network import NetworkConfig, StyleNetwork
from stylize.recipe import TrainingRecipe
from stylize.subject import mask_tensor
from stylize.targets import StyleSet
from stylize.vgg import VGGFeatures, VGGWeights


@dataclass(frozen=True)
class StepReport:
    """What one step measured; losses are means over the batch, style_losses one value per style in it."""

    step: int
    kind: str
    crop_px: int
    loss: float
    losses: Mapping[str, float]
    gradient_norm: float
    learning_rate: float
    style_losses: Mapping[str, float]


@dataclass(frozen=True)
class Batch:
    """What one step trains on: photos (N, 3, H, W), subject (N, 1, H, W) and N conditions."""

    photos: Tensor
    subject: Tensor
    conditions: Conditions


class Trainer:
    """A network on its way: call `step()` until `done`.

    Args:
        recipe: the settings.
        styles: what to learn, see stylize.targets.
        photos: files to draw content crops from.
        vgg_weights: of the loss network.
        device: where to compute.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        styles: StyleSet,
        photos: Sequence[Path],
        vgg_weights: VGGWeights,
        device: str = "cpu",
    ) -> None:
        self.recipe, self.styles, self.device = recipe, styles, torch.device(device)
        self.vgg_source = vgg_weights.source
        self.sampler = ContentSampler(photos, recipe.photo_px, recipe.augmentation, recipe.seed)
        self.config = NetworkConfig(len(styles.names), recipe.widths, recipe.num_residual_blocks)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.network = StyleNetwork(self.config).to(self.device)
        self.average = {name: values.detach().clone() for name, values in self.network.named_parameters()}
        self.optimizer = torch.optim.Adam(self._parameter_groups())
        self.vgg = VGGFeatures(vgg_weights, {*recipe.layer_weights, CONTENT_LAYER}).to(self.device)
        self.targets = styles.targets.to(self.device)
        self.steps_done = 0
        self.pictures_done = 0
        self.started_from: Mapping[str, Any] | None = None

    @property
    def done(self) -> bool:
        """Whether the recipe's number of steps has been made."""
        return self.steps_done >= self.recipe.steps

    def step(self) -> StepReport:
        """One optimizer step.

        Raises:
            DivergedTraining: loss or gradient is not finite; weights are as before the step.
        """
        batch = self._draw_batch()
        learning_rate = self.recipe.learning_rate_at(self.steps_done)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["factor"]

        parts = self._losses(batch)
        loss = self._objective(parts, batch.conditions.style_map(batch.subject).strength(), batch.conditions)
        self.optimizer.zero_grad()
        loss.mean().backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.max_gradient_norm)
        report = self._report(batch, loss, parts, norm, learning_rate)
        if not math.isfinite(report.loss) or not math.isfinite(report.gradient_norm):
            raise self._diverged(report)
        self.optimizer.step()
        self._update_average()
        self.steps_done += 1
        self.pictures_done += len(batch.photos)
        return report

    def start_from(self, checkpoint: StyleCheckpoint) -> None:
        """Take over a trained network's weights before the first step; styles it does not know start
        from the mean of its styles.

        Raises:
            ValueError: it is of other widths or depth.
        """
        table = np.stack([checkpoint.row_or_mean(name) for name in self.styles.names])
        parent = build_network(replace(checkpoint, style_table=table))
        if parent.config != self.config:
            raise ValueError(f"a network of {parent.config} cannot start one of {self.config}")
        self.network.load_state_dict(parent.state_dict())
        self.average = {name: values.detach().clone() for name, values in self.network.named_parameters()}
        self.started_from = {"sha256": checkpoint.sha256, "recipe": checkpoint.recipe}

    def average_network(self) -> StyleNetwork:
        """The network with its averaged weights: what the checkpoint holds and previews show."""
        network = StyleNetwork(self.config).to(self.device)
        network.load_state_dict(self.average, strict=False)
        return network.eval()

    def checkpoint(self) -> StyleCheckpoint:
        """The averaged weights as they stand, with the styles and the recipe."""
        state = self.average_network().state_dict()
        facts = {
            **asdict(self.recipe),
            "steps_done": self.steps_done,
            "n_photos": len(self.sampler.photos),
            "vgg": self.vgg_source,
            "pictures_done": self.pictures_done,
            "started_from": self.started_from,
        }
        return StyleCheckpoint(
            network={"widths": self.config.widths, "num_residual_blocks": self.config.num_residual_blocks},
            shared=shared_weights(state),
            style_names=self.styles.names,
            style_table=join_style_table(state),
            content_vectors=self.styles.content_vectors,
            descriptor_center=self.styles.basis.center,
            descriptor_axes=self.styles.basis.axes,
            thumbnails=self.styles.thumbnails,
            recipe=facts,
        )

    def _parameter_groups(self) -> list[dict[str, Any]]:
        named = list(self.network.named_parameters())
        return [
            {"params": [p for name, p in named if not is_style_parameter(name)], "factor": 1.0},
            {
                "params": [p for name, p in named if is_style_parameter(name)],
                "factor": self.recipe.style_learning_rate_factor,
            },
        ]

    @property
    def _positions(self) -> range:
        batch_size = self.recipe.stage_at(self.steps_done).batch_size
        return range(self.pictures_done, self.pictures_done + batch_size)

    def _draw_batch(self) -> Batch:
        """Crops shared by `styles_per_crop` pictures each, in the order of their positions."""
        recipe, stage = self.recipe, self.recipe.stage_at(self.steps_done)
        places = [position // recipe.styles_per_crop for position in self._positions]
        crops = {place: self.sampler.crop_at(place, stage.crop_px) for place in dict.fromkeys(places)}
        photos = torch.stack([to_tensor(crops[place].image) for place in places])
        subject = torch.stack([mask_tensor(crops[place].subject) for place in places])
        conditions = draw_conditions(
            recipe.curriculum, recipe.seed, self.steps_done, self._positions, len(self.styles.names)
        )
        return Batch(photos.to(self.device), subject.to(self.device), conditions.to(self.device))

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        recipe, photos = self.recipe, batch.photos
        noise = grain(photos.shape[-2:], self.steps_done, recipe.grain_std).to(self.device)
        shared = recipe.styles_per_crop
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.is_bf16):
            with torch.no_grad():
                content = self.vgg(photos[::shared])[CONTENT_LAYER].repeat_interleave(shared, 0)
            stylized = self.network(photos, batch.conditions.style_map(batch.subject), noise)
            features = self.vgg(stylized)
        targets = self.targets.mix(batch.conditions.mixtures)
        return {
            "content": losses.content_loss(features[CONTENT_LAYER], content[: len(photos)]),
            "style": losses.style_loss(features, targets, recipe.layer_weights),
            "moments": losses.moments_loss(features, targets, recipe.layer_weights),
            "variation": losses.total_variation(stylized),
            "readability": losses.readability_loss(stylized, photos, batch.subject),
            "flatness": losses.flatness_loss(stylized, photos, batch.subject),
        }

    def _objective(self, parts: Mapping[str, Tensor], strength: Tensor, conditions: Conditions) -> Tensor:
        weights = self.recipe.losses
        return (
            strength * (weights.style * parts["style"] + weights.moments * parts["moments"])
            + weights.content * (1 + weights.partial_content * (1 - strength)) * parts["content"]
            + weights.variation * parts["variation"]
            + weights.readability * (1 - conditions.subject_strength) * parts["readability"]
            + weights.flatness * parts["flatness"]
        )

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema_decay, (1 + self.steps_done) / (10 + self.steps_done))
        for name, values in self.network.named_parameters():
            self.average[name].lerp_(values, 1 - decay)

    def _diverged(self, report: StepReport) -> DivergedTraining:
        places = dict.fromkeys(position // self.recipe.styles_per_crop for position in self._positions)
        photos = [self.sampler.path_at(place).name for place in places]
        return DivergedTraining(
            f"step {report.step} is not finite (loss {report.loss}) on photos {photos} "
            f"with styles {list(report.style_losses)}; "
            "lower the learning rate or remove the picture, then run again: it resumes from the last state"
        )

    def _report(
        self, batch: Batch, loss: Tensor, parts: Mapping[str, Tensor], norm: Tensor, learning_rate: float
    ) -> StepReport:
        rows = batch.conditions.mixtures.argmax(1).tolist()
        per_style = zip(rows, parts["style"].tolist(), strict=True)
        return StepReport(
            step=self.steps_done + 1,
            kind=batch.conditions.kind.value,
            crop_px=batch.photos.shape[-1],
            loss=loss.mean().item(),
            losses={name: part.mean().item() for name, part in parts.items()},
            gradient_norm=norm.item(),
            learning_rate=learning_rate,
            style_losses={self.styles.names[row]: value for row, value in per_style},
        )
