"""Quantiles from the command line: goal, guardrail, segment, plan, and a sentence for every slip."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analytics_page_times import impressions

from analytics.__main__ import main


@pytest.fixture
def events(tmp_path: Path) -> str:
    path = tmp_path / "events.csv.gz"
    impressions(4000, 6, slower=0.8, seed=3).to_csv(path, index=False)
    return str(path)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(monkeypatch, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_goal_a_guardrail_and_a_segment_come_from_one_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], events: str
) -> None:
    asked = ("--metric", "load=-p95(page_ms)", "--guardrail", "median=-p50(page_ms):0.02")
    printed = answer(monkeypatch, capsys, "compare", "--events", events, *asked, "--segment", "device")
    assert printed["decision"]["verdict"] == "ship"
    assert printed["decision"]["variant"] == "new"
    load, median = printed["effects"]
    assert load["p"] <= load["p_adjusted"] < 0.05
    assert load["ci"][0] < load["effect"] < load["ci"][1] < 0
    assert load["relative"] == pytest.approx(-0.2, abs=0.05)
    assert median["noninferiority"]["is_noninferior"] is True
    assert median["noninferiority"]["increase_is_good"] is False
    assert printed["metrics"]["load"]["metric"]["numerator"] == "p95(page_ms)"
    times = impressions(4000, 6, slower=0.8, seed=3)
    for name, rows in times.groupby("variant"):
        found = printed["variants"][name]
        assert found["load"] == pytest.approx(np.quantile(rows["page_ms"], 0.95, method="inverted_cdf"))
    values = printed["segments"][0]["values"]
    assert {value: len(found["effects"]) for value, found in values.items()} == {"phone": 2, "tv": 2}


def test_the_terminal_and_the_reports_show_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, events: str
) -> None:
    page, text = tmp_path / "r.html", tmp_path / "r.md"
    asked = ("--events", events, "--guardrail", "load=-p95(page_ms):0.02")
    assert run(monkeypatch, "compare", *asked, "--html", str(page), "--markdown", str(text)) == 0
    printed = capsys.readouterr().out
    assert "Load per variant, 95% intervals" in printed
    assert "Ship “new”." in printed
    for report in (page, text):
        assert "load: new vs control" in report.read_text(encoding="utf-8")


def test_users_for_a_faster_page_are_planned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], events: str
) -> None:
    asked = ("power", "--events", events, "--metric", "load=-p95(page_ms)", "--uplift", "0.1")
    plan = answer(monkeypatch, capsys, *asked)
    assert plan["baseline"]["n_users"] == 2000
    assert 100 < plan["rows"][0]["users"] < 4000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--totals", "EVENTS", "--metric", "p95(page_ms)"], "totals hold only their sums"),
        (["--events", "EVENTS", "--metric", "p95(load_ms)"], "no column 'load_ms'"),
        (
            ["--events", "EVENTS", "--metric", "p95(device)"],
            "24000 rows with a 'device'",
        ),
        (["--events", "EVENTS", "--metric", "p100(page_ms)"], "a level between 0 and 100"),
        (["--events", "EVENTS", "--metric", "p95(page_ms)/users"], "name=p95(column)"),
        (["--events", "EVENTS", "--metric", "p95(page_ms)", "--cap", "0.99"], "cap none"),
        (["--events", "EVENTS", "--guardrail", "p95(page_ms):2"], "a margin is a share"),
    ],
)
def test_a_slip_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    events: str,
    arguments: list[str],
    sentence: str,
) -> None:
    named = [events if argument == "EVENTS" else argument for argument in arguments]
    assert run(monkeypatch, "compare", *named) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
