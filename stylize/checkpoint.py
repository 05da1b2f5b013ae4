"""Style checkpoints: weights, style table, names, recipe and thumbnails in one safetensors file.

Loading runs no code and verifies a SHA-256 over everything in the file, see stylize.sealed.
Reading one needs no torch; building its network does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stylize.errors import CorruptCheckpoint
from stylize.old_checkpoints import upgrade
from stylize.sealed import Array, BrokenSeal, read_sealed, seal, write_sealed
from stylize.styles import StyleInfo

if TYPE_CHECKING:
    from torch import Tensor

    from stylize.network import StyleNetwork

FORMAT = "stylize-checkpoint"
FORMAT_VERSION = 2
SHIPPED = "weights/sixteen_styles.safetensors"


@dataclass(frozen=True)
class StyleCheckpoint:
    """A trained network and its styles.

    Attributes:
        network: the network's config, without the number of styles.
        shared: every parameter that no style owns, by its name in StyleNetwork.
        style_names: S names, in the order of the rows below.
        style_table: (S, P), each style's gammas and betas, norm by norm in the network's order,
            and its skip from the photo.
        content_vectors: (S, 16), see stylize.descriptors; descriptor_center (D,), descriptor_axes (16, D).
        thumbnails: S JPEG files as bytes.
        default_strengths: of the product and of its background, where a render names none.
        recipe: how it was trained; data counts, steps, seed and VGG source included.
    """

    network: Mapping[str, Any]
    shared: Mapping[str, Array]
    style_names: tuple[str, ...]
    style_table: Array
    content_vectors: Array
    descriptor_center: Array
    descriptor_axes: Array
    thumbnails: tuple[bytes, ...]
    default_strengths: tuple[float, float] = (1.0, 1.0)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def styles(self) -> tuple[StyleInfo, ...]:
        """What is known of each style, in the order of the table's rows."""
        rows = zip(self.style_names, self.content_vectors, self.thumbnails, strict=True)
        return tuple(StyleInfo(*row) for row in rows)

    def row_or_mean(self, name: str) -> Array:
        """The style's row of the table, (P,); the mean of all rows for a style it does not know."""
        if name in self.style_names:
            return np.asarray(self.style_table[self.style_names.index(name)])
        return np.asarray(self.style_table.mean(axis=0))

    @cached_property
    def sha256(self) -> str:
        """Hex digest over names, shapes and bytes of all tensors and over all metadata."""
        return seal(_tensors(self), _metadata(self))


def shipped_checkpoint_path() -> Path:
    """Where the checkpoint that comes with the package lies."""
    return Path(str(files("stylize").joinpath(SHIPPED)))


def write_checkpoint(checkpoint: StyleCheckpoint, path: Path) -> None:
    """Write the file whole or not at all; an older file at the path is replaced."""
    write_sealed(_tensors(checkpoint), _metadata(checkpoint), path)


def read_checkpoint(path: Path) -> StyleCheckpoint:
    """The checkpoint in the file, verified.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptCheckpoint: truncated, damaged, of another format, or of a version we do not know.
    """
    try:
        tensors, metadata = read_sealed(path)
    except BrokenSeal as error:
        raise CorruptCheckpoint(path.name, f"{error}; fetch or train it again") from error
    if metadata.get("format") != FORMAT:
        raise CorruptCheckpoint(path.name, "it was not written by `stylize train`")
    tensors, metadata = upgrade(tensors, metadata)
    if metadata["format_version"] != str(FORMAT_VERSION):
        raise CorruptCheckpoint(
            path.name,
            f"its format version is {metadata['format_version']}, this release reads {FORMAT_VERSION}; "
            "upgrade, or train it again",
        )
    return _assemble(tensors, metadata)


def build_network(checkpoint: StyleCheckpoint) -> "StyleNetwork":
    """The checkpoint's network with all its weights, on the CPU, in eval mode."""
    import torch

    from stylize.network import NetworkConfig, StyleNetwork

    settings = {**checkpoint.network, "widths": tuple(checkpoint.network["widths"])}
    network = StyleNetwork(NetworkConfig(num_styles=len(checkpoint.style_table), **settings))
    state = {name: torch.from_numpy(np.array(values)) for name, values in checkpoint.shared.items()}
    state |= split_style_table(network.state_dict(), torch.from_numpy(np.array(checkpoint.style_table)))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def split_style_table(state: Mapping[str, "Tensor"], table: "Tensor") -> dict[str, "Tensor"]:
    """The (S, P) table cut into the gammas, betas and skips of a network's state, in the state's order."""
    names = [name for name in state if is_style_parameter(name)]
    rows = table.split([state[name].shape[1] for name in names], dim=1)  # type: ignore[no-untyped-call]
    return dict(zip(names, rows, strict=True))


def join_style_table(state: Mapping[str, "Tensor"]) -> Array:
    """The gammas, betas and skips of a network's state as one (S, P) table, in the state's order."""
    import torch

    table = torch.cat([values for name, values in state.items() if is_style_parameter(name)], dim=1)
    return table.detach().float().cpu().numpy()


def shared_weights(state: Mapping[str, "Tensor"]) -> dict[str, Array]:
    """Everything in a network's state that no style owns."""
    return {
        name: values.detach().float().cpu().numpy()
        for name, values in state.items()
        if not is_style_parameter(name)
    }


def is_style_parameter(name: str) -> bool:
    """Whether a parameter of this name in StyleNetwork has one row per style."""
    return name.endswith((".gamma", ".beta", ".skip"))


def _tensors(checkpoint: StyleCheckpoint) -> dict[str, Array]:
    tensors = {f"shared.{name}": values for name, values in checkpoint.shared.items()}
    for name in ("style_table", "content_vectors", "descriptor_center", "descriptor_axes"):
        tensors[name] = getattr(checkpoint, name)
    for row, thumbnail in enumerate(checkpoint.thumbnails):
        tensors[f"thumbnail.{row:04d}"] = np.frombuffer(thumbnail, dtype=np.uint8)
    return tensors


def _metadata(checkpoint: StyleCheckpoint) -> dict[str, str]:
    return {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "network": json.dumps(checkpoint.network, sort_keys=True),
        "style_names": json.dumps(checkpoint.style_names),
        "default_strengths": json.dumps(checkpoint.default_strengths),
        "recipe": json.dumps(checkpoint.recipe, sort_keys=True),
    }


def _assemble(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> StyleCheckpoint:
    prefix = "shared."
    return StyleCheckpoint(
        network=json.loads(metadata["network"]),
        shared={name[len(prefix) :]: values for name, values in tensors.items() if name.startswith(prefix)},
        style_names=tuple(json.loads(metadata["style_names"])),
        style_table=tensors["style_table"],
        content_vectors=tensors["content_vectors"],
        descriptor_center=tensors["descriptor_center"],
        descriptor_axes=tensors["descriptor_axes"],
        thumbnails=tuple(
            tensors[name].tobytes() for name in sorted(tensors) if name.startswith("thumbnail.")
        ),
        default_strengths=_pair(json.loads(metadata["default_strengths"])),
        recipe=json.loads(metadata["recipe"]),
    )


def _pair(values: list[float]) -> tuple[float, float]:
    subject, background = values
    return subject, background
