"""The command and the definition file: one currency named, others converted or left out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from analytics_money import DEFINITION, RATES, Shop, earned, rows_of, shop_of, tables, write

from analytics.__main__ import main
from analytics.cleaning import Cleaning
from analytics.definition import read_definition
from analytics.errors import InvalidDefinition

IN_EUROS = Cleaning(currency="EUR", rates=RATES).within(DEFINITION)
OPTIONS = (
    "--currency",
    "EUR",
    *(word for code, rate in RATES.items() for word in ("--rate", f"{code}={rate}")),
)
TOML = f"""
name = "demo"
started_at = {DEFINITION.started_at:%Y-%m-%dT%H:%M:%SZ}
stopped_at = {DEFINITION.stopped_at:%Y-%m-%dT%H:%M:%SZ}
goals = ["spend=revenue/users"]
currency = "EUR"
[variants]
a = 0.5
b = 0.5
[rates]
USD = 0.925
JPY = "0.006123456"
KWD = 3.05
"""


@pytest.fixture
def shop() -> Shop:
    return shop_of(12)


@pytest.fixture
def source(tmp_path: Path, shop: Shop) -> list[str]:
    """A database of the shop, and its definition, which names no currency."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    metadata = tables(keys=True)
    metadata.create_all(engine)
    with engine.connect() as connection:
        write(connection, metadata, rows_of(shop))
    engine.dispose()
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(DEFINITION.to_dict()), encoding="utf-8")
    names = ("--database", str(tmp_path / "shop.db"), "--experiment", "demo", "--definition", str(plain))
    return [*names, "--control", "a", "--metric", "spend=revenue/users"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def check(printed: Any, shop: Shop) -> None:
    revenue, fates = earned(shop, IN_EUROS)
    for variant in "ab":
        expected = sum(n for (_, v), n in revenue.items() if v == variant) / 10_000
        assert printed["variants"][variant]["revenue"] == pytest.approx(expected)
    [bought] = [log for log in printed["funnel"]["logs"] if log["log"] == "purchases"]
    assert bought["dropped"]["other_currency"] == fates["other_currency"]
    assert bought["rows"] == bought["kept"] + sum(bought["dropped"].values())
    assert printed["cleaning"]["currency"] == "EUR"
    assert printed["cleaning"]["rates"] == dict(sorted(RATES.items()))


def test_a_currency_and_rates_come_from_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: list[str], shop: Shop
) -> None:
    assert run(monkeypatch, "compare", *source, "--json") == 2
    assert "revenue would add up amounts in EUR, GBP, JPY, KWD and USD; name" in capsys.readouterr().err
    assert run(monkeypatch, "compare", *source, *OPTIONS, "--json") == 0
    check(json.loads(capsys.readouterr().out), shop)


def test_a_currency_and_rates_come_from_a_definition_and_make_the_rollup(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    source: list[str],
    shop: Shop,
) -> None:
    (tmp_path / "priced.toml").write_text(TOML, encoding="utf-8")
    asked = [*source[:4], "--definition", str(tmp_path / "priced.toml")]
    assert run(monkeypatch, "refresh", *asked) == 0
    assert "made anew" in capsys.readouterr().out
    assert run(monkeypatch, "compare", *asked, "--control", "a", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["came_from"] == "rollup"
    check(printed, shop)
    assert run(monkeypatch, "compare", *asked, "--control", "a", "--currency", "USD", "--json") == 0
    dollars = json.loads(capsys.readouterr().out)
    assert dollars["came_from"] == "logs"
    assert dollars["cleaning"]["rates"] == {}


def test_logs_in_files_are_read_with_their_purchases(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    source: list[str],
    shop: Shop,
) -> None:
    shown = [(met, *rest) for met, rest in shop.shown.items()]
    names = ["event_id", "impression_id", "purchased_at", "value", "money"]
    bought = pd.DataFrame(shop.bought, columns=names).assign(value=lambda rows: rows["value"] / 10_000)
    pd.DataFrame(shown, columns=["impression_id", "user", "variant", "shown_at"]).to_csv(tmp_path / "i.csv")
    bought.to_csv(tmp_path / "p.csv")
    files = ["--impressions", str(tmp_path / "i.csv"), "--purchases", str(tmp_path / "p.csv")]
    asked = [*files, "--column", "currency=money", *source[4:]]
    assert run(monkeypatch, "compare", *asked, "--json") == 2
    assert "amounts in EUR, GBP, JPY, KWD and USD" in capsys.readouterr().err
    assert run(monkeypatch, "compare", *asked, *OPTIONS, "--json") == 0
    check(json.loads(capsys.readouterr().out), shop)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--currency", "euro"], "three capitals of ISO 4217"),
        (["--rate", "USD=0.9"], "name that too, such as EUR"),
        (["--currency", "EUR", "--rate", "USD"], "--rate wants two names"),
        (["--currency", "EUR", "--rate", "USD=one"], "the rate of USD is what one USD is worth"),
        (["--currency", "EUR", "--rate", "USD=1", "--rate", "USD=2"], "--rate names USD twice"),
    ],
)
def test_a_slip_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: list[str],
    options: list[str],
    complaint: str,
) -> None:
    assert run(monkeypatch, "compare", *source, *options) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_a_definition_with_a_currency_is_the_same_from_toml_json_and_code(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text(TOML, encoding="utf-8")
    found = read_definition(tmp_path / "e.toml")
    assert found == replace(DEFINITION, goals=("spend=revenue/users",), currency="EUR", rates=RATES)
    (tmp_path / "e.json").write_text(json.dumps(found.to_dict()), encoding="utf-8")
    assert read_definition(tmp_path / "e.json") == found
    assert Cleaning().within(found) == IN_EUROS
    dollars = Cleaning(currency="USD").within(found)
    assert (dollars.currency, dollars.rates) == ("USD", {})


@pytest.mark.parametrize("rate", ["0.1", "123456789.123456789", "1.000000001"])
def test_a_rate_in_a_file_is_taken_as_written_with_quotes_or_without(tmp_path: Path, rate: str) -> None:
    for text in (rate, f'"{rate}"'):
        (tmp_path / "e.toml").write_text(TOML.replace("0.925", text), encoding="utf-8")
        (tmp_path / "e.json").write_text(
            f'{{"name": "demo", "variants": {{"a": 1.0}}, "currency": "EUR", "rates": {{"USD": {text}}}}}',
            encoding="utf-8",
        )
        for name in ("e.toml", "e.json"):
            assert read_definition(tmp_path / name).rates["USD"] == Decimal(rate)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"currency": "euro"}, "three capitals"),
        ({"currency": 5}, "not 5"),
        ({"rates": {"USD": 0.9}}, "name that too, such as EUR"),
        ({"currency": "", "rates": {}}, "three capitals of ISO 4217, such as EUR, not ''"),
        ({"currency": "EUR", "rates": {"USD": 0}}, "the rate of USD"),
        ({"currency": "EUR", "rates": ["USD"]}, "rates wants one table"),
    ],
)
def test_a_definition_with_what_cannot_be_a_currency_is_refused(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    path = tmp_path / "e.json"
    path.write_text(json.dumps(DEFINITION.to_dict() | change), encoding="utf-8")
    with pytest.raises(InvalidDefinition, match=f"experiment 'demo': .*{complaint}"):
        read_definition(path)


def test_a_definition_without_a_currency_says_nothing_of_one() -> None:
    """As before there were any, word for word."""
    written = DEFINITION.to_dict()
    assert list(written)[-1] == "pre_period_days"
    assert {"currency", "rates"}.isdisjoint(written)
