"""All measures of a picture from one pass through VGG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylize.descriptors import DESCRIPTOR_LAYERS
from stylize.evaluate.artefacts import border_ratio, checkerboard_energy
from stylize.evaluate.fidelity import psnr_db, ssim
from stylize.evaluate.identification import StyleIdentifier, picture_statistics
from stylize.evaluate.recognition import PROBE_LAYER, Probe, probe_features
from stylize.evaluate.sample import PreparedPhoto
from stylize.evaluate.styling import Objective, gram_targets, objective, rows_of
from stylize.losses import CONTENT_LAYER, STYLE_LAYERS, StyleTargets
from stylize.vgg import VGGFeatures, VGGWeights

BENCH_LAYERS = frozenset({*STYLE_LAYERS, CONTENT_LAYER, *DESCRIPTOR_LAYERS, PROBE_LAYER})


@dataclass(frozen=True)
class Measures:
    """What is measured of one picture.

    Attributes:
        style_loss, content_loss: see stylize.evaluate.styling; J is their sum.
        identified_as: the style it looks most like.
        recognised_as: the group of products the probe reads; None without a probe.
        psnr_db, ssim: against the photo.
        checkerboard, border: see stylize.evaluate.artefacts; 1 is clean.
    """

    style_loss: float
    content_loss: float
    identified_as: str
    recognised_as: str | None
    psnr_db: float
    ssim: float
    checkerboard: float
    border: float


class Bench:
    """Measures pictures against the photos they show and the styles they are in.

    Args:
        weights: of VGG19.
        names, style_images: S styles, (S, 3, 256, 256) in [0, 1].
        probe: reads groups of products; None leaves recognition out.
        device: where VGG runs.
        is_bf16: VGG's convolutions in bfloat16, which moves J by about a thousandth. What it compares
            with, the styles and their Gram matrices, stays in float32.
    """

    def __init__(
        self,
        weights: VGGWeights,
        names: Sequence[str],
        style_images: Tensor,
        probe: Probe | None,
        device: torch.device,
        is_bf16: bool,
    ) -> None:
        self.device, self.probe, self.is_bf16 = device, probe, is_bf16
        self.vgg = VGGFeatures(weights, BENCH_LAYERS).to(device)
        self.targets, self.identifier = self._learn_styles(names, style_images.to(device))
        self.style_checkerboards = checkerboard_energy(style_images).tolist()

    @torch.no_grad()
    def _learn_styles(
        self, names: Sequence[str], style_images: Tensor
    ) -> tuple[StyleTargets, StyleIdentifier]:
        targets, statistics = [], []
        for image in style_images:
            features = self.vgg(image[None])
            targets.append(gram_targets(features))
            statistics.append(picture_statistics(features))
        return StyleTargets.stack(targets), StyleIdentifier(names, statistics)

    def features(self, images: Tensor) -> Mapping[str, Tensor]:
        """VGG features of pictures (N, 3, H, W) as the bench takes them."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_bf16):
            features: Mapping[str, Tensor] = self.vgg(images.to(self.device))
        return features

    @torch.inference_mode()
    def measure(
        self, picture: Tensor, photo: PreparedPhoto, photo_features: Mapping[str, Tensor], row: int
    ) -> Measures:
        """One picture (1, 3, H, W) of a photo in the style of a row."""
        features = self.features(picture)
        reached = objective(features, photo_features, rows_of(self.targets, [row]))
        shown, seen = picture.cpu(), photo.image
        return Measures(
            style_loss=reached.style_loss.item(),
            content_loss=reached.content_loss.item(),
            identified_as=self.identifier.identify(features),
            recognised_as=self.recognise(features),
            psnr_db=psnr_db(shown, seen).item(),
            ssim=ssim(shown, seen).item(),
            checkerboard=checkerboard_energy(shown).item(),
            border=border_ratio(shown).item(),
        )

    def objective(
        self, picture: Tensor, photo_features: Mapping[str, Tensor], targets: StyleTargets
    ) -> Objective:
        """J alone, for targets that need not be a style's."""
        with torch.inference_mode():
            return objective(self.features(picture), photo_features, targets)

    def recognise(self, features: Mapping[str, Tensor]) -> str | None:
        """The group that the probe reads from one picture's features."""
        return None if self.probe is None else self.probe.read(probe_features(features))[0]
