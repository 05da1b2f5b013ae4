"""Trainer: a StyleNetwork, its optimizer and its moving average, one step at a time.

One step draws crops, styles (all equally often) and strengths, and minimizes the objective of
stylize.training.objective. Everything random at a step follows from the seed and the step's number, so
the state to resume from is the weights, their moving average, the optimizers' moments and a few counters.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylize.checkpoint import (
    StyleCheckpoint,
    build_network,
    is_style_parameter,
    join_style_table,
    shared_weights,
)
from stylize.errors import DivergedTraining
from stylize.grain import grain
from stylize.images import to_tensor
from stylize.network import NetworkConfig, StyleNetwork
from stylize.subject import mask_tensor
from stylize.targets import StyleSet
from stylize.training.adversary import Adversary, restore_adam
from stylize.training.conditions import draw_conditions
from stylize.training.content import ContentSampler
from stylize.training.objective import Batch, Objective
from stylize.training.parallel import World
from stylize.training.recipe import TrainingRecipe
from stylize.training.schedule import Plateau
from stylize.vgg import VGGWeights

ALONE = World()


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


class Trainer:
    """A network on its way: call `step()` until `done`.

    Args:
        recipe: the settings.
        styles: what to learn, see stylize.targets.
        photos: files to draw content crops from.
        vgg_weights: of the loss network.
        device: where to compute.
        world: the processes that train together.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        styles: StyleSet,
        photos: Sequence[Path],
        vgg_weights: VGGWeights,
        device: str = "cpu",
        world: World = ALONE,
    ) -> None:
        self.recipe, self.styles, self.world = recipe, styles, world
        self.device = torch.device(device)
        self.vgg_source = vgg_weights.source
        self.sampler = ContentSampler(photos, recipe.photo_px, recipe.augmentation, recipe.seed)
        self.config = NetworkConfig(len(styles.names), recipe.widths, recipe.num_residual_blocks)
        self.objective = Objective(
            recipe.losses, recipe.layer_weights, styles.targets, vgg_weights, self.device
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.network = StyleNetwork(self.config).to(self.device)
            self.adversary = self._make_adversary()
        self._freeze_shared_weights()
        self.parallel = world.wrap(self.network)
        self.average = self._copy_parameters()
        self.optimizer = recipe.optimizer.build(self._parameter_groups())
        self.steps_done = 0
        self.pictures_done = 0
        self.plateau = Plateau()
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
        recipe = self.recipe
        batch = self._draw_batch()
        factor = recipe.schedule.factor_at(self.steps_done, recipe.steps, self.plateau)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * factor * group["factor"]

        stylized, parts = self._forward(batch)
        loss = self.objective.total(parts, batch)
        self.optimizer.zero_grad()
        loss.mean().backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self._trained_parameters(), recipe.max_gradient_norm)
        report = self._report(batch, loss, parts, norm, recipe.learning_rate * factor)
        if not math.isfinite(report.loss) or not math.isfinite(report.gradient_norm):
            raise self._diverged(report)
        self.optimizer.step()
        if self.adversary is not None:
            self.adversary.learn(stylized, batch.conditions.mixtures, seed=self.steps_done)
        self._update_average()
        self.plateau = self.plateau.after(self.steps_done, report.loss, recipe.schedule)
        self.steps_done += 1
        self.pictures_done += recipe.stage_at(self.steps_done - 1).batch_size
        return report

    def start_from(self, checkpoint: StyleCheckpoint) -> None:
        """Take over a trained network's weights before the first step.

        Styles that it does not know start from the mean of its styles.

        Raises:
            ValueError: it is of other widths or depth.
        """
        table = np.stack([checkpoint.row_or_mean(name) for name in self.styles.names])
        parent = build_network(replace(checkpoint, style_table=table))
        if parent.config != self.config:
            raise ValueError(f"a network of {parent.config} cannot start one of {self.config}")
        self.network.load_state_dict(parent.state_dict())
        self.average = self._copy_parameters()
        self.started_from = {"sha256": checkpoint.sha256, "recipe": checkpoint.recipe}

    def average_network(self) -> StyleNetwork:
        """The network with its averaged weights: what the checkpoint holds and previews show."""
        network = StyleNetwork(self.config).to(self.device)
        network.load_state_dict({**self.network.state_dict(), **self.average})
        return network.eval()

    def checkpoint(self) -> StyleCheckpoint:
        """The averaged weights as they stand, with the styles and the recipe."""
        state = self.average_network().state_dict()
        facts = {
            **asdict(self.recipe),
            "steps_done": self.steps_done,
            "pictures_done": self.pictures_done,
            "n_photos": len(self.sampler.photos),
            "vgg": self.vgg_source,
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

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that a resumed run needs."""
        named = {f"weights/{name}": values for name, values in self.network.state_dict().items()}
        named |= {f"average/{name}": values for name, values in self.average.items()}
        for name, values in self.network.named_parameters():
            for key, moment in self.optimizer.state.get(values, {}).items():
                named[f"adam/{name}/{key}"] = moment
        if self.adversary is not None:
            named |= {f"adversary/{name}": values for name, values in self.adversary.tensors().items()}
        return named

    def counters(self) -> dict[str, Any]:
        """Everything else that a resumed run needs, ready for JSON."""
        return {
            "steps_done": self.steps_done,
            "pictures_done": self.pictures_done,
            "plateau": asdict(self.plateau),
            "started_from": self.started_from,
        }

    def restore(self, tensors: Mapping[str, Tensor], counters: Mapping[str, Any]) -> None:
        """Bring back what `tensors` and `counters` gave."""
        self.network.load_state_dict({name: tensors[f"weights/{name}"] for name in self.network.state_dict()})
        self.average = {name: tensors[f"average/{name}"].to(self.device) for name in self.average}
        restore_adam(self.optimizer, self.network, tensors)
        if self.adversary is not None:
            prefix = "adversary/"
            ours = {name[len(prefix) :]: v for name, v in tensors.items() if name.startswith(prefix)}
            self.adversary.restore(ours)
        self.steps_done, self.pictures_done = counters["steps_done"], counters["pictures_done"]
        self.plateau = Plateau(**counters["plateau"])
        self.started_from = counters["started_from"]

    def _make_adversary(self) -> Adversary | None:
        if not self.recipe.losses.adversarial:
            return None
        if self.world.size > 1:
            raise ValueError("adversarial training runs in one process; set the adversarial weight to 0")
        return Adversary(self.styles.pictures, self.recipe.learning_rate, self.device)

    def _freeze_shared_weights(self) -> None:
        for name, values in self.network.named_parameters():
            values.requires_grad_(is_style_parameter(name) or not self.recipe.is_style_only)

    def _trained_parameters(self) -> list[torch.nn.Parameter]:
        return [values for values in self.network.parameters() if values.requires_grad]

    def _copy_parameters(self) -> dict[str, Tensor]:
        return {name: values.detach().clone() for name, values in self.network.named_parameters()}

    def _parameter_groups(self) -> list[dict[str, Any]]:
        trained = [(name, values) for name, values in self.network.named_parameters() if values.requires_grad]
        factors = {True: self.recipe.style_learning_rate_factor, False: 1.0}
        return [
            {"params": parameters, "factor": factor}
            for is_style, factor in factors.items()
            if (parameters := [values for name, values in trained if is_style_parameter(name) is is_style])
        ]

    @property
    def _places(self) -> range:
        """The places in this step's batch that this process makes."""
        return self.world.share(range(self.recipe.stage_at(self.steps_done).batch_size))

    @property
    def _crops(self) -> list[int]:
        """The crop of each of those pictures: crops are shared by `_styles_per_crop` pictures in a row."""
        return [(self.pictures_done + place) // self._styles_per_crop for place in self._places]

    @property
    def _styles_per_crop(self) -> int:
        """No more than there are styles: a crop twice in one style would teach the same thing twice."""
        return min(self.recipe.styles_per_crop, len(self.styles.names))

    def _draw_batch(self) -> Batch:
        recipe, stage = self.recipe, self.recipe.stage_at(self.steps_done)
        numbers = self._crops
        crops = {number: self.sampler.crop_at(number, stage.crop_px) for number in dict.fromkeys(numbers)}
        photos = torch.stack([to_tensor(crops[number].image) for number in numbers])
        subject = torch.stack([mask_tensor(crops[number].subject) for number in numbers])
        positions = range(self.pictures_done, self.pictures_done + stage.batch_size)
        conditions = draw_conditions(
            recipe.curriculum, recipe.seed, self.steps_done, positions, len(self.styles.names)
        ).part(self._places)
        return Batch(photos.to(self.device), subject.to(self.device), conditions.to(self.device))

    def _forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The stylized pictures, and every term of the objective."""
        recipe, photos = self.recipe, batch.photos
        noise = grain(photos.shape[-2:], self.steps_done, recipe.grain_std).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.is_bf16):
            content = self.objective.content_features(photos, self._styles_per_crop)
            stylized = self.parallel(photos, batch.conditions.style_map(batch.subject), noise)
            parts = self.objective.measure(stylized, content, batch, self.steps_done)
        if self.adversary is not None:
            parts["adversarial"] = self.adversary.penalty(stylized, batch.conditions.mixtures)
        return stylized, parts

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema_decay, (1 + self.steps_done) / (10 + self.steps_done))
        for name, values in self.network.named_parameters():
            self.average[name].lerp_(values, 1 - decay)

    def _diverged(self, report: StepReport) -> DivergedTraining:
        photos = [self.sampler.path_at(number).name for number in dict.fromkeys(self._crops)]
        return DivergedTraining(
            f"step {report.step} is not finite (loss {report.loss}) on photos {photos} "
            f"with styles {list(report.style_losses)}; "
            "lower the learning rate or remove the picture, then run again: it resumes from the last state"
        )

    def _report(
        self, batch: Batch, loss: Tensor, parts: Mapping[str, Tensor], norm: Tensor, learning_rate: float
    ) -> StepReport:
        means = torch.stack([loss.mean(), *(part.mean() for part in parts.values())]).detach().float()
        total, *per_part = self.world.mean(means).tolist()
        rows = batch.conditions.mixtures.argmax(1).tolist()
        per_style = zip(rows, parts["style"].tolist(), strict=True)
        return StepReport(
            step=self.steps_done + 1,
            kind=batch.conditions.kind.value,
            crop_px=batch.photos.shape[-1],
            loss=total,
            losses=dict(zip(parts, per_part, strict=True)),
            gradient_norm=norm.item(),
            learning_rate=learning_rate,
            style_losses={self.styles.names[row]: value for row, value in per_style},
        )
