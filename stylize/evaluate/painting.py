"""The network as an evaluation uses it: photos and their subjects in, pictures of 8 bits out."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stylize.checkpoint import StyleCheckpoint, build_network
from stylize.devices import computes_in_bfloat16
from stylize.evaluate.sample import PreparedPhoto
from stylize.grain import grain
from stylize.render.inference import InferenceNetwork
from stylize.style_map import StyleMap, two_regions

BATCH_SIZE = {"cpu": 1, "cuda": 16}
"""Pictures in one forward pass; on a CPU larger passes only leave the caches sooner."""


@dataclass(frozen=True, order=True)
class Strengths:
    """How strongly the product and its background are styled, each in [0, 1]."""

    subject: float
    background: float

    def __post_init__(self) -> None:
        if not (0 <= self.subject <= 1 and 0 <= self.background <= 1):
            raise ValueError(f"strengths must be between 0 and 1, got {self}")

    @property
    def label(self) -> str:
        """Such as `0.4 / 1`: product, then background."""
        return f"{self.subject:g} / {self.background:g}"


FULL, NONE = Strengths(1.0, 1.0), Strengths(0.0, 0.0)


class Painter:
    """Paints photos as the renderer would ship them: same network, same grain, rounded to 8 bits."""

    def __init__(self, checkpoint: StyleCheckpoint, device: torch.device) -> None:
        dtype = torch.bfloat16 if computes_in_bfloat16(device) else torch.float32
        self.device = device
        self._network = InferenceNetwork(build_network(checkpoint), dtype).to(device)

    @torch.inference_mode()
    def paint(self, photo: PreparedPhoto, mixtures: Tensor, strengths: Strengths) -> Tensor:
        """One photo in N mixtures of styles, (N, S) with rows summing to 1 -> (N, 3, 256, 256)."""
        image, subject = photo.image.to(self.device), photo.subject.to(self.device)
        noise = grain(image.shape[-2:], seed=0).to(self.device)
        pictures = []
        for rows in mixtures.to(self.device).split(BATCH_SIZE[self.device.type]):  # type: ignore[no-untyped-call]
            style = _style_map(rows, subject.expand(len(rows), -1, -1, -1), strengths)
            pictures.append(self._network(image.expand(len(rows), -1, -1, -1), style, noise))
        return torch.cat(pictures).clamp(0, 1).mul(255).round().div(255)


def _style_map(mixtures: Tensor, subject: Tensor, strengths: Strengths) -> StyleMap:
    if strengths.subject == strengths.background:
        return StyleMap(mixtures * strengths.subject)
    pair = mixtures.new_tensor([strengths.subject, strengths.background])
    return StyleMap(mixtures[:, None] * pair[None, :, None], two_regions(subject))
