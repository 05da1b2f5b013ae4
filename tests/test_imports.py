"""The design's arrows: which room may import which, and what must stay light."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("personalize", "stylize", "analytics")
ROOMS = (
    "data",
    "features",
    "models",
    "policy",
    "retrain",
    "evaluate",
    "engine",
    "simulate",
    "service",
    "demo",
)
DOORS = {
    "stylize": {"personalize/rendering/renders.py"},
    # experiments share one hash between those who assign and those who ask who belonged where; the others
    # are an experiment's proof, the gate of a retraining, and what raters think of the styles
    "analytics": {
        "personalize/proof.py",
        "personalize/retrain/gate.py",
        "personalize/judgement.py",
        "personalize/data/experiments.py",
    },
}

APART = {
    "inference": {"sql", "frames", "rollup", "reporting", "judgement", "commands"},
    "sql": {"frames", "rollup", "reporting", "judgement", "commands"},
    "frames": {"sql", "rollup", "reporting", "judgement", "commands"},
    "rollup": {"frames", "reporting", "judgement", "commands"},
    "reporting": {"sql", "frames", "rollup", "judgement", "commands"},
    "judgement": {"sql", "frames", "rollup", "commands"},
}
"""Rooms of analytics, and those of which they know nothing."""


def sources(package: str) -> Iterator[Path]:
    return (path for path in (ROOT / package).rglob("*.py") if "scenes" not in path.parts)


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the package in full"
            names.add(node.module or "")
    return names


def imported_packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_modules(path)}


@pytest.mark.parametrize(
    ("package", "others"),
    [("stylize", {"personalize", "analytics"}), ("analytics", {"personalize", "stylize"})],
)
def test_stylize_and_analytics_stand_alone(package: str, others: set[str]) -> None:
    offenders = {str(path): found for path in sources(package) if (found := imported_packages(path) & others)}
    assert not offenders


@pytest.mark.parametrize("package", DOORS)
def test_only_the_doors_lead_to_another_package(package: str) -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in sources("personalize")
        if package in imported_packages(path)
    }
    assert users <= DOORS[package]


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "personalize" and parts[1] in ROOMS else None


def test_a_room_imports_only_rooms_to_its_left() -> None:
    offenders = [
        f"{path.relative_to(ROOT)} imports personalize.{there}"
        for path in sources("personalize")
        if (here := room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))) is not None
        for there in filter(None, map(room_of, imported_modules(path)))
        if ROOMS.index(there) > ROOMS.index(here)
    ]
    assert not offenders


@pytest.mark.parametrize("room", APART)
def test_a_room_of_analytics_knows_nothing_of_those_above_and_beside_it(room: str) -> None:
    paths = [*(ROOT / "analytics" / room).glob("*.py")]
    assert len(paths) > 1
    offenders = {
        f"{path.name} imports {module}"
        for path in paths
        for module in imported_modules(path)
        if module.startswith("analytics.") and module.split(".")[1] in APART[room]
    }
    assert not offenders


@pytest.mark.parametrize("command", ["personalize", "stylize", "analytics"])
def test_help_does_not_import_torch(command: str) -> None:
    code = (
        f"import sys, runpy; sys.argv = ['{command}', '--help']\n"
        f"try: runpy.run_module('{command}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('heavy:', sorted({'torch', 'torchvision', 'lightgbm', 'scipy.stats'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.rstrip().endswith("heavy: []")


def test_no_module_can_run_code_from_a_file_it_loads() -> None:
    for package in PACKAGES:
        for path in sources(package):
            assert not imported_packages(path) & {"joblib", "dill", "cloudpickle"}, path
            source = path.read_text(encoding="utf-8")
            assert not re.search(r"pickle\.loads?\(", source), path
            assert source.count("torch.load(") == source.count("weights_only=True"), path
