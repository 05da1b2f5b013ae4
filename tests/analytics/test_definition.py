"""A definition is the same from code, TOML and JSON, and what cannot be is refused in one sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.definition import Definition, parse_definition, read_definition
from analytics.errors import AnalyticsError, InvalidDefinition, UnreadableSource

TOML = """
name = "style_2026_03"
salt = "s-1"
version = 2
traffic = 0.5
layer = "product-page"
layer_start = 5000
started_at = 2026-03-01T00:00:00Z
stopped_at = "2026-03-15T02:00:00+02:00"
attribution_seconds = 3600
pre_period_days = 7
goals = ["ctr=clicks/impressions"]
guardrails = ["spend=revenue/users"]
[variants]
control = 0.5
personal = 0.5
"""
EXPECTED = Definition(
    "style_2026_03",
    {"control": 0.5, "personal": 0.5},
    "s-1",
    version=2,
    traffic=0.5,
    layer="product-page",
    layer_start=5000,
    started_at=datetime(2026, 3, 1, tzinfo=UTC),
    stopped_at=datetime(2026, 3, 15, tzinfo=UTC),
    attribution=timedelta(hours=1),
    pre_period=timedelta(days=7),
    guardrails=("spend=revenue/users",),
)


def test_toml_json_and_code_say_the_same(tmp_path: Path) -> None:
    toml, text = tmp_path / "e.toml", tmp_path / "e.json"
    toml.write_text(TOML, encoding="utf-8")
    text.write_text(json.dumps(EXPECTED.to_dict()), encoding="utf-8")
    assert read_definition(toml) == EXPECTED == read_definition(text)


def test_the_salt_is_the_name_unless_it_is_given() -> None:
    assert Definition("demo", {"a": 1.0}).salt == "demo"


def test_names_that_look_like_numbers_are_names(tmp_path: Path) -> None:
    text = "name = 2026\nsalt = 0.5\nlayer = 7\ntraffic = 0.25\nvariants = {a = 1}"
    (tmp_path / "e.toml").write_text(text, encoding="utf-8")
    found = read_definition(tmp_path / "e.toml")
    assert found == Definition("2026", {"a": 1.0}, "0.5", layer="7", traffic=0.25)
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_the_goals_come_first_among_the_metrics() -> None:
    assert [m.metric.name for m in EXPECTED.measures()] == ["ctr", "spend"]


def test_a_guardrail_says_its_good_side_and_its_margin_in_its_text() -> None:
    definition = Definition("demo", {"a": 1.0}, guardrails=("late=-returns/users:0.1", "spend=revenue/users"))
    goal, late, spend = definition.measures()
    assert (goal.role, late.role, spend.role) == ("goal", "guardrail", "guardrail")
    assert (late.metric.numerator, late.margin, late.increase_is_good) == ("returns", 0.1, False)
    assert (spend.margin, spend.increase_is_good) == (0.0, True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"variants": {"a": 0.5, "b": 0.4}}, "sum to 1"),
        ({"variants": {"a": 1.5, "b": -0.5}}, "positive shares"),
        ({"variants": {}}, "sum to 1"),
        ({"variants": ["a", "b"]}, "wrong type"),
        ({"name": ""}, "needs a name"),
        ({"traffic": 0}, "above 0 and at most 1"),
        ({"traffic": 0.5, "layer": "x", "layer_start": 6000}, "last of 10,000 buckets"),
        ({"started_at": "2026-03-01T00:00:00"}, "time zone"),
        ({"started_at": "2026-03-02T00:00:00Z", "stopped_at": "2026-03-01T00:00:00Z"}, "later than"),
        ({"goals": []}, "needs a goal"),
        ({"goals": ["clicks"]}, "name=numerator/denominator"),
        ({"goals": ["a=clicks/users", "a=orders/users"]}, "a name of its own"),
        ({"guardrails": ["a=clicks/users:2"]}, "name=numerator/denominator"),
        ({"version": 0}, "counts from 1"),
        ({"started": "2026-03-01T00:00:00Z"}, "no setting 'started'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(
    change: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InvalidDefinition, match=complaint) as refusal:
        parse_definition({"name": "demo", "variants": {"a": 0.5, "b": 0.5}} | change)
    assert str(refusal.value).count("experiment '") == 1


@pytest.mark.parametrize(("name", "text"), [("e.toml", "= 1"), ("e.json", "{"), ("e.json", "[1]")])
def test_a_file_that_is_no_definition_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableSource, match=name):
        read_definition(tmp_path / name)


def test_a_missing_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(AnalyticsError, match="cannot be read"):
        read_definition(tmp_path / "missing.toml")
