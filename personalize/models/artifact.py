"""A saved ranker: a folder of plain files under a manifest, written whole or not at all.

models_dir/<model_version>/
    model.txt         the trees, LightGBM's own text
    calibration.json  intercept and slope
    manifest.json     sha256 of each file, feature names, data window, seed, canary rows and their predictions

Nothing is unpickled. A corrupt model text aborts the process inside LightGBM and a flipped bit may load
with other predictions, so a load checks the manifest's own checksum and each file's first, then loads in
a child process, then compares the canaries.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from personalize.errors import CorruptModel
from personalize.features.frame import FeatureFrame
from personalize.models import probe
from personalize.models.calibration import Calibration
from personalize.models.ranker import Ranker

SCHEMA = 2
"""Goes up when the files or the meaning of a feature change, so that models of before are refused."""
MODEL, CALIBRATION, MANIFEST = "model.txt", "calibration.json", "manifest.json"
N_CANARIES = 16
CANARY_TOLERANCE = 1e-9
PROBE_SECONDS = 60
TEMPORARY = ".writing-"

_probed: set[tuple[str, str]] = set()
"""(folder, checksum) of models that a child process has loaded already, for the life of this process."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a model comes from."""

    trained_from: datetime
    trained_until: datetime
    seed: int
    n_examples: int


def version_of(model_text: str, calibration: Calibration, trained_until: datetime) -> str:
    """A version that names the moment and the content: the same training gives the same version."""
    content = model_text + json.dumps(asdict(calibration), sort_keys=True)
    return f"{trained_until:%Y%m%dT%H%M%S}-{_sha256(content.encode())[:10]}"


def save_ranker(ranker: Ranker, models_dir: Path, frame: FeatureFrame, provenance: Provenance) -> str:
    """Write the folder of `ranker.model_version` and return the checksum of its manifest.

    Everything is written to a folder beside it, synced and renamed, so that a kill leaves either the
    whole model or a temporary folder that the next `remove_unfinished` clears away. A folder of that
    version that is there already is kept when it is intact and replaced when it is not.

    Args:
        frame: rows to take the canaries from, spread over the whole of it.
    """
    models_dir.mkdir(parents=True, exist_ok=True)
    canaries = frame.values[np.linspace(0, len(frame.values) - 1, N_CANARIES).astype(int)]
    files = {
        MODEL: ranker.model_text.encode(),
        CALIBRATION: json.dumps(asdict(ranker.calibration), indent=2).encode(),
    }
    manifest = {
        "schema": SCHEMA,
        "model_version": ranker.model_version,
        "files": {name: _sha256(content) for name, content in files.items()},
        "features": list(frame.names),
        "trained_from": provenance.trained_from.isoformat(),
        "trained_until": provenance.trained_until.isoformat(),
        "n_examples": provenance.n_examples,
        "seed": provenance.seed,
        "canaries": _as_json(canaries),
        "canary_scores": _predict(ranker, canaries),
    }
    checksum = _checksum(manifest)
    if _is_intact(models_dir / ranker.model_version, checksum):
        return checksum
    files[MANIFEST] = json.dumps(manifest | {"checksum": checksum}, indent=1).encode()
    _write_folder(models_dir, ranker.model_version, files)
    return checksum


def load_scorer(models_dir: Path, model_version: str, *, manifest_sha256: str | None = None) -> Ranker:
    """The ranker saved under a version.

    Args:
        manifest_sha256: the checksum that the registry holds; None trusts the manifest's own.
    Raises:
        CorruptModel: a file is missing or is not what the manifest says, or the model does not load or
            predict as it did when it was saved.
    """
    manifest, contents = _read_all(models_dir, model_version, manifest_sha256)
    _probe_once(models_dir / model_version, contents[MODEL], manifest, model_version)
    ranker = Ranker(model_version, contents[MODEL].decode(), Calibration(**json.loads(contents[CALIBRATION])))
    if list(ranker.feature_names) != manifest["features"]:
        raise CorruptModel(model_version, "its trees use other features than its manifest says")
    return ranker


