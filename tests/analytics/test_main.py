"""The command: the same answer from every source, one sentence for every slip."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics import UnitDays, compare, simulate_units
from analytics.__main__ import main

SHARES = {"original": 1.0, "popular": 1.0, "personal": 2.0}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


@pytest.fixture
def totals(tmp_path: Path, days: UnitDays) -> Path:
    units = days.units()
    path = tmp_path / "totals.csv.gz"
    pd.DataFrame({"user": units.user, "variant": units.variant, **units.columns}).to_csv(path, index=False)
    return path


def test_json_from_a_database_is_what_compare_returns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str, days: UnitDays
) -> None:
    assert (
        run(
            monkeypatch,
            "compare",
            "--database",
            sqlite_url,
            "--experiment",
            "demo",
            "--pairs",
            "all",
            "--json",
        )
        == 0
    )
    printed = json.loads(capsys.readouterr().out)
    expected = compare(days, control="original", pairs="all", shares=SHARES, experiment="demo").to_dict()
    assert printed["comparisons"] == expected["comparisons"]
    assert printed["srm"] == expected["srm"]
    assert printed["days"] == expected["days"]
    assert printed["variants"]["personal"]["ctr"] == expected["variants"]["personal"]["ctr"]


def test_a_file_gives_the_same_comparison_as_the_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str, totals: Path
) -> None:
    shares = [word for name, share in SHARES.items() for word in ("--share", f"{name}={share}")]
    assert run(monkeypatch, "compare", "--database", sqlite_url, "--experiment", "demo", "--json") == 0
    from_database = json.loads(capsys.readouterr().out)
    assert run(monkeypatch, "compare", "--totals", str(totals), *shares, "--json") == 0
    from_file = json.loads(capsys.readouterr().out)
    assert from_file["comparisons"] == from_database["comparisons"]
    assert from_file["srm"] == from_database["srm"]


def test_the_terminal_shows_the_split_the_numbers_and_the_conclusion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    assert run(monkeypatch, "compare", "--database", sqlite_url, "--experiment", "demo") == 0
    printed = capsys.readouterr().out
    assert printed.index("Users were split as planned") < printed.index("Click-through per variant")
    assert "personal vs original" in printed
    assert "“personal” raised click-through" in printed


def test_reports_are_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, totals: Path) -> None:
    page, text = tmp_path / "r.html", tmp_path / "r.md"
    arguments = (
        "--totals",
        str(totals),
        "--control",
        "original",
        "--html",
        str(page),
        "--markdown",
        str(text),
    )
    assert run(monkeypatch, "compare", *arguments) == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert text.read_text(encoding="utf-8").startswith("# Click-through")


def test_chosen_pairs_and_metrics_are_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    arguments = ("--database", sqlite_url, "--experiment", "demo", "--pair", "personal:popular", "--json")
    assert run(monkeypatch, "compare", *arguments, "--metric", "spend=revenue/users") == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed["comparisons"]) == ["personal_vs_popular"]
    assert printed["variants"]["personal"]["spend"] == pytest.approx(
        printed["variants"]["personal"]["revenue"] / printed["variants"]["personal"]["users"]
    )


def test_power_plans_from_the_control(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], totals: Path
) -> None:
    arguments = ("--totals", str(totals), "--variant", "original", "--uplift", "0.1", "--users", "5000")
    assert run(monkeypatch, "power", *arguments, "--json") == 0
    uplift, users = json.loads(capsys.readouterr().out)["rows"]
    assert uplift["relative_uplift"] == 0.1
    assert users["relative_uplift"] == pytest.approx(0.1 * (uplift["users"] / 5000) ** 0.5, rel=1e-3)
    assert run(monkeypatch, "power", *arguments) == 0
    assert "+10.0%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compare"], "name one source"),
        (["compare", "--totals", "a.csv", "--events", "b.csv"], "name one source"),
        (["compare", "--database", "shop.db", "--experiment", "demo"], "no such database file"),
        (["compare", "--totals", "missing.csv"], "no such file"),
        (["compare", "--totals", "TOTALS", "--column", "variant=user"], "no variant 'control'"),
        (["compare", "--totals", "TOTALS", "--control", "zz"], "no variant 'zz'"),
        (["compare", "--totals", "TOTALS", "--metric", "ctr"], "ctr=clicks/impressions"),
        (["compare", "--totals", "TOTALS", "--control", "original", "--metric", "a/b"], "no column 'a', 'b'"),
        (["compare", "--totals", "TOTALS", "--share", "a=lots"], "control=0.5"),
        (["compare", "--totals", "TOTALS", "--share", "a=-1"], "control=0.5"),
        (["compare", "--totals", "TOTALS", "--column", "uid=x"], "--column knows user"),
        (["compare", "--totals", "TOTALS", "--control", "original", "--pair", "a"], "--pair wants"),
        (
            ["compare", "--totals", "TOTALS", "--control", "original", "--html", "no/such/r.html"],
            "cannot be written",
        ),
        (["power", "--totals", "TOTALS", "--variant", "zz"], "no variant 'zz'"),
        (["power", "--totals", "TOTALS", "--variant", "original", "--uplift", "0"], "never be found"),
    ],
)
def test_a_slip_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    totals: Path,
    arguments: list[str],
    sentence: str,
) -> None:
    arguments = [str(totals) if argument == "TOTALS" else argument for argument in arguments]
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err


def test_a_database_needs_an_experiment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    assert run(monkeypatch, "compare", "--database", sqlite_url) == 2
    assert "--experiment" in capsys.readouterr().err


def test_the_installed_command_reads_a_file_without_torch_in_the_process(tmp_path: Path) -> None:
    units = simulate_units(np.random.default_rng(0), 200, {"control": 0.1, "new": 0.2})
    frame = pd.DataFrame({"user": units.user, "variant": units.variant, **units.columns})
    frame.to_parquet(tmp_path / "t.parquet")
    script = (
        "import sys; from analytics.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'personalize', 'stylize', 'lightgbm', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, "compare", "--totals", str(tmp_path / "t.parquet"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert json.loads(done.stdout)["comparisons"]["new_vs_control"]["effect"] > 0


def test_importing_the_package_leaves_the_heavy_libraries_alone() -> None:
    script = (
        "import sys, analytics; print(sorted({'torch', 'pandas', 'scipy', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
