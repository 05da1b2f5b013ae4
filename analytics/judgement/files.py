"""Reading judgements from CSV (gzipped too) or Parquet files; ids are opaque text, nothing is guessed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analytics.errors import InvalidRows, MissingColumns, UnreadableSource
from analytics.judgement.opinions import Scores
from analytics.judgement.pairs import LEFT, NEITHER, RIGHT, Pairs

if TYPE_CHECKING:
    import pandas as pd

PAIR_COLUMNS = ("left", "right", "preferred", "rater", "item")
SCORE_COLUMNS = ("style", "rater", "score", "item")
TIES = ("neither", "tie", "equal")
"""What `preferred` may say where no side was; otherwise it names the style, or says left or right."""


def read_pairs(
    path: str | Path, *, columns: Mapping[str, str] | None = None
) -> tuple[Pairs, NDArray[Any] | None]:
    """Comparisons from a file with one row each, and what was compared where the file has `item`.

    Args:
        columns: what the file calls one of PAIR_COLUMNS; `rater` and `item` may be missing.
    Raises:
        UnreadableSource: the file is missing, or is no CSV or Parquet.
        MissingColumns: left, right or preferred is not there.
        InvalidRows: a blank id, a style beside itself, or a preference for neither of the two.
    """
    source = str(path)
    frame = _read(Path(path), PAIR_COLUMNS, optional=("rater", "item"), columns=columns or {})
    left, right, preferred = (frame[name].to_numpy(dtype=object) for name in PAIR_COLUMNS[:3])
    _refuse(left == right, source, "with a style beside itself", "leave them out")
    word = frame["preferred"].str.strip().str.lower().to_numpy(dtype=object)
    is_left = (preferred == left) | (word == "left")
    is_right = (preferred == right) | (word == "right")
    is_tie = np.isin(word.astype(str), TIES)
    problem = f"whose 'preferred' is neither of their styles, nor left, right, {' or '.join(TIES)}"
    _refuse(~(is_left | is_right | is_tie), source, problem, "correct them or leave them out")
    outcome = np.select(
        [preferred == left, preferred == right, is_tie, is_left], [LEFT, RIGHT, NEITHER, LEFT], RIGHT
    )
    return Pairs(_text(left), _text(right), outcome, _column(frame, "rater")), _column(frame, "item")


def read_scores(path: str | Path, *, columns: Mapping[str, str] | None = None) -> Scores:
    """Scores from a file with one row each.

    Args:
        columns: what the file calls one of SCORE_COLUMNS; `item` may be missing.
    Raises:
        UnreadableSource, MissingColumns: as `read_pairs`.
        InvalidRows: a blank id, or a score that is not a finite number.
    """
    import pandas as pd

    frame = _read(Path(path), SCORE_COLUMNS, optional=("item",), columns=columns or {})
    score = pd.to_numeric(frame["score"], errors="coerce").to_numpy(dtype=float)
    _refuse(
        ~np.isfinite(score), str(path), "with a score that is no number", "correct them or leave them out"
    )
    style, rater = (_text(frame[name].to_numpy()) for name in ("style", "rater"))
    return Scores(style, rater, score, _column(frame, "item"))


def _read(
    path: Path, names: Sequence[str], *, optional: Sequence[str], columns: Mapping[str, str]
) -> pd.DataFrame:
    """The columns under our names, all of them text; a blank in any is refused."""
    import pandas as pd

    if not path.is_file():
        raise UnreadableSource(str(path), "there is no such file; check the path")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, EOFError, ImportError, zlib.error) as error:
        detail = str(error).strip().partition("\n")[0]
        raise UnreadableSource(str(path), f"cannot be read as CSV or Parquet ({detail})") from error
    theirs = {name: columns.get(name, name) for name in names}
    missing = [
        theirs[n] for n in names if theirs[n] not in frame.columns and (n not in optional or n in columns)
    ]
    if missing:
        raise MissingColumns(str(path), missing, map(str, frame.columns))
    text = {
        name: frame[column].astype(object).where(frame[column].notna(), "").astype(str)
        for name, column in theirs.items()
        if column in frame.columns
    }
    for name, values in text.items():
        blank = values.str.strip().eq("").to_numpy()
        _refuse(blank, str(path), f"without a {theirs[name]!r}", "fill it in or leave them out")
    return pd.DataFrame(text)


def _refuse(is_bad: NDArray[np.bool_], source: str, problem: str, remedy: str) -> None:
    if n_bad := int(np.sum(is_bad)):
        raise InvalidRows(source, n_bad, problem, remedy)


def _column(frame: pd.DataFrame, name: str) -> NDArray[Any] | None:
    return _text(frame[name].to_numpy()) if name in frame.columns else None


def _text(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values, dtype=str)
