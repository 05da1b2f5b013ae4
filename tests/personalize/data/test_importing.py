"""Event files in and out: every row accounted for, nothing doubled, the same log back."""

import csv
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from factories import NOW, make_click, make_purchase, make_slate, make_styles
from recorded import OpenShop
from sqlalchemy import Engine, func, select

from personalize.data import importing
from personalize.data.catalogue import read_styles
from personalize.data.database import open_database, reading, writing
from personalize.data.event_files import OPTIONAL, REQUIRED, RefusedRow, read_event_batches
from personalize.data.events import record_events
from personalize.data.exporting import export_events
from personalize.data.importing import ImportReport, import_events
from personalize.data.schema import Click, Impression, Purchase, Slate
from personalize.errors import EventFileError

DAY = timedelta(days=1)
SHOWN = {
    "user_id": "ada",
    "style_id": "waves",
    "product_id": "mug",
    "type": "impression",
    "occurred_at": "2026-03-01T10:00:00Z",
    "impression_id": "i1",
    "propensity": 0.25,
    "position": 3,
}
CLICKED = SHOWN | {"type": "click", "occurred_at": "2026-03-01T10:00:09Z", "propensity": None}
BOUGHT = CLICKED | {"type": "purchase", "occurred_at": "2026-03-01T10:05:00Z", "value": "24.90"}


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*REQUIRED, *OPTIONAL])
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    import pandas as pd

    pd.DataFrame(rows).to_parquet(path)
    return path


WRITERS = {"log.csv": write_csv, "log.jsonl.gz": write_json_lines, "log.parquet": write_parquet}


def take(engine: Engine, *paths: Path, **values: Any) -> ImportReport:
    return import_events(engine, paths, now=NOW + DAY, attribution_window=DAY, **values)


def counts(engine: Engine) -> tuple[int, ...]:
    with reading(engine) as session:
        tables = (Impression, Click, Purchase)
        return tuple(session.scalar(select(func.count()).select_from(table)) for table in tables)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_imported_and_imported_once(name: str, engine: Engine, tmp_path: Path) -> None:
    path = WRITERS[name](tmp_path / name, [SHOWN, CLICKED, BOUGHT])
    report = take(engine, path)
    assert (report.n_impressions, report.n_clicks, report.n_purchases, report.n_refused) == (1, 1, 1, 0)
    again = take(engine, path)
    assert (again.n_imported, again.n_duplicates) == (0, 3)
    with reading(engine) as session:
        shown = session.get(Impression, "i1")
        assert (shown.propensity, shown.position, shown.policy) == (0.25, 3, "imported")
        assert str(session.scalars(select(Purchase.value)).one()) == "24.9"


def test_what_a_log_names_for_the_first_time_is_known_but_not_offered(engine: Engine, tmp_path: Path) -> None:
    report = take(engine, write_csv(tmp_path / "log.csv", [SHOWN]))
    assert (report.n_new_products, report.n_new_styles) == (1, 1)
    with reading(engine) as session:
        assert read_styles(session) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user_id": ""}, "user_id is empty"),
        ({"user_id": "a\nb"}, "user_id holds U+000A"),
        ({"style_id": "s" * 65}, "style_id has 65 characters; at most 64"),
        ({"type": "view"}, "type is view; it is one of impression, click, purchase"),
        ({"occurred_at": "yesterday"}, "occurred_at is yesterday; write ISO 8601"),
        ({"occurred_at": "2027-01-01T00:00:00Z"}, "occurred_at is in the future"),
        ({"propensity": 0}, "propensity is 0; it lies in (0, 1]"),
        ({"propensity": "often"}, "propensity is often"),
        ({"position": -1}, "position is -1; it counts from 0"),
        ({"type": "purchase", "value": "-2"}, "value is -2"),
        ({"type": "purchase", "value": "1e30"}, "value is 1e30"),
        ({"type": "click", "impression_id": "i9"}, "no impression 'i9'"),
        (
            {"type": "click", "impression_id": "", "style_id": "woodcut"},
            "in this style was shown to this user",
        ),
        (
            {"type": "click", "impression_id": "", "occurred_at": "2026-03-02T10:00:01Z"},
            "the attribution window",
        ),
    ],
)
def test_a_row_that_does_not_hold_is_refused_with_its_number_and_the_reason(
    change: dict[str, Any], reason: str, sqlite_engine: Engine, tmp_path: Path
) -> None:
    refused: list[RefusedRow] = []
    path = write_csv(tmp_path / "log.csv", [SHOWN, SHOWN | change])
    report = take(sqlite_engine, path, on_refused=lambda _, one: refused.append(one))
    assert (report.n_rows, report.n_impressions, report.n_refused) == (2, 1, 1)
    assert refused[0].row == 2
    assert reason in refused[0].reason
    assert report.examples == [f"log.csv:2: {refused[0].reason}"]


