"""The reference for J: what optimising the pixels of one picture for one style can reach.

It takes about a minute of two cores a picture, and depends on nothing but the photo, the style picture
and VGG, so it is computed once and kept in a JSON file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from stylize.errors import StylizeError
from stylize.evaluate.styling import objective
from stylize.losses import StyleTargets
from stylize.sealed import write_atomically
from stylize.vgg import VGGFeatures

N_STEPS = 120
STALLED = 0.5
"""A descent in bfloat16 that ends above this share of where it began has not found the optimum."""


@dataclass(frozen=True)
class Optimum:
    """Where the optimisation of one pair ended, and the J it began with, the photo's own."""

    style_loss: float
    content_loss: float
    start: float

    @property
    def J(self) -> float:  # noqa: N802 - the name it has in the literature
        """The objective at the end."""
        return self.style_loss + self.content_loss


class ReferenceTable:
    """Optima by photo and style, kept in a JSON file from which an interrupted run goes on.

    Args:
        path: the file; None keeps nothing.
    Raises:
        StylizeError: the file is there and holds something else.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._optima = _read(path) if path is not None and path.exists() else {}

    def __len__(self) -> int:
        return len(self._optima)

    def get(self, photo_key: str, style_key: str) -> Optimum | None:
        """The optimum of a pair, where it is known."""
        return self._optima.get(f"{photo_key} {style_key}")

    def put(self, photo_key: str, style_key: str, optimum: Optimum) -> None:
        """Keep an optimum; it is on disk when this returns."""
        self._optima[f"{photo_key} {style_key}"] = optimum
        if self.path is not None:
            rows = {pair: asdict(optimum) for pair, optimum in sorted(self._optima.items())}
            write_atomically((json.dumps(rows, indent=1) + "\n").encode(), self.path)


def optimise_pixels(
    vgg: VGGFeatures, photo: Tensor, targets: StyleTargets, n_steps: int = N_STEPS, is_bf16: bool = False
) -> tuple[Tensor, Optimum]:
    """The picture that minimises J for one photo and one style, by L-BFGS from the photo, and its J.

    Pixels are free while the optimiser runs and are clipped to [0, 1] before J is taken, because a
    picture that cannot be shown is no reference.

    Args:
        photo: (1, 3, H, W) in [0, 1].
        targets: one row.
        n_steps: L-BFGS iterations, each with a strong Wolfe line search.
        is_bf16: convolutions in bfloat16 while optimising; J at the end is float32's anyway. Where its
            rounding ends the line search early, the pair is optimised again in float32.
    Source: Gatys, Ecker and Bethge, CVPR 2016, who also start from the photo and use L-BFGS.
    """
    picture, optimum = _descend(vgg, photo, targets, n_steps, is_bf16)
    if is_bf16 and STALLED * optimum.start < optimum.J:
        picture, optimum = _descend(vgg, photo, targets, n_steps, is_bf16=False)
    return picture, optimum


def _descend(
    vgg: VGGFeatures, photo: Tensor, targets: StyleTargets, n_steps: int, is_bf16: bool
) -> tuple[Tensor, Optimum]:
    device = photo.device.type
    with torch.no_grad():
        photo_features = vgg(photo)
        start = objective(photo_features, photo_features, targets).J
    pixels = photo.detach().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [pixels],
        max_iter=n_steps,
        max_eval=2 * n_steps,
        history_size=20,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=is_bf16):
            features = vgg(pixels)
        loss = objective(features, photo_features, targets).J.sum()
        (gradient,) = torch.autograd.grad(loss, pixels)
        pixels.grad = gradient.contiguous()  # L-BFGS flattens it by a view
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        picture = pixels.detach().clamp(0, 1)
        reached = objective(vgg(picture), photo_features, targets)
    return picture, Optimum(reached.style_loss.item(), reached.content_loss.item(), start.item())


def _read(path: Path) -> dict[str, Optimum]:
    try:
        rows: Mapping[str, Mapping[str, float]] = json.loads(path.read_bytes())
        return {pair: Optimum(**row) for pair, row in rows.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise StylizeError(f"{path} is no reference of `stylize evaluate`; name another file") from error
