"""Growing the ranker's trees: LambdaRank from a prior, stopped where held-out users gain no more."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats, Ints
from personalize.models.calibration import Calibration, fit_calibration
from personalize.models.metrics import log_loss
from personalize.models.prior import prior_log_odds

if TYPE_CHECKING:
    import lightgbm

LABEL_GAIN = (0.0, 1.0, 3.0)
"""What not clicked, clicked and purchased are worth to LambdaRank."""

RISING = (
    "belief",
    "style_rate",
    "category_style_rate",
    "user_style_lift",
    "user_style_taste",
    "user_look_taste",
    "user_category_style_lift",
    "user_style_clicks",
    "user_style_purchases",
)
"""Features that may only speak for a style as they grow; on little data trees would fit noise otherwise."""

FALLING = ("hours_since_click",)


@dataclass(frozen=True, slots=True)
class BoostingSettings:
    """Size and pace of the trees, chosen by measurement in the simulator.

    One thread, because a night's data take seconds and LightGBM's threads spin: beside other work on
    a small machine two are several times slower than one.
    """

    max_trees: int = 150
    n_leaves: int = 7
    learning_rate: float = 0.03
    min_rows_per_leaf: int = 200
    l2: float = 5.0
    feature_share: float = 0.8
    patience: int = 25
    n_threads: int = 1


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """What a ranker learns from: rows sorted by group, each group the rows that are compared.

    relevance, position and user (rows,); group_sizes sum to the rows.
    """

    frame: FeatureFrame
    relevance: Ints
    position: Ints
    user: Ints
    group_sizes: Ints

    def __post_init__(self) -> None:
        n_rows = len(self.frame.values)
        if not n_rows == len(self.relevance) == len(self.position) == int(self.group_sizes.sum()):
            raise ValueError(
                f"expected {n_rows} rows throughout, got {len(self.relevance)} labels, "
                f"{len(self.position)} positions and groups of {int(self.group_sizes.sum())} rows"
            )


class Grower(Protocol):
    """Where trees are grown: in this process, or on a cluster."""

    def grow_trees(self, rows: TrainingRows, settings: BoostingSettings, *, n_trees: int, seed: int) -> str:
        """As the function of this name."""
        ...

    def grow_until_useless(
        self, rows: TrainingRows, watched: TrainingRows, settings: BoostingSettings, *, seed: int
    ) -> tuple[str, int]:
        """As the function of this name."""
        ...


class LocalGrower:
    """Grows trees in this process."""

    def grow_trees(self, rows: TrainingRows, settings: BoostingSettings, *, n_trees: int, seed: int) -> str:
        return grow_trees(rows, settings, n_trees=n_trees, seed=seed)

    def grow_until_useless(
        self, rows: TrainingRows, watched: TrainingRows, settings: BoostingSettings, *, seed: int
    ) -> tuple[str, int]:
        return grow_until_useless(rows, watched, settings, seed=seed)


def grow_trees(rows: TrainingRows, settings: BoostingSettings, *, n_trees: int, seed: int) -> str:
    """Grow that many trees and return the model as text; the same rows and seed give the same text."""
    import lightgbm

    booster = lightgbm.train(
        parameters(settings, rows.frame, seed),
        _dataset(telling(rows), settings, seed),
        num_boost_round=n_trees,
    )
    return booster.model_to_string()


def grow_until_useless(
    rows: TrainingRows, watched: TrainingRows, settings: BoostingSettings, *, seed: int
) -> tuple[str, int]:
    """Grow trees while they help on `watched`, rows of other users; the model as text, and how many.

    What is watched is the log loss after calibration: it is smoother than NDCG, which has only few values
    in a group with one click, and it is what the gate goes by.
    """
    import lightgbm

    learned = telling(rows)
    train, loss = _dataset(learned, settings, seed), _CalibratedLoss(watched.relevance > 0)
    booster = lightgbm.train(
        parameters(settings, rows.frame, seed) | {"metric": "None"},
        train,
        num_boost_round=settings.max_trees,
        valid_sets=[_dataset(watched, settings, seed, reference=train)],
        feval=lambda scores, _: ("calibrated_loss", loss(scores), False),
        callbacks=[lightgbm.early_stopping(settings.patience, verbose=False)],
    )
    n_trees = max(booster.best_iteration, 1)
    return booster.model_to_string(num_iteration=n_trees), n_trees


class _CalibratedLoss:
    """`calibrated_loss` of scores that change little from call to call."""

    def __init__(self, is_clicked: NDArray[np.bool_]) -> None:
        self._is_clicked = is_clicked
        self._last: Calibration | None = None

    def __call__(self, scores: Floats) -> float:
        self._last = fit_calibration(scores, self._is_clicked, self._last)
        return float(log_loss(self._last.log_odds(scores), self._is_clicked).mean())


def telling(rows: TrainingRows) -> TrainingRows:
    """The groups from which order can be learned: those with rows of different relevance.

    In the others no row should stand above another, so LambdaRank's gradients are all zero; in a usual shop
    they are two thirds of the log.
    """
    group = np.repeat(np.arange(len(rows.group_sizes)), rows.group_sizes)
    starts = np.cumsum(rows.group_sizes) - rows.group_sizes
    if not len(starts):
        return rows
    differs = np.maximum.reduceat(rows.relevance, starts) > np.minimum.reduceat(rows.relevance, starts)
    keep = differs[group]
    return TrainingRows(
        rows.frame.take(keep),
        rows.relevance[keep],
        rows.position[keep],
        rows.user[keep],
        rows.group_sizes[differs],
    )


def calibrated_loss(scores: Floats, is_clicked: NDArray[np.bool_]) -> float:
    """Mean log loss, in nats, of scores after the best calibration for just these rows."""
    return float(log_loss(fit_calibration(scores, is_clicked).log_odds(scores), is_clicked).mean())


def _dataset(
    rows: TrainingRows,
    settings: BoostingSettings,
    seed: int,
    reference: "lightgbm.Dataset | None" = None,
) -> "lightgbm.Dataset":
    import lightgbm

    return lightgbm.Dataset(
        rows.frame.values,
        label=rows.relevance,
        group=rows.group_sizes,
        position=rows.position,
        init_score=prior_log_odds(rows.frame),
        feature_name=list(rows.frame.names),
        reference=reference,
        params=parameters(settings, rows.frame, seed),
    )


def parameters(settings: BoostingSettings, frame: FeatureFrame, seed: int) -> dict[str, Any]:
    """LightGBM's parameters for a frame, wherever the trees are grown."""
    direction = {**dict.fromkeys(RISING, 1), **dict.fromkeys(FALLING, -1)}
    return {
        "objective": "lambdarank",
        "label_gain": list(LABEL_GAIN),
        "lambdarank_truncation_level": 30,
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.n_leaves,
        "min_data_in_leaf": settings.min_rows_per_leaf,
        "lambda_l2": settings.l2,
        "feature_fraction": settings.feature_share,
        "monotone_constraints": [direction.get(name, 0) for name in frame.names],
        "num_threads": settings.n_threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
