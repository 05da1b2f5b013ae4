"""Numbers as a reader wants them."""

import pytest

from analytics import CTR, Metric
from analytics.wording import (
    amount,
    chance,
    count,
    p_value,
    percent,
    percent_span,
    signed_amount,
    signed_span,
    span,
    tick_amount,
    variance_cut,
)

MEAN = Metric("clicks per user", "clicks", "users")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (amount(0.04812, CTR), "4.81%"),
        (amount(0.0004812, CTR), "0.0481%"),
        (amount(0.0, CTR), "0%"),
        (amount(1.0, CTR), "100%"),
        (amount(3.14159, MEAN), "3.14"),
        (amount(1234567.0, MEAN), "1,234,567"),
        (amount(None, CTR), "–"),
        (chance(0.9266), "92.7%"),
        (chance(0.9999), "> 99.9%"),
        (chance(0.0), "< 0.1%"),
        (chance(None), "–"),
        (variance_cut(0.431), "43.1%"),
        (variance_cut(-0.002), "−0.2%"),
        (variance_cut(-0.0000257), "0.0%"),
        (variance_cut(None), "–"),
        (span(0.0452, 0.051, CTR), "4.52 to 5.10%"),
        (span(0.00258, 0.0123, CTR), "0.26 to 1.23%"),
        (signed_amount(-0.0179, CTR), "−1.79"),
        (signed_amount(0.0, CTR), "0"),
        (signed_span(-0.00015, 0.015, CTR), "−0.01 to +1.50"),
        (percent(0.5932), "+59.3%"),
        (percent(-0.00001), "0.0%"),
        (percent_span(-0.451, 0.749), "−45.1 to +74.9%"),
        (p_value(0.0321), "0.032"),
        (p_value(0.00057), "0.0006"),
        (p_value(1e-9), "< 0.0001"),
        (p_value(None), "–"),
        (tick_amount(0.045, CTR), "4.5%"),
        (tick_amount(0.005, CTR, is_difference=True), "+0.5"),
        (tick_amount(0.0, CTR, is_difference=True), "0"),
        (count(12345), "12,345"),
        (count(12.5), "12.50"),
    ],
)
def test_numbers_read_well(text: str, expected: str) -> None:
    assert text == expected
