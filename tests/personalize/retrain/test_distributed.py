"""Trees grown on a Dask cluster of two workers order as well as those grown here."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from recorded import AS_OF, OpenShop

from personalize.data.catalogue import read_styles
from personalize.data.database import open_database, reading
from personalize.data.extracts import read_log
from personalize.errors import DaskMissing
from personalize.features import StyleSpace
from personalize.models import load_scorer
from personalize.models.boosting import BoostingSettings, LocalGrower, TrainingRows
from personalize.models.metrics import ndcg
from personalize.models.prior import prior_log_odds
from personalize.retrain import retrain
from personalize.retrain.distributed import (
    DaskGrower,
    best_number_of_trees,
    dask_client,
    read_part,
    write_extract,
)
from personalize.retrain.training import by_slate, read_examples

distributed = pytest.importorskip("distributed", reason="needs: pip install 'personalize[dask]'")


@pytest.fixture(scope="module")
def rows(recorded: Path) -> TrainingRows:
    database = open_database(f"sqlite:///{recorded}")
    with reading(database) as session:
        log = read_log(session, since=AS_OF - timedelta(days=30), until=AS_OF)
        space = StyleSpace.of(read_styles(session))
    database.dispose()
    windows = {"half_life": timedelta(days=14), "attribution_window": timedelta(days=1)}
    return by_slate(read_examples(log, space, **windows))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a cluster of two workers, each a process of its own."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def test_an_extract_holds_all_rows_in_whole_groups(rows: TrainingRows, tmp_path: Path) -> None:
    paths = write_extract(rows, tmp_path, 4)
    assert len(paths) == 4
    values, label, init_score, sizes = (
        np.concatenate(column) for column in zip(*(read_part(str(path)) for path in paths), strict=True)
    )
    np.testing.assert_array_equal(values, rows.frame.values)
    np.testing.assert_array_equal(label, rows.relevance)
    np.testing.assert_array_equal(init_score, prior_log_odds(rows.frame))
    np.testing.assert_array_equal(sizes, rows.group_sizes)
    assert len(write_extract(rows, tmp_path, 10 * len(sizes))) == len(sizes)


def test_a_cluster_of_two_orders_as_well_as_this_machine(
    scheduler: str, rows: TrainingRows, tmp_path: Path
) -> None:
    settings = BoostingSettings(min_rows_per_leaf=30)
    with dask_client(scheduler) as client:
        far = DaskGrower(client, tmp_path).grow_trees(rows, settings, n_trees=40, seed=0)
    near = LocalGrower().grow_trees(rows, settings, n_trees=40, seed=0)
    assert "machines" not in far
    assert list(tmp_path.iterdir()) == []
    quality = [order_of(text, rows) for text in (far, near)]
    assert quality[0] == pytest.approx(quality[1], abs=0.01)
    assert min(quality) > order_of(None, rows) + 0.003


def order_of(text: str | None, rows: TrainingRows) -> float:
    """NDCG@5 on the rows themselves of the prior alone, or of the trees on top of it."""
    import lightgbm

    scores = prior_log_odds(rows.frame)
    if text is not None:
        scores = scores + lightgbm.Booster(model_str=text).predict(rows.frame.values)
    return float(np.nanmean(ndcg(scores, rows.relevance, rows.group_sizes, k=5)))


def test_a_night_on_a_cluster_promotes_a_ranker_that_loads_without_one(
    scheduler: str, open_shop: OpenShop
) -> None:
    engine, settings = open_shop()
    with dask_client(scheduler) as client:
        grower = DaskGrower(client, settings.resolved_extracts_dir)
        report = retrain(engine, settings, as_of=AS_OF, grower=grower)
    here = retrain(engine, settings, as_of=AS_OF)
    assert report.verdict == here.verdict == "promoted"
    load_scorer(settings.models_dir, str(report.model_version))
    far, near = (one.to_dict()["evaluations"][0] for one in (report, here))
    assert far["ndcg_at_5"] == pytest.approx(near["ndcg_at_5"], abs=0.02)
    assert far["log_loss"] == pytest.approx(near["log_loss"], abs=0.003)


def test_the_number_of_trees_is_the_one_that_predicts_best(rows: TrainingRows) -> None:
    import lightgbm

    settings = BoostingSettings(min_rows_per_leaf=30)
    booster = lightgbm.Booster(model_str=LocalGrower().grow_trees(rows, settings, n_trees=10, seed=0))
    assert 1 <= best_number_of_trees(booster, rows) <= 10


def test_a_cluster_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(DaskMissing, match="no Dask scheduler answers at nonsense"), dask_client("nonsense:1"):
        pass
