"""A saved model is whole or refused, and the process lives on."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from logs import START

from personalize.errors import CorruptModel
from personalize.models import Ranker, load_scorer
from personalize.models import artifact as artifact_module
from personalize.models.artifact import (
    CALIBRATION,
    MANIFEST,
    MODEL,
    TEMPORARY,
    Provenance,
    remove_unfinished,
    save_ranker,
    version_of,
)
from personalize.retrain.training import Examples

N_MUTANTS = 600
"""200 of each of the three files."""


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


def save(ranker: Ranker, models_dir: Path, examples: Examples) -> str:
    provenance = Provenance(START, START + timedelta(days=3), 7, len(examples))
    return save_ranker(ranker, models_dir, examples.frame, provenance)


def forget_probes() -> None:
    artifact_module._probed.clear()


def test_a_loaded_ranker_scores_as_the_saved_one(
    models_dir: Path, ranker: Ranker, examples: Examples
) -> None:
    forget_probes()
    checksum = save(ranker, models_dir, examples)
    loaded = load_scorer(models_dir, ranker.model_version, manifest_sha256=checksum)
    np.testing.assert_array_equal(loaded.score(examples.frame), ranker.score(examples.frame))
    assert loaded.model_version == ranker.model_version


def test_the_folder_says_where_the_model_comes_from(
    models_dir: Path, ranker: Ranker, examples: Examples
) -> None:
    save(ranker, models_dir, examples)
    folder = models_dir / ranker.model_version
    manifest = json.loads((folder / MANIFEST).read_text())
    assert {path.name for path in folder.iterdir()} == {MODEL, CALIBRATION, MANIFEST}
    assert manifest["features"] == list(examples.frame.names)
    assert manifest["seed"] == 7
    assert len(manifest["canaries"]) == len(manifest["canary_scores"]) == 16


def says_the_same(mutant: bytes, original: bytes) -> bool:
    try:
        return bool(json.loads(mutant) == json.loads(original))
    except ValueError:
        return False


def test_every_mutant_is_refused_and_the_process_lives(
    models_dir: Path, ranker: Ranker, examples: Examples
) -> None:
    """Cuts, flipped bits, holes and swapped files, with every check that comes before LightGBM loads.

    A manifest that still says the same (a flipped bit made 1e-05 a 1E-05) is no mutant.
    """
    save(ranker, models_dir, examples)
    folder = models_dir / ranker.model_version
    originals = {path.name: path.read_bytes() for path in folder.iterdir()}
    rng = np.random.default_rng(0)
    for number in range(N_MUTANTS):
        name = list(originals)[number % 3]
        mutant = mutated(originals[name], number // 3 % 4, rng)
        if name == MANIFEST and says_the_same(mutant, originals[name]):
            continue
        (folder / name).write_bytes(mutant)
        with pytest.raises(CorruptModel):
            load_scorer(models_dir, ranker.model_version)
        (folder / name).write_bytes(originals[name])
    np.testing.assert_array_equal(
        load_scorer(models_dir, ranker.model_version).score(examples.frame), ranker.score(examples.frame)
    )


def mutated(content: bytes, how: int, rng: np.random.Generator) -> bytes:
    where = int(rng.integers(len(content) - 1))
    match how:
        case 0:
            return content[:where]
        case 1:
            return (
                content[:where] + bytes([content[where] ^ 1 << int(rng.integers(7))]) + content[where + 1 :]
            )
        case 2:
            return content[:where] + b"\0" * min(64, len(content) - where) + content[where + 64 :]
        case _:
            return content[:where] + b"7" + content[where:]


@pytest.mark.parametrize("name", [MODEL, CALIBRATION, MANIFEST])
def test_a_missing_file_is_named(models_dir: Path, ranker: Ranker, examples: Examples, name: str) -> None:
    save(ranker, models_dir, examples)
    (models_dir / ranker.model_version / name).unlink()
    with pytest.raises(CorruptModel, match=name):
        load_scorer(models_dir, ranker.model_version)


def test_a_model_that_kills_the_process_that_loads_it_is_refused(
    models_dir: Path, ranker: Ranker, examples: Examples
) -> None:
    """Corrupt from the start, so that every checksum agrees: only the child process finds out."""
    forget_probes()
    save(ranker, models_dir, examples)
    rewrite(models_dir / ranker.model_version, ranker.model_text[: len(ranker.model_text) // 2], {})
    with pytest.raises(CorruptModel, match="child process"):
        load_scorer(models_dir, ranker.model_version)


def test_a_model_that_predicts_otherwise_than_its_canaries_is_refused(
    models_dir: Path, ranker: Ranker, examples: Examples
) -> None:
    forget_probes()
    save(ranker, models_dir, examples)
    manifest = json.loads((models_dir / ranker.model_version / MANIFEST).read_text())
    scores = [score + 1e-6 for score in manifest["canary_scores"]]
    rewrite(models_dir / ranker.model_version, ranker.model_text, {"canary_scores": scores})
    with pytest.raises(CorruptModel, match="does not predict"):
        load_scorer(models_dir, ranker.model_version)


def test_a_model_under_the_name_of_another_is_refused(
    models_dir: Path, ranker: Ranker, examples: Examples
) -> None:
    checksum = save(ranker, models_dir, examples)
    shutil.copytree(models_dir / ranker.model_version, models_dir / "other")
    with pytest.raises(CorruptModel, match="version"):
        load_scorer(models_dir, "other")
    with pytest.raises(CorruptModel, match="not the one that was registered"):
        load_scorer(models_dir, ranker.model_version, manifest_sha256=checksum[::-1])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": 99}, "expected schema 2 and this version in the manifest, got schema 99"),
        ({"features": ["style_rate", "moon_phase"]}, "other features than its manifest says"),
    ],
)
def test_a_model_of_another_schema_is_refused_although_every_checksum_agrees(
    models_dir: Path, ranker: Ranker, examples: Examples, changes: dict[str, object], reason: str
) -> None:
    save(ranker, models_dir, examples)
    rewrite(models_dir / ranker.model_version, ranker.model_text, changes)
    with pytest.raises(CorruptModel, match=reason):
        load_scorer(models_dir, ranker.model_version)


def rewrite(folder: Path, model: str, changes: dict[str, object]) -> None:
    """Change a saved model and make every checksum agree again."""
    (folder / MODEL).write_text(model)
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    manifest["files"][MODEL] = artifact_module._sha256(model.encode())
    manifest["checksum"] = artifact_module._checksum(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_saving_again_repairs_a_broken_folder_and_leaves_a_whole_one(
    models_dir: Path, ranker: Ranker, examples: Examples
) -> None:
    first = save(ranker, models_dir, examples)
    model = models_dir / ranker.model_version / MODEL
    written = model.stat().st_mtime_ns
    assert save(ranker, models_dir, examples) == first
    assert model.stat().st_mtime_ns == written
    model.write_text("broken")
    assert save(ranker, models_dir, examples) == first
    assert model.read_text() == ranker.model_text
    remove_unfinished(models_dir)
    assert [path.name for path in models_dir.iterdir()] == [ranker.model_version]


def test_what_a_kill_leaves_behind_is_cleared_away(models_dir: Path) -> None:
    (models_dir / f"{TEMPORARY}abc").mkdir(parents=True)
    (models_dir / f"{TEMPORARY}abc" / MODEL).write_text("half")
    remove_unfinished(models_dir)
    assert list(models_dir.iterdir()) == []


def test_a_version_names_its_moment_and_its_content(ranker: Ranker) -> None:
    one = version_of(ranker.model_text, ranker.calibration, START)
    assert one == version_of(ranker.model_text, ranker.calibration, START)
    assert one.startswith("20260302T000000-")
    assert one != version_of(ranker.model_text + " ", ranker.calibration, START)
