"""Can one still see what the product is? A linear probe that was taught on clean photos answers."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

PROBE_LAYER = "relu5_1"
PROBE_CELLS = 4
"""Features are averaged over 4 x 4 cells: where a sleeve is matters, to a quarter of the picture."""
PENALTY = 1e-2
"""scikit-learn's C; many more features than photos ask for a small one."""


@dataclass(frozen=True)
class Probe:
    """A linear reader of probe features.

    Attributes:
        groups: G names.
        weights, bias: (G, D), (G,); the group with the largest weights @ features + bias is read.
        lesson: short hex digest of what it was taught, the same whatever machine or number of threads
            did the sums.
    """

    groups: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    lesson: str

    def read(self, features: NDArray[np.float32]) -> list[str]:
        """The group of each picture: (N, D) -> N names."""
        scores = features @ self.weights.T + self.bias
        return [self.groups[row] for row in scores.argmax(axis=1)]


def probe_features(features: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """What the probe looks at, from VGG features {relu5_1: (N, C, h, w)}: (N, 16 C)."""
    cells = F.adaptive_avg_pool2d(features[PROBE_LAYER].float(), PROBE_CELLS)
    return np.asarray(cells.flatten(1).cpu().numpy(), dtype=np.float32)


def fit_probe(features: NDArray[np.float32], groups: Sequence[str], keys: Sequence[str]) -> Probe:
    """Multinomial logistic regression on standardized features, (N, D) and N names.

    Args:
        keys: digests of the N pictures.

    Raises:
        ValueError: fewer than two groups.
    """
    from sklearn.linear_model import LogisticRegression

    if len(set(groups)) < 2:
        raise ValueError(f"a probe tells groups apart, got {sorted(set(groups))}")
    center, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    model = LogisticRegression(C=PENALTY, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged to the last digit is good enough for argmax
        model.fit((features - center) / scale, list(groups))
    weights, bias = _one_row_per_group(model.coef_, model.intercept_)
    folded = weights / scale
    return Probe(
        tuple(model.classes_.tolist()),
        folded.astype(np.float32),
        (bias - folded @ center).astype(np.float32),
        _lesson(groups, keys),
    )


def _lesson(groups: Sequence[str], keys: Sequence[str]) -> str:
    taught = [f"{key} {group}" for key, group in zip(keys, groups, strict=True)]
    facts = [f"{PROBE_LAYER} {PROBE_CELLS} {PENALTY}", *sorted(taught)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _one_row_per_group(
    weights: NDArray[np.float64], bias: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """scikit-learn keeps one row where there are two groups: the second's score against zero."""
    if len(weights) > 1:
        return weights, bias
    return np.concatenate([np.zeros_like(weights), weights]), np.concatenate([np.zeros_like(bias), bias])
