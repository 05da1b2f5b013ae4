"""Numbers as a reader wants them."""

import math
from collections.abc import Sequence

from analytics.metrics import Metric

MISSING = "–"
MINUS = "−"


def amount(value: float | None, metric: Metric) -> str:
    """A value of the metric: `4.81%` for a rate, `0.0312` for a mean."""
    if value is None:
        return MISSING
    return _number(value * _scale(metric), 3) + ("%" if metric.is_rate else "")


def span(low: float | None, high: float | None, metric: Metric) -> str:
    """Both ends of an interval: `4.52 to 5.10%`."""
    if low is None or high is None:
        return MISSING
    return _ends(low, high, metric, "") + ("%" if metric.is_rate else "")


def signed_amount(value: float | None, metric: Metric) -> str:
    """A difference: `+1.79` in percentage points of a rate, `+0.0312` of a mean."""
    return MISSING if value is None else _number(value * _scale(metric), 3, "+")


def signed_span(low: float | None, high: float | None, metric: Metric) -> str:
    """Both ends of a difference's interval: `+1.41 to +2.17`."""
    return MISSING if low is None or high is None else _ends(low, high, metric, "+")


def points(metric: Metric) -> str:
    """The unit that `signed_amount` and `signed_span` leave out, with a space before it."""
    return " points" if metric.is_rate else ""


def percent(value: float | None) -> str:
    """A relative change: `+59.3%`."""
    return MISSING if value is None else f"{_tenths(value)}%"


def percent_span(low: float | None, high: float | None) -> str:
    """Both ends of a relative interval: `+45.1 to +74.9%`."""
    return MISSING if low is None or high is None else f"{_tenths(low)} to {_tenths(high)}%"


def chance(value: float | None) -> str:
    """A probability to a tenth of a percent; one that is not quite sure does not read as if it were."""
    if value is None:
        return MISSING
    if 0.0005 <= value < 0.9995:
        return f"{100 * value:.1f}%"
    return "< 0.1%" if value < 0.5 else "> 99.9%"


def variance_cut(value: float | None) -> str:
    """The share of the variance that is gone: `43.1%`, `−0.2%` where it grew."""
    return MISSING if value is None else f"{100 * value:z.1f}%".replace("-", "−")


def p_value(p: float | None) -> str:
    """`0.032`, or `< 0.0001`."""
    if p is None:
        return MISSING
    return "< 0.0001" if p < 0.0001 else f"{p:.1g}" if p < 0.001 else f"{p:.3f}"


def tick_amount(value: float, metric: Metric, *, is_difference: bool = False) -> str:
    """A round value on an axis: `4.5%`, or `+0.5` where differences are drawn."""
    sign = "+" if is_difference and value else ""
    text = f"{round(value * _scale(metric), 10):{sign}g}".replace("-", MINUS)
    return f"{text}%" if metric.is_rate and not is_difference else text


def count(n: float) -> str:
    """`12,345`, with two decimals for what is not a whole number."""
    return f"{n:,.0f}" if n == int(n) else f"{n:,.2f}"


def confidence(alpha: float) -> str:
    """`95%` for alpha 0.05."""
    return f"{100 * (1 - alpha):g}%"


def capitalized(text: str) -> str:
    """The text as a heading or the start of a sentence; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def quoted(name: str) -> str:
    """A name within a sentence."""
    return f"“{name}”"


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _scale(metric: Metric) -> float:
    return 100.0 if metric.is_rate else 1.0


def _ends(low: float, high: float, metric: Metric, sign: str) -> str:
    """Two numbers with as many decimals as the larger one needs."""
    scaled = low * _scale(metric), high * _scale(metric)
    decimals = _decimals(max(map(abs, scaled)), 3)
    return " to ".join(_with_decimals(end, decimals, sign) for end in scaled)


def _number(value: float, digits: int, sign: str = "") -> str:
    return _with_decimals(value, _decimals(abs(value), digits), sign)


def _decimals(size: float, digits: int) -> int:
    """Decimals that show so many significant digits, none of them left of the point."""
    if size == 0 or not math.isfinite(size):
        return 0
    return min(max(digits - 1 - math.floor(math.log10(size)), 0), 12)


def _with_decimals(value: float, decimals: int, sign: str) -> str:
    if abs(value) >= 1e12:
        return f"{value:{sign}.3g}".replace("-", MINUS)
    text = f"{value:{sign},.{decimals}f}"
    is_zero = not any(digit in text for digit in "123456789")
    return text.lstrip("+-") if is_zero else text.replace("-", MINUS)


def _tenths(share: float) -> str:
    return _with_decimals(100.0 * share, 1, "+")
