"""Loads a LightGBM model in a process of its own: `python probe.py MODEL`, rows as JSON on stdin.

Stands alone, importing nothing of the package, because it may die: corrupt text aborts the process
inside LightGBM. Prints the predictions as JSON; any other end means that the model cannot be used.
"""

import json
import sys
from pathlib import Path

OPTIONAL = ("pandas", "sklearn", "matplotlib", "pyarrow", "dask", "cffi")
"""What LightGBM imports when it is there, and what takes most of a second; none is needed here."""


def main() -> None:
    for name in OPTIONAL:
        sys.modules[name] = None  # type: ignore[assignment]  # makes its import fail, as when it is not there
    import lightgbm
    import numpy as np

    rows = np.array(json.load(sys.stdin), dtype=np.float64)
    booster = lightgbm.Booster(model_str=Path(sys.argv[1]).read_text(encoding="utf-8"))
    json.dump(np.asarray(booster.predict(rows, num_threads=1)).tolist(), sys.stdout)


if __name__ == "__main__":
    main()
