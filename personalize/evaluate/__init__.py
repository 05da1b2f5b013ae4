"""Which ranker would have served a log's users best? Trained on its earlier part, judged on its later one."""

from personalize.evaluate.comparison import Comparison, compare_rankers
from personalize.evaluate.towers import read_looks

__all__ = ["Comparison", "compare_rankers", "read_looks"]
