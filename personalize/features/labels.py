"""Clicks and purchases inside the attribution window become graded relevance."""

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

NOT_CLICKED, CLICKED, PURCHASED = 0, 1, 2


def relevance(log: "pd.DataFrame", *, attribution_window: timedelta) -> NDArray[np.int64]:
    """Graded relevance of each impression of a log, (n,): purchase 2, click 1, neither 0.

    An event counts when 0 <= occurred_at - shown_at <= attribution_window.
    """
    grades = np.zeros(len(log), dtype=np.int64)
    for grade, column in ((CLICKED, "clicked_at"), (PURCHASED, "purchased_at")):
        delay = log[column] - log["shown_at"]
        inside = (delay >= timedelta(0)) & (delay <= attribution_window)
        grades[inside.to_numpy(dtype=np.bool_)] = grade
    return grades
