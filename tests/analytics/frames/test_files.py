"""Files are read as written: identifiers stay text, and doubtful rows are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics import UnitDays
from analytics.cleaning import Cleaning
from analytics.errors import InvalidRows, MissingColumns, UnreadableSource
from analytics.frames.files import ColumnNames
from analytics.frames.tables import CleanUnits, Tables
from analytics.metrics import Metric
from analytics.question import Group, Question


def events_of(days: UnitDays) -> pd.DataFrame:
    """One row per impression, shuffled."""
    times = days["impressions"]
    row = np.repeat(np.arange(len(times)), times)
    within = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
    clicked = (within < days["clicks"][row]).astype(int)
    frame = pd.DataFrame(
        {"user": days.user[row], "variant": days.variant[row], "day": days.day[row], "clicked": clicked}
    )
    return frame.sample(frac=1, random_state=1)


CTR = Question(("clicks", "impressions"))


def read_events(path: Path, cleaning: Cleaning = Cleaning(), question: Question = CTR) -> CleanUnits:
    return Tables(events=path).read(cleaning, question)


def read_totals(path: Path, cleaning: Cleaning = Cleaning(), question: Question = CTR) -> CleanUnits:
    return Tables(totals=path).read(cleaning, question)


def write(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz", "events.parquet"])
def test_events_add_up_to_the_units_and_days_they_came_from(
    tmp_path: Path, days: UnitDays, name: str
) -> None:
    found = read_events(write(events_of(days), tmp_path / name))
    assert found.days is not None
    assert found.units.moments() == days.units().moments() == found.days.units().moments()
    assert found.days.cumulative_moments() == days.cumulative_moments()


def test_events_without_days_are_units(tmp_path: Path, days: UnitDays) -> None:
    found = read_events(write(events_of(days).drop(columns="day"), tmp_path / "events.csv"))
    assert found.days is None
    assert found.units.moments() == days.units().moments()


def test_times_count_for_their_date(tmp_path: Path, days: UnitDays) -> None:
    frame = events_of(days)
    frame["day"] = pd.to_datetime(frame["day"]) + pd.Timedelta(hours=23)
    found = read_events(write(frame, tmp_path / "events.parquet"))
    assert found.days is not None
    assert found.days.cumulative_moments() == days.cumulative_moments()


@pytest.mark.parametrize("name", ["totals.csv", "totals.csv.gz", "totals.parquet"])
def test_totals_are_read_with_the_columns_that_exist(tmp_path: Path, days: UnitDays, name: str) -> None:
    units = days.units()
    frame = pd.DataFrame(
        {"user": units.user, "variant": units.variant, **units.columns, "revenue": 0.5, "other": "x"}
    )
    found = read_totals(write(frame, tmp_path / name)).units.moments()
    assert found["popular"].totals["clicks"] == units.moments()["popular"].totals["clicks"]
    assert found["popular"].totals["revenue"] == 0.5 * found["popular"].n
    assert "other" not in found["popular"].totals


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,arm,n_clicks,shown\nu1,a,1,2\n")
    names = ColumnNames({"user": "id", "variant": "arm", "clicks": "n_clicks", "impressions": "shown"})
    found = Tables(totals=tmp_path / "t.csv", columns=names).read(Cleaning(), CTR)
    assert found.units.moments()["a"].totals == {"clicks": 1, "impressions": 2}


def test_identifiers_are_opaque_text(tmp_path: Path) -> None:
    text = "user,variant,clicks,impressions\n007,NA,1,2\n7,NA,1,2\nnull,NA,0,1\né,NA,0,1\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    found = read_totals(tmp_path / "t.csv")
    assert sorted(found.units.user) == ["007", "7", "null", "é"]
    assert set(found.units.variant) == {"NA"}


def test_whole_numbers_in_parquet_are_identifiers_too(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": [7, 8], "variant": ["a", "b"], "clicks": [1, 0], "impressions": [3, 3]})
    assert list(read_totals(write(frame, tmp_path / "t.parquet")).units.user) == ["7", "8"]


def test_several_rows_of_one_user_are_added(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("user,variant,clicks,impressions\nu,a,1,2\nu,a,3,4\n")
    found = read_totals(tmp_path / "t.csv").units
    assert len(found) == 1
    assert (found["clicks"][0], found["impressions"][0]) == (4, 6)


def test_a_header_alone_is_no_users(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("user,variant,clicks,impressions\n")
    assert len(read_totals(tmp_path / "t.csv").units) == 0
    (tmp_path / "e.csv").write_text("user,variant,clicked,day\n")
    found = read_events(tmp_path / "e.csv")
    assert found.units.moments() == {}
    assert found.groups(CTR) == {}


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (",a,1,2", "missing_ids"),
        ("u,  ,1,2", "missing_ids"),
        ("v,b,1,1", "two_variants"),
        ("u,a,1,2000", "bots"),
    ],
)
def test_doubtful_rows_are_left_out_and_counted_or_refused(tmp_path: Path, row: str, rule: str) -> None:
    (tmp_path / "t.csv").write_text(f"user,variant,clicks,impressions\nv,a,0,3\n{row}\n")
    [log] = read_totals(tmp_path / "t.csv").funnel.logs
    n_rows = 2 if rule == "two_variants" else 1
    assert {name: n for name, n in log.dropped.items() if n} == {rule: n_rows}
    assert log.rows == 2
    with pytest.raises(InvalidRows, match=rf"{n_rows} rows? broke the rule '{rule}'"):
        read_totals(tmp_path / "t.csv", Cleaning(**{rule: "refuse"}))  # type: ignore[arg-type]


@pytest.mark.parametrize("row", ["u,a,-1,2", "u,a,one,2", "u,a,1,"])
def test_quantities_that_are_none_are_refused_with_their_number(tmp_path: Path, row: str) -> None:
    (tmp_path / "t.csv").write_text(f"user,variant,clicks,impressions\nv,a,0,3\n{row}\n")
    with pytest.raises(InvalidRows, match="not a number of at least 0") as error:
        read_totals(tmp_path / "t.csv")
    assert error.value.n_rows == 1


def test_two_raw_logs_are_joined_and_cleaned(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text(
        "impression_id,user_id,variant,shown_at\n"
        "i1,u1,a,2030-01-01T10:00:00Z\ni2,u1,a,2030-01-01T11:00:00Z\ni3,u2,b,2030-01-02T10:00:00Z\n"
    )
    (tmp_path / "c.csv").write_text(
        "event_id,impression_id,clicked_at\n"
        "c1,i1,2030-01-01T10:00:05Z\nc2,i1,2030-01-01T10:00:09Z\nc3,i9,2030-01-01T10:00:05Z\n"
    )
    found = Tables(impressions=tmp_path / "i.csv", clicks=tmp_path / "c.csv").read(Cleaning(), CTR)
    assert found.groups(CTR)[Group("a")].totals == {"clicks": 1, "impressions": 2}
    assert found.groups(CTR)[Group("b")].totals == {"clicks": 0, "impressions": 1}
    dropped = {rule: n for rule, n in found.funnel["clicks"].dropped.items() if n}
    assert dropped == {"orphans": 1, "repeated": 1}


def test_users_bring_what_they_did_before_and_their_segments(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user,variant,clicked\n007,a,1\n7,a,0\nu,b,1\n")
    (tmp_path / "u.csv").write_text("user,pre_clicks,device\n007,4,mobile\n7,,desktop\nother,9,mobile\n")
    question = Question(("clicks", "pre_clicks", "any(clicks)"), ("device",))
    found = Tables(events=tmp_path / "e.csv", users=tmp_path / "u.csv").read(Cleaning(), question)
    groups = found.groups(question)
    assert groups[Group("a", ("mobile",))].totals == {"clicks": 1, "pre_clicks": 4, "any(clicks)": 1}
    assert groups[Group("a", ("desktop",))].totals["pre_clicks"] == 0
    assert groups[Group("b", ("",))].n == 1
    (tmp_path / "u.csv").write_text("user,pre_clicks,device\nu,4,mobile\nu,5,mobile\n")
    with pytest.raises(InvalidRows, match="of a user who is there twice"):
        Tables(events=tmp_path / "e.csv", users=tmp_path / "u.csv").read(Cleaning(), question)


def test_a_segment_may_be_a_column_of_the_events(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user,variant,clicked,device\nu,a,1,mobile\nu,a,0,mobile\nv,a,0,tv\n")
    question = Question(("clicks",), ("device",))
    groups = read_events(tmp_path / "e.csv", question=question).groups(question)
    assert {group.segments[0]: m.n for group, m in groups.items()} == {"mobile": 1, "tv": 1}
    missing = Question(("pre_clicks",), ("country",))
    with pytest.raises(MissingColumns, match="no column 'country', 'pre_clicks'"):
        read_events(tmp_path / "e.csv").groups(missing)


@pytest.mark.parametrize(("clicked", "clicks"), [("true", 1), ("False", 0), ("1", 1), ("0", 0), ("1.0", 1)])
def test_clicked_is_0_or_1_true_or_false(tmp_path: Path, clicked: str, clicks: int) -> None:
    (tmp_path / "e.csv").write_text(f"user,variant,clicked\nu,a,{clicked}\n")
    assert read_events(tmp_path / "e.csv").units["clicks"].tolist() == [clicks]


@pytest.mark.parametrize("clicked", ["2", "", "yes", "-1"])
def test_clicked_is_nothing_else(tmp_path: Path, clicked: str) -> None:
    (tmp_path / "e.csv").write_text(f"user,variant,clicked\nu,a,{clicked}\n")
    with pytest.raises(InvalidRows, match="neither 0 nor 1"):
        read_events(tmp_path / "e.csv")


@pytest.mark.parametrize("day", ["yesterday", "", "01/02/2030", "2030-02-31"])
def test_a_day_that_is_no_date_is_a_bad_time(tmp_path: Path, day: str) -> None:
    (tmp_path / "e.csv").write_text(f"user,variant,clicked,day\nu,a,1,{day}\n")
    assert read_events(tmp_path / "e.csv").funnel["impressions"].dropped["bad_time"] == 1


def test_missing_columns_are_named_with_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,variant,clicks,impressions\nu,a,1,2\n")
    with pytest.raises(
        MissingColumns, match="no column 'user', it has 'clicks', 'id', 'impressions', 'variant'"
    ):
        read_totals(tmp_path / "t.csv")


def test_totals_need_no_more_than_the_metric_asks_for(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("user,variant,orders\nu,a,2\nv,a,0\nw,b,1\n")
    question = Question(Metric("orders", "orders", "users").columns)
    found = read_totals(tmp_path / "t.csv", question=question).groups(question)
    assert {group.variant: moments.totals["orders"] for group, moments in found.items()} == {"a": 2, "b": 1}


@pytest.mark.parametrize("users", [None, "u.csv"])
def test_totals_without_the_clicks_asked_for_are_refused_by_the_name_of_the_file(
    tmp_path: Path, users: str | None
) -> None:
    """Clicks in the table of users are others: those from before."""
    (tmp_path / "t.csv").write_text("user,variant,impressions\nu,a,2\n")
    (tmp_path / "u.csv").write_text("user,clicks\nu,7\n")
    tables = Tables(totals=tmp_path / "t.csv", users=users and tmp_path / users)
    with pytest.raises(MissingColumns, match=r"t\.csv has no column 'clicks'"):
        tables.read(Cleaning(), CTR)


def test_files_that_cannot_be_read_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"user,variant\n" * 999)[:40])
    (tmp_path / "plain.csv.gz").write_bytes(b"user,variant,clicks,impressions\n")
    (tmp_path / "latin.csv").write_bytes("user,variant,clicks,impressions\né,a,1,2\n".encode("latin-1"))
    for name in ("empty.csv", "broken.parquet", "cut.csv.gz", "plain.csv.gz", "latin.csv", "missing.csv"):
        with pytest.raises(UnreadableSource, match=name):
            read_totals(tmp_path / name)
