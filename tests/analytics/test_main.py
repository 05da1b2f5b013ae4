"""The command: the same answer from every source, one sentence for every slip."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

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


@pytest.mark.parametrize(
    ("text", "increase_is_good", "margin"),
    [
        ("care=clicks/impressions:0.9", True, 0.9),
        ("care=-clicks/impressions:0.9", False, 0.9),
        ("care=clicks/users", True, 0.0),
    ],
)
def test_a_guardrail_is_read_with_its_margin_and_its_good_side(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    totals: Path,
    text: str,
    increase_is_good: bool,
    margin: float,
) -> None:
    assert run(monkeypatch, "compare", "--totals", str(totals), "--guardrail", text, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    [found] = [e for e in answer["effects"] if (e["metric"], e["variant"]) == ("care", "personal")]
    assert (found["noninferiority"] is not None) is (margin > 0)
    if margin:
        assert found["noninferiority"]["margin"] == margin
        assert found["noninferiority"]["increase_is_good"] is increase_is_good


@pytest.mark.parametrize(("text", "verdict"), [("clicks/users", "ship"), ("-clicks/users", "do not ship")])
def test_a_goal_of_which_less_is_better_is_written_with_a_minus(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    text: str,
    verdict: str,
) -> None:
    units = simulate_units(np.random.default_rng(0), 4000, {"control": 0.05, "new": 0.15})
    frame = pd.DataFrame({"user": units.user, "variant": units.variant, **units.columns})
    frame.to_parquet(tmp_path / "t.parquet")
    source = ("--totals", str(tmp_path / "t.parquet"))
    assert run(monkeypatch, "compare", *source, "--metric", text, "--json") == 0
    assert json.loads(capsys.readouterr().out)["decision"]["verdict"] == verdict


def test_a_margin_that_is_no_share_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], totals: Path
) -> None:
    assert run(monkeypatch, "compare", "--totals", str(totals), "--guardrail", "c=clicks/users:2") == 2
    assert "a margin is a share" in capsys.readouterr().err


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


@pytest.fixture
def logs(tmp_path: Path) -> dict[str, Path]:
    """Two raw logs with a fault each, and a table of users."""
    rng = np.random.default_rng(2)
    user = np.repeat(np.arange(300), 6)
    shown = pd.DataFrame(
        {
            "impression_id": [f"i{n}" for n in range(len(user))],
            "user": [f"u{n}" for n in user],
            "variant": np.where(user % 2, "personal", "control"),
            "shown_at": "2030-01-01T10:00:00Z",
        }
    )
    shown.loc[0, "user"] = " "
    clicked = np.flatnonzero(rng.random(len(user)) < np.where(user % 2, 0.3, 0.1))
    clicks = pd.DataFrame(
        {
            "event_id": "c" + pd.Series(clicked).astype(str),
            "impression_id": "i" + pd.Series(clicked).astype(str),
            "clicked_at": "2030-01-01T10:00:09Z",
        }
    )
    users = pd.DataFrame(
        {
            "user": [f"u{n}" for n in range(300)],
            "device": np.where(np.arange(300) % 3, "phone", "tv"),
            "pre_clicks": rng.poisson(1, 300),
            "pre_impressions": 5,
        }
    )
    paths = {name: tmp_path / f"{name}.parquet" for name in ("impressions", "clicks", "users")}
    for name, frame in (
        ("impressions", shown),
        ("clicks", pd.concat([clicks, clicks[:1]])),
        ("users", users),
    ):
        frame.to_parquet(paths[name])
    return paths


def source(logs: dict[str, Path]) -> list[str]:
    return [word for name, path in logs.items() for word in (f"--{name}", str(path))]


def test_two_raw_logs_are_compared_with_everything_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logs: dict[str, Path]
) -> None:
    asked = ("--control", "control", "--metric", "ctr=clicks/impressions", "--metric", "any(clicks)/users")
    more = ("--covariate", "pre_clicks/pre_impressions", "--correction", "bh", "--segment", "device")
    assert run(monkeypatch, "compare", *source(logs), *asked, *more, "--look", "obf:14:7", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["funnel"]["logs"][0]["dropped"]["missing_ids"] == 1
    assert printed["funnel"]["logs"][1]["dropped"]["duplicates"] == 1
    assert [e["metric"] for e in printed["effects"]] == ["ctr", "any(clicks)/users"]
    assert printed["effects"][0]["variance_reduction"] is not None
    assert set(printed["segments"][0]["values"]) == {"phone", "tv"}
    assert printed["look"] == "look 7 of 14 that were planned"
    assert printed["decision"]["verdict"] == "ship"
    assert run(monkeypatch, "compare", *source(logs), *asked, *more) == 0
    assert "1,799 of 1,800 rows of impressions count" in capsys.readouterr().out


def test_the_funnel_accounts_for_every_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logs: dict[str, Path]
) -> None:
    assert run(monkeypatch, "funnel", *source(logs), "--json") == 0
    for log in json.loads(capsys.readouterr().out)["logs"]:
        assert log["rows"] == log["kept"] + sum(log["dropped"].values())
    assert run(monkeypatch, "funnel", *source(logs)) == 0
    assert "an id is missing or blank" in capsys.readouterr().out
    assert run(monkeypatch, "funnel", *source(logs), "--rule", "missing_ids=refuse") == 2
    assert "1 row broke the rule 'missing_ids'" in capsys.readouterr().err


def test_the_split_is_checked_and_ends_with_1_when_it_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logs: dict[str, Path]
) -> None:
    halves = ("--share", "control=1", "--share", "personal=1", "--segment", "device")
    assert run(monkeypatch, "srm", *source(logs), *halves, "--json") == 0
    checked = json.loads(capsys.readouterr().out)
    assert (checked["is_alarm"], set(checked["segments"])) == (False, {"device=phone", "device=tv"})
    assert run(monkeypatch, "srm", *source(logs), "--share", "control=9", "--share", "personal=1") == 1
    assert "Do not believe these numbers yet" in capsys.readouterr().out


def test_the_split_needs_users_and_variants_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    totals = tmp_path / "totals.csv"
    rows = [f"u{n},{'control' if n % 4 else 'personal'},{'dm'[n % 2]}" for n in range(400)]
    totals.write_text("\n".join(["user,variant,device", *rows]))
    source = ("--totals", str(totals), "--share", "control=1", "--share", "personal=1")
    assert run(monkeypatch, "srm", *source, "--segment", "device", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["observed"] == {"control": 300, "personal": 100}
    assert found["segments"]["device=m"]["observed"] == {"control": 200, "personal": 0}
    assert run(monkeypatch, "funnel", *source, "--json") == 0
    assert json.loads(capsys.readouterr().out)["users"] == 400


def test_a_sound_metric_passes_aa_and_one_that_a_single_user_decides_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(8)
    spent = np.append(rng.exponential(1.0, 299), 1e6)
    users = pd.DataFrame({"user_id": np.arange(300).astype(str), "variant": "control", "spent": spent})
    users["impressions"] = 1 + rng.poisson(9, 300)
    users["clicks"] = rng.binomial(users["impressions"], 0.2)
    users.to_parquet(tmp_path / "totals.parquet")
    source = ("--totals", str(tmp_path / "totals.parquet"), "--runs", "400")
    assert run(monkeypatch, "aa", *source, "--json") == 0
    assert json.loads(capsys.readouterr().out)["is_sound"] is True
    assert run(monkeypatch, "aa", *source, "--metric", "spent=spent/users") == 1
    assert "Do not trust the metric" in capsys.readouterr().out
    assert run(monkeypatch, "aa", *source, "--metric", "spent=spent/users", "--variant", "nobody") == 2
    assert "only 'control'" in capsys.readouterr().err
    users.head(0).to_parquet(tmp_path / "totals.parquet")
    assert run(monkeypatch, "aa", *source) == 0
    assert "Nothing can be said about click-through" in capsys.readouterr().out


def test_a_report_is_written_as_html_or_markdown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logs: dict[str, Path]
) -> None:
    for name, start in (("r.html", "<!doctype html>"), ("r.md", "# Click-through compared")):
        assert run(monkeypatch, "report", *source(logs), "-o", str(tmp_path / name)) == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rule", "bots=never"], "it takes drop, keep, refuse"),
        (["--rule", "robots=drop"], "known are missing_ids"),
        (["--look", "weekly"], "obf:14:3"),
        (["--look", "obf:3:4"], "no look 4 among 3"),
        (["--segment", "country"], "'country'"),
        (["--covariate", "a/b/c"], "a covariate reads"),
    ],
)
def test_a_slip_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logs: dict[str, Path],
    arguments: list[str],
    complaint: str,
) -> None:
    assert run(monkeypatch, "compare", *source(logs), *arguments) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_a_rollup_is_made_and_kept_by_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, logs: dict[str, Path]
) -> None:
    path = tmp_path / "logs.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    times = {"shown_at": sa.DateTime(), "clicked_at": sa.DateTime()}
    shown = pd.read_parquet(logs["impressions"]).rename(columns={"user": "user_id"}).assign(experiment="demo")
    clicks = pd.read_parquet(logs["clicks"])
    for name, frame, time in (("impressions", shown, "shown_at"), ("clicks", clicks, "clicked_at")):
        frame[time] = pd.to_datetime(frame[time]).dt.tz_localize(None)
        frame.to_sql(name, engine, index=False, dtype=times)
    (tmp_path / "demo.toml").write_text('name = "demo"\nvariants = {control = 0.5, personal = 0.5}\n')
    asked = ("--database", str(path), "--experiment", "demo", "--definition", str(tmp_path / "demo.toml"))
    for said in ("made anew", "up to date"):
        assert run(monkeypatch, "refresh", *asked) == 0
        assert said in capsys.readouterr().out
    assert run(monkeypatch, "compare", *asked, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["came_from"] == "rollup"
    assert printed["funnel"]["logs"][0]["dropped"]["missing_ids"] == 1
    assert run(monkeypatch, "refresh", *source(logs)) == 2
    assert "a rollup lives in a database" in capsys.readouterr().err


def test_a_guardrail_with_a_margin_and_a_cap_come_from_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], totals: Path
) -> None:
    common = ("compare", "--totals", str(totals), "--control", "original", "--json", "--cap", "0.9")
    assert run(monkeypatch, *common, "--guardrail", "views=impressions/users:0.5") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["metrics"]["ctr"]["metric"]["numerator"].startswith("min(clicks,")
    verdicts = {(e["variant"], e["metric"]): e["noninferiority"] for e in printed["effects"]}
    assert verdicts["personal", "views"]["margin"] == 0.5
    assert verdicts["personal", "views"]["is_noninferior"] is True
    assert verdicts["personal", "ctr"] is None
    assert {n["why_none"] for n in printed["novelty"]["start"]} == {"there are no daily data of this metric"}
    assert run(monkeypatch, *common, "--guardrail", "views=impressions/users:2") == 2
    assert "a margin is a share" in capsys.readouterr().err
