"""The torch towers as one more ranker of a bare log, to be compared and stacked like the others."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from personalize.errors import EventFileError
from personalize.evaluate.baselines import weights
from personalize.evaluate.log import EventLog
from personalize.features.runs import Floats, Ints
from personalize.models.embeddings import Likes, Towers, TowerSettings

TOWERS = "towers"
EPOCHS = (2.0, 6.0)
MAX_ROWS = 100_000
"""Latest rows that the towers learn from, which bounds their time."""

HALF_LIFE_SHARE = 1 / 8
"""Age at which a like weighs half in a history, as a share of the log's length."""

Looks = Mapping[str, Sequence[float]]


class TowerRanker:
    """Towers fitted on a log.

    Args:
        looks: (S, v) content vectors, v = 0 for none.
    """

    def __init__(self, log: EventLog, looks: Floats, epochs: float, *, span_us: float, seed: int) -> None:
        worth = weights(log)
        liked = log.liked
        self._likes = Likes.of(log.user[liked], log.style[liked], log.at_us[liked], worth[liked])
        self._half_life_us = HALF_LIFE_SHARE * span_us
        rows = slice(-MAX_ROWS, None)
        histories = self._likes.before(log.user[rows], log.at_us[rows], self._half_life_us)
        settings = TowerSettings(epochs=int(epochs))
        self._towers = Towers(histories, log.style[rows], worth[rows], looks, settings, seed=seed)

    def scores(self, users: Ints, at_us: Ints) -> Floats:
        """(n, S)."""
        return self._towers.scores(self._likes.before(users, at_us, self._half_life_us))


def read_looks(path: Path) -> Looks:
    """Content vectors by style_id from a JSON file.

    Raises:
        EventFileError: it cannot be read, or is no object of lists of numbers.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {str(style_id): [float(value) for value in vector] for style_id, vector in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise EventFileError(path, f"expected content vectors by style_id as JSON: {error}") from error


def looks_of(style_ids: Sequence[str], looks: Looks | None) -> Floats:
    """(S, v) content vectors in the order of the styles, centred; zeros for a style without one.

    Raises:
        ValueError: vectors of different lengths.
    """
    if not looks:
        return np.zeros((len(style_ids), 0))
    lengths = {len(vector) for vector in looks.values()}
    if len(lengths) > 1:
        raise ValueError(f"expected content vectors of one length, got {sorted(lengths)}")
    width = lengths.pop()
    found = np.array([looks.get(style_id, [np.nan] * width) for style_id in style_ids], dtype=np.float64)
    centred = found - np.nanmean(found, axis=0) if np.isfinite(found).any() else found
    scale = np.sqrt(np.nanmean(centred**2)) if np.isfinite(centred).any() else 1.0
    return np.nan_to_num(centred / max(float(scale), 1e-9))
