"""A metric is written name=numerator/denominator, a quantile name=p95(column)."""

import pytest

from analytics import Metric
from analytics.metrics import Quantile


def test_a_ratio_without_a_name_is_named_by_itself() -> None:
    assert Metric.parse("purchases / clicks") == Metric("purchases/clicks", "purchases", "clicks")


@pytest.mark.parametrize("text", ["", "ctr", "ctr=clicks", "a/b/c", "/b", "a="])
def test_other_forms_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="ctr=clicks/impressions"):
        Metric.parse(text)


def test_a_mean_per_user_needs_only_its_numerator() -> None:
    assert Metric.parse("spend=revenue/users").columns == ("revenue",)


def test_rates_read_in_percent_and_means_and_money_do_not() -> None:
    texts = {"clicks/impressions": True, "clicks/users": False, "revenue/impressions": False}
    assert {text: Metric.parse(text).is_rate for text in texts} == texts


@pytest.mark.parametrize(
    ("text", "name", "column", "level"),
    [
        ("load=p95(page_ms)", "load", "page_ms", 0.95),
        (" slowest = p99.9( page_ms ) ", "slowest", "page_ms", 0.999),
        ("p50(page_ms)", "p50(page_ms)", "page_ms", 0.5),
        ("p0.1(page_ms)", "p0.1(page_ms)", "page_ms", 0.001),
        ("p50.0(page_ms)", "p50(page_ms)", "page_ms", 0.5),
    ],
)
def test_a_quantile_is_read_from_text(text: str, name: str, column: str, level: float) -> None:
    metric = Metric.parse(text)
    assert (metric.name, metric.quantile) == (name, Quantile(column, level))
    assert metric == Metric.of_quantile(column, level, name=name)
    assert (metric.event_columns, metric.columns, metric.is_rate) == ((column,), ("impressions",), False)


@pytest.mark.parametrize("text", ["p0(a)", "p100(a)", "p95(a)/impressions", "p95()", "p95(a,b)", "q95(a)"])
def test_what_is_no_quantile_and_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="p95"):
        Metric.parse(text)


def test_a_level_must_lie_inside() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Metric.of_quantile("page_ms", 95)