def test_lines_that_are_no_rows_are_refused_too(sqlite_engine: Engine, tmp_path: Path) -> None:
    lines = tmp_path / "log.jsonl"
    lines.write_text(f"{json.dumps(SHOWN)}\nnot json\n[1, 2]\n")
    assert [one.split(": ", 1)[1][:16] for one in take(sqlite_engine, lines).examples] == [
        "is no JSON: Expe",
        "is no JSON objec",
    ]
    table = tmp_path / "log.csv"
    table.write_text(",".join(REQUIRED) + "\nada,waves\n")
    assert "expected 5 fields as in the header, got 2" in take(sqlite_engine, table).examples[0]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.csv", None, "there is no such file"),
        ("log.xlsx", "", "its name ends in none of"),
        ("log.csv", "user_id,type\nada,click\n", "it has no column style_id, product_id, occurred_at"),
        ("log.parquet", "PAR1", "it cannot be read as Parquet"),
        ("log.jsonl.gz", "not gzip", "what stands before it was dealt with"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    name: str, content: str | None, reason: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(EventFileError, match="cannot be read") as error:
        list(read_event_batches(tmp_path / name))
    assert reason in str(error.value)


def test_times_may_be_written_with_a_zone_without_or_in_unix_seconds(tmp_path: Path) -> None:
    times = ("2026-03-01T12:00:00+02:00", "2026-03-01 10:00:00", 1772359200, "1772359200000")
    path = write_csv(tmp_path / "log.csv", [SHOWN | {"occurred_at": time} for time in times])
    [batch] = read_event_batches(path)
    assert set(batch.events["occurred_at"]) == {datetime(2026, 3, 1, 10, tzinfo=UTC)}


def test_a_click_without_an_id_belongs_to_the_latest_fitting_impression(
    engine: Engine, tmp_path: Path
) -> None:
    later = SHOWN | {"impression_id": "i2", "occurred_at": "2026-03-01T10:00:05Z"}
    too_late = SHOWN | {"impression_id": "i3", "occurred_at": "2026-03-01T10:00:10Z"}
    other = later | {"impression_id": "i4", "user_id": "bob", "occurred_at": "2026-03-01T10:00:08Z"}
    clicked = CLICKED | {"impression_id": None}
    path = write_csv(tmp_path / "log.csv", [clicked, SHOWN, later, too_late, other])
    report = take(engine, path)
    assert (report.n_clicks, report.n_refused) == (1, 0)
    with reading(engine) as session:
        assert session.scalars(select(Click.impression_id)).all() == ["i2"]
    assert take(engine, path).n_duplicates == 5


def test_the_order_of_rows_and_of_files_does_not_matter(sqlite_engine: Engine, tmp_path: Path) -> None:
    clicks = write_csv(tmp_path / "a.csv", [BOUGHT, CLICKED])
    shown = write_csv(tmp_path / "b.csv", [SHOWN])
    assert take(sqlite_engine, clicks, shown).n_imported == 3


def test_an_import_that_broke_off_is_resumed_by_running_it_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [SHOWN | {"impression_id": f"i{n}"} for n in range(25)]
    rows += [CLICKED | {"impression_id": f"i{n}"} for n in range(25)]
    path = write_csv(tmp_path / "log.csv", rows)
    monkeypatch.setattr(importing, "read_event_batches", lambda path: read_event_batches(path, size=10))
    for n_batches, so_far in ((2, (20, 0)), (4, (25, 5))):
        left = iter(range(n_batches))

        def dies(*arguments: Any, left: Any = left) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return writing(*arguments)

        monkeypatch.setattr(importing, "writing", dies)
        with pytest.raises(KeyboardInterrupt):
            take(engine, path)
        assert counts(engine)[:2] == so_far
    monkeypatch.setattr(importing, "writing", writing)
    report = take(engine, path)
    assert (report.n_imported, report.n_duplicates, report.n_rows) == (20, 30, 50)
    assert counts(engine) == (25, 25, 0)


def test_a_shop_goes_out_and_comes_back_the_same(
    open_shop: OpenShop, sqlite_url: str, tmp_path: Path
) -> None:
    shop, _ = open_shop()
    out, back = tmp_path / "out", tmp_path / "back"
    written = export_events(shop, out)
    assert sum(written.values()) == sum(counts(shop))
    assert list(written) == sorted(written)
    assert len(written) >= 6
    fresh = open_database(sqlite_url)
    report = import_events(fresh, sorted(out.iterdir()), now=NOW + 30 * DAY, attribution_window=DAY)
    assert (report.n_imported, report.n_refused) == (sum(written.values()), 0)
    assert export_events(fresh, back) == written
    for name in written:
        assert (out / name).read_bytes() == (back / name).read_bytes()
    with reading(shop) as before, reading(fresh) as after:
        n_slates = select(func.count()).select_from(Slate)
        assert before.scalar(n_slates) == after.scalar(n_slates)


def test_some_days_can_be_exported_and_a_day_without_events_has_no_file(
    engine: Engine, tmp_path: Path
) -> None:
    with writing(engine) as session:
        make_styles(session)
        [first] = make_slate(session)
        [_later] = make_slate(session, shown_at=NOW + 2 * DAY)
        record_events(session, [make_click(first), make_purchase(first, after=DAY)], NOW + 2 * DAY)
    assert export_events(engine, tmp_path) == {
        "2026-03-01.parquet": 2,
        "2026-03-02.parquet": 1,
        "2026-03-03.parquet": 1,
    }
    only = export_events(engine, tmp_path / "one", since=NOW + DAY, until=NOW.replace(hour=0) + 2 * DAY)
    assert only == {"2026-03-02.parquet": 1}
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["2026-03-02.parquet"]


def test_an_empty_shop_exports_nothing(sqlite_engine: Engine, tmp_path: Path) -> None:
    assert export_events(sqlite_engine, tmp_path) == {}
