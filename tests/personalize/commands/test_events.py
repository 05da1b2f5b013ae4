"""`personalize events`: what is printed, in words and as JSON."""

import json
from pathlib import Path

from typer.testing import CliRunner

from personalize.__main__ import app
from personalize.data.database import upgrade
from personalize.settings import Settings

LOG = """user_id,style_id,product_id,type,occurred_at,impression_id
ada,waves,mug,impression,2026-03-01T10:00:00Z,i1
ada,waves,mug,click,2026-03-01T10:00:09Z,i1
ada,waves,mug,click,2026-03-01T10:00:09Z,i7
"""


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["events", *arguments], env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    return result.output


def test_a_log_is_imported_from_a_folder_exported_and_its_refused_rows_kept(tmp_path: Path) -> None:
    data, logs, out = tmp_path / "data", tmp_path / "logs", tmp_path / "out"
    upgrade(Settings(data_dir=data).resolved_database_url)
    logs.mkdir()
    (logs / "march.csv").write_text(LOG)
    refused = tmp_path / "refused.jsonl"
    printed = run("import", str(logs), "--data-dir", str(data), "--refused", str(refused))
    assert "3 rows: 2 imported (1 impressions, 1 clicks, 0 purchases), 0 known already, 1 refused" in printed
    assert "not offered" in printed
    assert json.loads(refused.read_text())["row"] == 3
    again = json.loads(run("import", str(logs), "--data-dir", str(data), "--json"))
    assert (again["n_imported"], again["n_duplicates"], again["n_refused"]) == (0, 2, 1)
    written = json.loads(run("export", str(out), "--data-dir", str(data), "--json"))
    assert written == {"n_rows": 2, "files": {"2026-03-01.parquet": 2}}
    assert "0 rows in 0 files" in run("export", str(out), "--data-dir", str(data), "--since", "2026-03-02")
