"""Which ranker would have served a log's users best? Trained on its earlier part, judged on its later one."""

from personalize.evaluate.comparison import Comparison, compare_rankers

__all__ = ["Comparison", "compare_rankers"]
