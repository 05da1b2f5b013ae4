"""The notebooks run from top to bottom, show their plots, and say what is true of the simulated data."""

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "analytics" / "notebooks"
PLOTS = {"ab_comparison": 3, "style_leaderboard": 3, "policy_from_logs": 1}
SAID = {
    "ab_comparison": (
        "Users were split as planned",
        "“personal” raised click-through",
        "false alarms: plain",
    ),
    "style_leaderboard": ("“waves” leads", "agreement between raters", "rank correlation"),
    "policy_from_logs": ("best for each kind", "truth", "None - "),
}


@dataclass(frozen=True)
class Shown:
    """What the cells printed, and the HTML of their last values."""

    printed: str
    html: list[str]


def run_notebook(path: Path, ipython_dir: Path) -> Shown:
    """Every code cell in order, in IPython but without a kernel; an error in a cell is raised here."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    values: list[Any] = []

    class Keep(DisplayHook):
        def __call__(self, result: Any = None) -> None:
            values.append(result)

    class Shell(InteractiveShell):
        displayhook_class = Keep

    printed = io.StringIO()
    shell = Shell(config=Config({"HistoryManager": {"enabled": False}}), ipython_dir=str(ipython_dir))
    try:
        with redirect_stdout(printed):
            for cell in cells_of(path):
                if cell["cell_type"] == "code":
                    shell.run_cell("".join(cell["source"])).raise_error()
    finally:
        shell.restore_sys_module_state()
    return Shown(printed.getvalue(), [one._repr_html_() for one in values if hasattr(one, "_repr_html_")])


def cells_of(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return cells


def test_every_notebook_is_known_here() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(PLOTS)


@pytest.mark.parametrize("name", PLOTS)
def test_a_notebook_is_stored_without_outputs(name: str) -> None:
    document = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in document["cells"]}) == len(document["cells"])
    for cell in document["cells"]:
        assert cell["source"]
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.parametrize("name", PLOTS)
def test_a_notebook_runs_and_shows_what_it_promises(name: str, tmp_path: Path) -> None:
    pytest.importorskip("IPython", reason="needs: pip install ipython")
    shown = run_notebook(NOTEBOOKS / f"{name}.ipynb", tmp_path)
    plots = [html for html in shown.html if html.startswith('<div class="plot">')]
    assert len(plots) == PLOTS[name]
    for plot in plots:
        ElementTree.fromstring(plot)  # well-formed
        assert "NaN" not in plot
        assert plot.count('role="img"') == 2
    for words in SAID[name]:
        assert words in shown.printed
    assert "nan" not in shown.printed