def check_files(models_dir: Path, model_version: str, *, manifest_sha256: str) -> None:
    """See that a version's files are, byte by byte, those that were registered, without loading them.

    Raises:
        CorruptModel: a file is missing or is another.
    """
    _read_all(models_dir, model_version, manifest_sha256)


def remove_unfinished(models_dir: Path) -> None:
    """Clear away what a killed `save_ranker` left. Only under the retraining lease."""
    for folder in models_dir.glob(f"{TEMPORARY}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _is_intact(folder: Path, checksum: str) -> bool:
    """Whether just this model is there already, whole: a night that is run again writes nothing."""
    try:
        manifest = _read_manifest(folder, folder.name)
        for name in manifest["files"]:
            _read_checked(folder, name, manifest, folder.name)
    except CorruptModel:
        return False
    return bool(manifest["checksum"] == checksum)


def _read_all(
    models_dir: Path, model_version: str, manifest_sha256: str | None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the files that it names, each as it was written."""
    folder = models_dir / model_version
    manifest = _read_manifest(folder, model_version)
    if manifest_sha256 is not None and manifest["checksum"] != manifest_sha256:
        raise CorruptModel(model_version, "its manifest is not the one that was registered")
    names = (MODEL, CALIBRATION)
    return manifest, {name: _read_checked(folder, name, manifest, model_version) for name in names}


def _read_manifest(folder: Path, model_version: str) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise CorruptModel(model_version, f"there is no {folder / MANIFEST}") from error
    except (OSError, ValueError) as error:
        raise CorruptModel(model_version, f"its manifest cannot be read ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("checksum") != _checksum(manifest):
        raise CorruptModel(model_version, "its manifest was changed after it was written")
    if manifest["schema"] != SCHEMA or manifest["model_version"] != model_version:
        raise CorruptModel(
            model_version,
            f"expected schema {SCHEMA} and this version in the manifest, got schema {manifest['schema']} "
            f"and version {manifest['model_version']}",
        )
    return manifest


def _read_checked(folder: Path, name: str, manifest: dict[str, Any], model_version: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise CorruptModel(model_version, f"{name} cannot be read ({error})") from error
    if _sha256(content) != manifest["files"][name]:
        raise CorruptModel(model_version, f"{name} was changed after it was written")
    return content


def _probe_once(folder: Path, model: bytes, manifest: dict[str, Any], model_version: str) -> None:
    """Load the very bytes that were checked in a child process, and compare the canaries."""
    key = (str(folder.resolve()), manifest["checksum"])
    if key in _probed:
        return
    with tempfile.NamedTemporaryFile(suffix=".txt") as checked:
        checked.write(model)
        checked.flush()
        scores = _probe(Path(checked.name), manifest["canaries"], model_version)
    if not np.allclose(scores, manifest["canary_scores"], rtol=0, atol=CANARY_TOLERANCE):
        raise CorruptModel(model_version, "it does not predict what it predicted when it was saved")
    _probed.add(key)


def _probe(model: Path, rows: list[list[float | None]], model_version: str) -> list[float]:
    try:
        child = subprocess.run(  # noqa: S603
            [sys.executable, probe.__file__, str(model)],
            input=json.dumps(rows),
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=True,
        )
        scores: list[float] = json.loads(child.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise CorruptModel(model_version, f"a child process could not load it ({error})") from error
    return scores


def _write_folder(models_dir: Path, name: str, files: dict[str, bytes]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=models_dir))
    for file_name, content in files.items():
        with (temporary / file_name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    _sync_folder(temporary)
    target = models_dir / name
    if target.exists():
        target.rename(models_dir / f"{temporary.name}-replaced")
    temporary.rename(target)
    _sync_folder(models_dir)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _predict(ranker: Ranker, rows: np.ndarray[Any, np.dtype[np.float32]]) -> list[float]:
    import lightgbm

    booster = lightgbm.Booster(model_str=ranker.model_text)
    scores: list[float] = np.asarray(booster.predict(rows.astype(np.float64), num_threads=1)).tolist()
    return scores


def _as_json(rows: np.ndarray[Any, np.dtype[np.float32]]) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in rows]


def _checksum(manifest: dict[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "checksum"}
    return _sha256(json.dumps(rest, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
