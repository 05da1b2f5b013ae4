import numpy as np
import torch

from stylize.descriptors import (
    CONTENT_VECTOR_LENGTH,
    DESCRIPTOR_LAYERS,
    fit_descriptor_basis,
    style_statistics,
)

STATISTICS = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)


def test_content_vectors_have_unit_length() -> None:
    vectors = fit_descriptor_basis(STATISTICS).describe(STATISTICS)
    assert vectors.shape == (5, CONTENT_VECTOR_LENGTH)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_angles_between_styles_survive_the_projection() -> None:
    basis = fit_descriptor_basis(STATISTICS)
    centered = STATISTICS - STATISTICS.mean(axis=0)
    unit = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    vectors = basis.describe(STATISTICS)
    assert np.allclose(vectors @ vectors.T, unit @ unit.T, atol=1e-4)


def test_describing_one_more_style_moves_no_other() -> None:
    basis = fit_descriptor_basis(STATISTICS)
    more = np.vstack([STATISTICS, np.ones((1, 40), dtype=np.float32)])
    assert np.allclose(basis.describe(more)[:5], basis.describe(STATISTICS), atol=1e-6)


def test_a_single_style_has_a_vector_of_zeros() -> None:
    assert not fit_descriptor_basis(STATISTICS[:1]).describe(STATISTICS[:1]).any()


def test_statistics_weigh_layers_alike_whatever_their_scale() -> None:
    features = {layer: torch.rand(1, 3, 5, 5) * 10**place for place, layer in enumerate(DESCRIPTOR_LAYERS)}
    blocks = style_statistics(features).reshape(len(DESCRIPTOR_LAYERS), 6)
    assert np.allclose(np.linalg.norm(blocks, axis=1), 1, atol=1e-6)
