import numpy as np
import pytest
import torch

from stylize.evaluate.recognition import PROBE_CELLS, fit_probe, probe_features


def blobs(n: int, names: tuple[str, ...], seed: int = 0) -> tuple[np.ndarray, list[str], list[str]]:
    """Features, groups and keys of n pictures per group, each group around a corner of its own."""
    rng = np.random.default_rng(seed)
    features = [rng.normal(size=(n, 12)) + 4 * np.eye(12)[k] for k in range(len(names))]
    groups = [name for name in names for _ in range(n)]
    return np.concatenate(features).astype(np.float32), groups, [f"{seed}-{i}" for i in range(len(groups))]


@pytest.mark.parametrize("names", [("shoes", "hat"), ("shoes", "hat", "dress", "top")])
def test_a_probe_reads_unseen_pictures_of_groups_it_knows(names: tuple[str, ...]) -> None:
    probe = fit_probe(*blobs(40, names))
    features, groups, _ = blobs(50, names, seed=1)
    assert np.mean(np.array(probe.read(features)) == groups) > 0.9


def test_a_probe_is_scikit_learns_with_the_scaling_folded_in() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, groups, keys = blobs(30, ("a", "b", "c"))
    features = 50 * features + 7
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=200)).fit(features, groups)
    unseen, *_ = blobs(30, ("a", "b", "c"), seed=2)
    assert (
        fit_probe(features, groups, keys).read(50 * unseen + 7) == pipeline.predict(50 * unseen + 7).tolist()
    )


def test_a_lesson_is_told_by_its_pictures_and_their_groups_and_not_by_the_sums() -> None:
    features, groups, keys = blobs(20, ("a", "b"))
    lesson = fit_probe(features, groups, keys).lesson
    assert fit_probe(features * (1 + 1e-6), groups, keys).lesson == lesson
    assert fit_probe(features[::-1], groups[::-1], keys[::-1]).lesson == lesson
    assert fit_probe(features, groups[::-1], keys).lesson != lesson
    assert fit_probe(features, groups, [f"other {key}" for key in keys]).lesson != lesson


def test_features_are_means_over_cells() -> None:
    plane = torch.arange(64.0).view(1, 1, 8, 8)
    features = probe_features({"relu5_1": plane})
    assert features.shape == (1, PROBE_CELLS**2)
    assert features[0, 0] == pytest.approx((0 + 1 + 8 + 9) / 4)


def test_one_group_is_nothing_to_tell_apart() -> None:
    with pytest.raises(ValueError, match="tells groups apart"):
        fit_probe(*blobs(5, ("a",)))
