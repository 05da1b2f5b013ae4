"""Trainer: a StyleNetwork, its optimizer and its moving average, one step at a time.

One step draws `batch_size` crops and as many styles (all styles equally often), and minimizes
    style_loss_weight * style_loss + content_loss_weight * content_loss + total_variation_weight * TV.
Everything random at a step follows from the seed and the step's number, so the state to resume
from is the weights, their moving average and Adam's moments, nothing else.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.checkpoint import StyleCheckpoint, is_style_parameter, join_style_table, shared_weights
from stylize.content import STYLE, CropSampler, shuffled_item
from stylize.errors import DivergedTraining
from stylize.grain import add_grain
from stylize.images import to_tensor
from stylize.losses import CONTENT_LAYER, StyleTargets, content_loss, style_loss, total_variation
from stylize.network import NetworkConfig, StyleNetwork
from stylize.recipe import TrainingRecipe
from stylize.targets import StyleSet
from stylize.vgg import VGGFeatures, VGGWeights


@dataclass(frozen=True)
class StepReport:
    """What one step measured; style_losses holds one value per style that was in the batch."""

    step: int
    loss: float
    content_loss: float
    style_loss: float
    total_variation: float
    gradient_norm: float
    learning_rate: float
    style_losses: Mapping[str, float]


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
        self.sampler = CropSampler(photos, recipe.photo_px, recipe.zoom, recipe.crop_px, recipe.seed)
        self.config = NetworkConfig(len(styles.names), recipe.widths, recipe.num_residual_blocks)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.network = StyleNetwork(self.config).to(self.device)
        self.average = {name: values.detach().clone() for name, values in self.network.named_parameters()}
        self.optimizer = torch.optim.Adam(self._parameter_groups())
        self.vgg = VGGFeatures(vgg_weights, {*recipe.layer_weights, CONTENT_LAYER}).to(self.device)
        self.targets = StyleTargets({k: g.to(self.device) for k, g in styles.targets.grams.items()})
        self.steps_done = 0

    @property
    def done(self) -> bool:
        """Whether the recipe's number of steps has been made."""
        return self.steps_done >= self.recipe.steps

    def step(self) -> StepReport:
        """One optimizer step.

        Raises:
            DivergedTraining: loss or gradient is not finite; weights are as before the step.
        """
        positions = range(
            self.steps_done * self.recipe.batch_size, (self.steps_done + 1) * self.recipe.batch_size
        )
        images = torch.stack([to_tensor(self.sampler.crop_at(p)) for p in positions]).to(self.device)
        rows = torch.tensor([self._style_at(p) for p in positions], device=self.device)
        learning_rate = self.recipe.learning_rate_at(self.steps_done)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["factor"]

        parts = self._losses(images, rows)
        loss = self._weigh(parts).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.max_gradient_norm)
        if not math.isfinite(loss.item()) or not math.isfinite(norm.item()):
            raise self._diverged(positions, rows, loss.item())
        self.optimizer.step()
        self._update_average()
        self.steps_done += 1
        return self._report(loss, parts, norm, learning_rate, rows)

    def average_network(self) -> StyleNetwork:
        """The network with its averaged weights: what the checkpoint holds and previews show."""
        network = StyleNetwork(self.config).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def checkpoint(self) -> StyleCheckpoint:
        """The averaged weights as they stand, with the styles and the recipe."""
        state = self.average_network().state_dict()
        facts = {
            **asdict(self.recipe),
            "steps_done": self.steps_done,
            "n_photos": len(self.sampler.photos),
            "vgg": self.vgg_source,
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

    def _style_at(self, position: int) -> int:
        return shuffled_item(self.recipe.seed, STYLE, position, len(self.styles.names))

    def _losses(self, images: Tensor, rows: Tensor) -> dict[str, Tensor]:
        style_weights = F.one_hot(rows, len(self.styles.names)).float()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.is_bf16):
            with torch.no_grad():
                content = self.vgg(images)[CONTENT_LAYER]
            stylized = self.network(add_grain(images, self.steps_done, self.recipe.grain_std), style_weights)
            features = self.vgg(stylized)
        return {
            "content_loss": content_loss(features[CONTENT_LAYER], content),
            "style_loss": style_loss(features, self.targets.rows(rows), self.recipe.layer_weights),
            "total_variation": total_variation(stylized),
        }

    def _weigh(self, parts: Mapping[str, Tensor]) -> Tensor:
        weights: dict[str, float] = {name: getattr(self.recipe, f"{name}_weight") for name in parts}
        return torch.stack([weights[name] * part for name, part in parts.items()]).sum(0)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema_decay, (1 + self.steps_done) / (10 + self.steps_done))
        for name, values in self.network.named_parameters():
            self.average[name].lerp_(values, 1 - decay)

    def _diverged(self, positions: Sequence[int], rows: Tensor, loss: float) -> DivergedTraining:
        names = [self.styles.names[row] for row in rows.tolist()]
        photos = [self.sampler.path_at(p).name for p in positions]
        return DivergedTraining(
            f"step {self.steps_done} is not finite (loss {loss}) on photos {photos} with styles {names}; "
            "lower the learning rate or remove the picture, then run again: it resumes from the last state"
        )

    def _report(
        self, loss: Tensor, parts: Mapping[str, Tensor], norm: Tensor, learning_rate: float, rows: Tensor
    ) -> StepReport:
        per_style = zip(rows.tolist(), parts["style_loss"].tolist(), strict=True)
        means = {name: part.mean().item() for name, part in parts.items()}
        return StepReport(
            step=self.steps_done,
            loss=loss.item(),
            content_loss=means["content_loss"],
            style_loss=means["style_loss"],
            total_variation=means["total_variation"],
            gradient_norm=norm.item(),
            learning_rate=learning_rate,
            style_losses={self.styles.names[row]: value for row, value in per_style},
        )
