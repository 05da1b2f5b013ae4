"""What is known of the moment: hour, weekday, device, and whatever the shop sends along."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

MAX_VALUE = 5.0
_HOUR_US, _EPOCH_WEEKDAY = 3_600_000_000, 3
_DAYPARTS = ("night", "morning", "afternoon", "evening")


N_MOMENTS = 2 * len(_DAYPARTS)


def moment_kinds(at_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) numbers below `N_MOMENTS`, the same for moments that `context_groups` does not tell apart.

    >>> moment_kinds(np.array([0, 7 * 3_600_000_000]))
    array([0, 1])
    """
    hours = at_us // _HOUR_US
    is_weekend = (hours // 24 + _EPOCH_WEEKDAY) % 7 >= 5
    return hours % 24 // 6 + len(_DAYPARTS) * is_weekend


def context_groups(context: Mapping[str, object], at_us: int) -> list[tuple[str, float]]:
    """Groups that a request stands in, with weights, in the order of their names.

    A text stands in the group `key=value` with weight 1; a number in the group `key` with itself as
    weight, so it should be about -1 to 1, and counts up to +-5. The moment adds its part of the day
    and the weekend, in UTC. Anything else is not looked at.

    >>> context_groups({"device": "mobile", "age": 0.5}, 0)
    [('age', 0.5), ('device=mobile', 1.0), ('time=night', 1.0)]
    """
    moment = datetime.fromtimestamp(at_us / 1e6, tz=UTC)
    groups = [(f"time={_DAYPARTS[moment.hour // 6]}", 1.0)]
    if moment.weekday() >= 5:
        groups.append(("time=weekend", 1.0))
    for key, value in context.items():
        if isinstance(value, str):
            groups.append((f"{key}={value}", 1.0))
        elif isinstance(value, int | float) and value == value:
            groups.append((key, max(-MAX_VALUE, min(MAX_VALUE, float(value)))))
    return sorted(groups)
