"""Reports stand alone: the verdict first, a table beside every plot, nothing fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from analytics import Comparison, Experiment, Result, UnitDays, simulate_days
from analytics.cleaning import LogFunnel
from analytics.reporting.report import funnel_table, html_report, markdown_report
from analytics.reporting.tables import Table, days_table, split_table, variants_table

SHARES = {"original": 1.0, "popular": 1.0, "personal": 2.0}


class Outline(HTMLParser):
    """The tags of a page in order, and every attribute that could fetch something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")
        ]


@pytest.fixture
def result(days: UnitDays) -> Result:
    return Experiment("demo", days, control="original", plan=SHARES).analyze(pairs="all")


def test_the_page_fetches_nothing_and_runs_nothing(result: Result) -> None:
    page = html_report(result)
    outline = Outline(page)
    assert outline.links == []
    assert not {"script", "link", "img", "iframe", "object"} & set(outline.tags)
    assert "://" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_a_table_stands_beside_every_plot(result: Result) -> None:
    sections = re.findall(r"<section.*?</section>", html_report(result), flags=re.DOTALL)
    with_plot = [section for section in sections if "<svg" in section]
    assert len(with_plot) == 2
    assert all(section.count("<table>") >= section.count('class="plot"') for section in with_plot)


def test_the_sample_ratio_verdict_comes_before_everything(result: Result) -> None:
    page = html_report(result)
    body = page[page.index("<body>") :]
    assert body.index("Split as planned") < body.index("Users were split as planned") < body.index("raised")
    report = markdown_report(result)
    assert report.index("Users were split as planned") < report.index("raised")


def test_names_are_escaped() -> None:
    world = simulate_days(np.random.default_rng(0), 80, {"a": 0.2, "<i>b|c</i>": 0.3}, n_days=3)
    result = Experiment("<b>&", world, control="a").analyze()
    page = html_report(result)
    assert "<i>b" not in page
    assert "<title>Click-through in experiment &lt;b&gt;&amp;</title>" in page
    assert "| <i>b\\|c</i> |" in markdown_report(result)


def test_a_report_of_a_fortnight_is_small(result: Result) -> None:
    assert len(html_report(result).encode()) < 100_000


def test_a_report_of_twelve_metrics_and_four_variants_stays_within_its_size() -> None:
    rng = np.random.default_rng(1)
    world = simulate_days(rng, 4000, dict.fromkeys("abcd", 0.05))
    columns = {f"y{k}": rng.binomial(world["impressions"], 0.02 + 0.01 * k) for k in range(12)}
    days = UnitDays(world.user, world.variant, world.day, {**world.columns, **columns})
    metrics = [f"m{k}=y{k}/impressions" for k in range(12)]
    page = html_report(Experiment("large", days, metrics, "a").analyze())
    assert all(f"m{k}" in page for k in range(12))
    assert len(page.encode()) <= 400_000


def test_the_markdown_tables_have_as_many_cells_in_every_line(result: Result) -> None:
    for table in re.findall(r"(?:^\|.*\n?)+", markdown_report(result), flags=re.MULTILINE):
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_the_variants_table_holds_the_totals(comparison: Comparison) -> None:
    table = variants_table(comparison)
    assert table.header == ("Variant", "Users", "Impressions", "Clicks", "Click-through", "Interval")
    personal = comparison.variants["personal"]
    row = next(row for row in table.rows if row[0] == "personal")
    assert row[1:4] == (
        f"{personal.users:,}",
        f"{personal.totals['impressions']:,}",
        f"{personal.totals['clicks']:,}",
    )


def test_a_variant_not_seen_yet_has_dashes_in_the_days_table(comparison: Comparison) -> None:
    assert comparison.days is not None
    first = days_table(comparison.days).rows[0]
    assert "–" in first
    assert "–" not in days_table(comparison.days).rows[-1]


def test_the_split_table_sets_users_beside_the_plan(comparison: Comparison) -> None:
    total = sum(variant.users for variant in comparison.variants.values())
    planned = {row[0]: row[2] for row in split_table(comparison).rows}
    assert planned["personal"] == f"{round(total / 2):,}"


def test_the_funnel_names_rules_where_one_dropped_a_row() -> None:
    dropped = funnel_table(LogFunnel("clicks", 10, {"missing": 0, "orphans": 4}))
    assert dropped.header == ("What became of them", "Rule", "Rows", "Share")
    assert [row[1:] for row in dropped.rows] == [
        ("", "10", ""),
        ("orphans", "4", "40%"),
        ("", "6", "60%"),
    ]
    nothing = funnel_table(LogFunnel("clicks", 10, {"missing": 0, "orphans": 0}))
    assert nothing.header == ("What became of them", "Rows", "Share")
    assert nothing.rows == (("read", "10", ""), ("kept", "10", "100%"))


def test_backslashes_and_line_breaks_stay_within_a_markdown_cell() -> None:
    assert Table("t", ("a",), (("x\\|\ny",),)).to_markdown().splitlines()[-1] == "| x\\\\\\| y |"
