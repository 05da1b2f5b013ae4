"""Trees grown on a Dask cluster: Parquet extracts that workers read, LightGBM's own Dask estimator.

The extract is written by this process and must be readable by every worker under the same path: a folder
that they share, or the same machine. Workers need this package installed. LightGBM's estimator takes no
`position`, so position bias is left to the propensities; all else is as on one machine.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from personalize.errors import DaskMissing
from personalize.features.runs import Floats, Ints
from personalize.models.boosting import BoostingSettings, TrainingRows, calibrated_loss, parameters, telling
from personalize.models.prior import prior_log_odds

if TYPE_CHECKING:
    import lightgbm
    from distributed import Client

LABEL, INIT_SCORE, GROUP = "relevance", "init_score", "group"
PARTS_PER_WORKER = 2
_NETWORK = re.compile(r"^\[(machines|num_machines|local_listen_port|time_out): .*\]\n", re.MULTILINE)


@contextmanager
def dask_client(scheduler: str | None) -> "Iterator[Client]":
    """A client of the cluster at that address, or of a local one with a worker per core.

    Raises:
        DaskMissing: the extra is not installed, or nothing answers at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise DaskMissing(f"{error}; run `pip install 'personalize[dask]'`") from error
    if scheduler is None:
        with LocalCluster(threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise DaskMissing(f"no Dask scheduler answers at {scheduler}: {error or 'timed out'}") from error
    with client:
        yield client


@dataclass(frozen=True, slots=True)
class DaskGrower:
    """Grows trees on the workers of `client`, from Parquet extracts in a folder that they can read.

    The number of trees that help is found by growing all and looking at each on this machine, because
    LightGBM's Dask ranker does not stop early.
    """

    client: "Client"
    extracts_dir: Path

    def grow_trees(self, rows: TrainingRows, settings: BoostingSettings, *, n_trees: int, seed: int) -> str:
        return _without_network(self._fit(rows, settings, n_trees, seed).model_to_string())

    def grow_until_useless(
        self, rows: TrainingRows, watched: TrainingRows, settings: BoostingSettings, *, seed: int
    ) -> tuple[str, int]:
        booster = self._fit(rows, settings, settings.max_trees, seed)
        n_trees = best_number_of_trees(booster, watched)
        return _without_network(booster.model_to_string(num_iteration=n_trees)), n_trees

    def _fit(
        self, rows: TrainingRows, settings: BoostingSettings, n_trees: int, seed: int
    ) -> "lightgbm.Booster":
        import lightgbm

        rows = telling(rows)
        n_parts = PARTS_PER_WORKER * len(self.client.scheduler_info()["workers"])
        given = parameters(settings, rows.frame, seed) | {"n_estimators": n_trees}
        del given["num_threads"]  # each worker takes as many as Dask gives it
        self.extracts_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.extracts_dir) as folder:
            paths = write_extract(rows, Path(folder), n_parts)
            values, label, init_score, sizes = _collections(paths, len(rows.frame.names))
            model = lightgbm.DaskLGBMRanker(client=self.client, **given)
            model.fit(values, label, init_score=init_score, group=sizes, feature_name=list(rows.frame.names))
            return model.booster_


def write_extract(rows: TrainingRows, folder: Path, n_parts: int) -> list[Path]:
    """Rows as Parquet, whole groups to a part: the features, `relevance`, `init_score` and `group`."""
    import pyarrow as pa
    from pyarrow import parquet

    init_score = prior_log_odds(rows.frame)
    group = np.repeat(np.arange(len(rows.group_sizes)), rows.group_sizes)
    ends = np.cumsum(rows.group_sizes)
    targets = np.linspace(0, len(group), min(n_parts, len(ends)) + 1)[1:]
    cuts = np.unique(ends[np.minimum(np.searchsorted(ends, targets - 0.5), len(ends) - 1)])
    paths, start = [], 0
    for number, stop in enumerate(cuts.tolist()):
        part = slice(start, stop)
        columns = dict(zip(rows.frame.names, rows.frame.values[part].T, strict=True))
        columns |= {LABEL: rows.relevance[part], INIT_SCORE: init_score[part], GROUP: group[part]}
        paths.append(folder / f"part-{number:04d}.parquet")
        parquet.write_table(pa.table(columns), paths[-1])
        start = stop
    return paths


def read_part(path: str) -> tuple[Any, Floats, Floats, Ints]:
    """Values (n, F), labels, initial scores and group sizes of one part; runs on a worker."""
    from pyarrow import parquet

    table = parquet.read_table(path)
    label, init_score, group = (table[name].to_numpy() for name in (LABEL, INIT_SCORE, GROUP))
    names = [name for name in table.column_names if name not in (LABEL, INIT_SCORE, GROUP)]
    values = np.stack([table[name].to_numpy() for name in names], axis=1)
    return values, label, init_score, np.unique(group, return_counts=True)[1]


def _collections(paths: list[Path], n_features: int) -> tuple[Any, Any, Any, Any]:
    """The extract as Dask arrays, a chunk a part; nothing is read here but the counts."""
    import dask
    from dask import array as da
    from pyarrow import parquet

    columns: tuple[list[Any], ...] = ([], [], [], [])
    for path in paths:
        part = dask.delayed(read_part, nout=4)(str(path))
        n_rows = parquet.read_metadata(path).num_rows
        n_groups = len(set(parquet.read_table(path, columns=[GROUP])[GROUP].to_pylist()))
        shapes = ((n_rows, n_features), (n_rows,), (n_rows,), (n_groups,))
        types = (np.float32, np.int64, np.float64, np.int64)
        for column, each, shape, dtype in zip(columns, part, shapes, types, strict=True):
            column.append(da.from_delayed(each, shape=shape, dtype=dtype))
    values, label, init_score, sizes = (da.concatenate(column) for column in columns)
    return values, label, init_score, sizes


def best_number_of_trees(booster: "lightgbm.Booster", watched: TrainingRows) -> int:
    """How many of a model's trees, from the first, predict `watched` best after calibration; at least 1."""
    scores, is_clicked = prior_log_odds(watched.frame), watched.relevance > 0
    losses = []
    for tree in range(booster.num_trees()):
        scores = scores + np.asarray(
            booster.predict(watched.frame.values, start_iteration=tree, num_iteration=1)
        )
        losses.append(calibrated_loss(scores, is_clicked))
    return int(np.argmin(losses)) + 1 if losses else 1


def _without_network(text: str) -> str:
    """The model without the ports it was grown through, which differ from night to night."""
    return _NETWORK.sub("", text)
