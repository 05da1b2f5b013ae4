"""Content vectors: a short description of what a style picture looks like, for cold start elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

DESCRIPTOR_LAYERS = ("relu2_1", "relu3_1", "relu4_1")
CONTENT_VECTOR_LENGTH = 16


@dataclass(frozen=True)
class DescriptorBasis:
    """The affine map from VGG statistics (D,) to content vectors (16,): center (D,), axes (16, D)."""

    center: NDArray[np.float32]
    axes: NDArray[np.float32]

    def describe(self, statistics: NDArray[np.float32]) -> NDArray[np.float32]:
        """Content vectors of unit length, (S, D) -> (S, 16); zero where nothing tells styles apart."""
        vectors = (statistics - self.center) @ self.axes.T
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9)
        return np.asarray(unit, dtype=np.float32)


def style_statistics(features: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """Channel means and deviations of one picture at DESCRIPTOR_LAYERS, every layer of unit length.

    Shape:
        features {layer: (1, C, H, W)} -> (D,), D = twice the sum of C.
    """
    blocks = []
    for layer in DESCRIPTOR_LAYERS:
        flat = features[layer][0].float().flatten(1)
        block = np.concatenate([flat.mean(1).numpy(), flat.std(1, correction=0).numpy()])
        blocks.append(block / max(float(np.linalg.norm(block)), 1e-12))
    return np.concatenate(blocks).astype(np.float32)


def fit_descriptor_basis(statistics: NDArray[np.float32]) -> DescriptorBasis:
    """Principal axes of the styles' statistics (S, D); axes beyond S - 1 are zero.

    The basis is kept in the checkpoint, so that a style added later is described on the same axes
    and no other vector moves. The sign of an axis is fixed by its largest entry being positive.
    """
    center = statistics.mean(axis=0)
    _, scales, axes = np.linalg.svd(statistics - center, full_matrices=False)
    axes = axes[scales > 1e-6 * max(float(scales[0]), 1e-12)][:CONTENT_VECTOR_LENGTH]
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    padded = np.zeros((CONTENT_VECTOR_LENGTH, statistics.shape[1]), dtype=np.float32)
    padded[: len(axes)] = axes * signs[:, None]
    return DescriptorBasis(center.astype(np.float32), padded)
