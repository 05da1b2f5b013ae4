"""A metric is written name=numerator/denominator."""

import pytest

from analytics import Metric


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
