"""Checkpoints of earlier format versions, brought up to the present one when they are read."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stylize.sealed import Array

Parts = tuple[dict[str, Array], dict[str, str]]


def upgrade(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> Parts:
    """Tensors and metadata as the present version would have written them; newer ones are left alone."""
    parts = dict(tensors), dict(metadata)
    if metadata["format_version"] == "1":
        parts = _from_1(*parts)
    return parts


def _from_1(tensors: dict[str, Array], metadata: dict[str, str]) -> Parts:
    """Version 1 knew no identity row: strength was a blend of pixels.

    The styles' mean row takes its place (zero in the output norm, which makes strength 0 the photo), and
    the skip from the photo is closed for every style, so full strength renders as it did.
    """
    table = tensors["style_table"]
    tensors["style_table"] = np.concatenate([table, np.zeros((len(table), 3), table.dtype)], axis=1)
    place = 0
    for name, n_channels in _norms_of_1(json.loads(metadata["network"])):
        for part in ("gamma", "beta"):
            row = table[:, place : place + n_channels].mean(axis=0)
            tensors[f"shared.{name}.identity_{part}"] = np.zeros_like(row) if name == "output.norm" else row
            place += n_channels
    return tensors, {**metadata, "format_version": "2", "default_strengths": "[1.0, 1.0]"}


def _norms_of_1(network: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    narrow, middle, wide = network["widths"]
    for place, width in enumerate((narrow, middle, wide)):
        yield f"encoder.{place}.norm", width
    for block in range(network["num_residual_blocks"]):
        yield f"body.{block}.first.norm", wide
        yield f"body.{block}.second.norm", wide
    yield "decoder.0.norm", middle
    yield "decoder.1.norm", narrow
    yield "output.norm", 3
