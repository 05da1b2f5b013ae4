"""Rules: where a style may be shown, read from a file that is checked."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from personalize.errors import RulesError
from personalize.policy import Rules

STYLES = ("ink", "snow")
WINTER, SUMMER = datetime(2026, 12, 5, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def allowed(
    rules: Rules, product: str = "mug-1", category: str = "mug", now: datetime = WINTER
) -> list[bool]:
    return rules.allowed(STYLES, product, category, now).tolist()


def test_without_rules_everything_but_the_original_is_allowed() -> None:
    assert allowed(Rules()) == [True, True, False]
    assert allowed(Rules(offers_original=True)) == [True, True, True]


def test_an_enabled_style_is_shown_only_where_and_when_it_is() -> None:
    rule = {"enable": ["snow"], "categories": ["mug"], "from": "2026-12-01", "until": "2026-12-26"}
    rules = Rules.parse({"rules": [rule]})
    assert allowed(rules) == [True, True, False]
    assert allowed(rules, now=SUMMER) == [True, False, False]
    assert allowed(rules, category="vase") == [True, False, False]


def test_a_disabled_style_is_not_shown_there_even_if_it_is_enabled() -> None:
    rules = Rules.parse({"rules": [{"enable": ["ink"]}, {"disable": ["ink"], "products": ["mug-1"]}]})
    assert allowed(rules) == [False, True, False]
    assert allowed(rules, product="mug-2") == [True, True, False]


def test_what_a_user_excludes_is_left_out() -> None:
    mask = Rules().allowed(STYLES, "mug-1", "mug", WINTER, frozenset({"ink"}))
    assert mask.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"max_per_page": 0}',
        '{"cap": 3}',
        '{"rules": [{"styles": ["ink"]}]}',
        '{"rules": [{"enable": ["ink"], "from": "soon"}]}',
        '{"rules": [{"enable": "ink"}]}',
        "[]",
    ],
)
def test_a_file_that_says_something_else_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(RulesError, match="rules"):
        Rules.load(path)
    with pytest.raises(RulesError):
        Rules.load(tmp_path / "none.json")
