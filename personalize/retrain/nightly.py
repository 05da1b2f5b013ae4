"""The night: extract, train, judge, save, register, promote; under a lease, safe to kill and run again."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
from sqlalchemy import Engine

from personalize.data.catalogue import read_styles
from personalize.data.database import reading, writing
from personalize.data.extracts import read_log
from personalize.data.registry import acquire_lease, challenger, champion, promote, register, release_lease
from personalize.data.schema import ModelVersion
from personalize.errors import CorruptModel, RetrainInProgress
from personalize.features import StyleSpace
from personalize.features.history import column_us
from personalize.models.artifact import Provenance, load_scorer, remove_unfinished, save_ranker
from personalize.models.boosting import Grower
from personalize.policy import Exploration, Rules
from personalize.retrain.challenge import Challenge, Champion, challenge, learned
from personalize.retrain.decisions import decision_rows, read_decisions
from personalize.retrain.report import RetrainReport
from personalize.retrain.training import Examples, latest_from, play, read_examples
from personalize.retrain.vitals import Vitals, ailments, days_before, vitals
from personalize.settings import Settings

logger = logging.getLogger(__name__)

LEASE = "retrain"
LEASE_SECONDS = 3600.0
DEFAULT_SEED = 0


def retrain(
    engine: Engine,
    settings: Settings,
    *,
    as_of: datetime,
    seed: int | None = None,
    grower: Grower | None = None,
    rules: Rules | None = None,
) -> RetrainReport:
    """Train a challenger on what was known at `as_of` and promote it if the gate agrees.

    The steps, in order: take the lease; read `settings.history_window` of the log; train and judge; save
    the model's folder and load it back through every check; register it and, if the gate agrees, promote
    it, in one transaction. A kill anywhere before that transaction leaves the old champion and at most a
    folder that nothing names; running again with the same data and seed gives the same version.

    Args:
        seed: of the training; None takes `settings.seed`, or 0.
        grower: of the trees; None grows them in this process.
        rules: that what would be shown instead must obey; None reads `settings.rules`.
    Raises:
        RetrainInProgress: another process is at it.
    """
    seed = next((value for value in (seed, settings.seed) if value is not None), DEFAULT_SEED)
    with _leased(engine):
        remove_unfinished(settings.models_dir)
        rules = rules or (Rules.load(settings.rules) if settings.rules else Rules())
        return _retrain(engine, settings, as_of, seed, grower, rules)


def _retrain(
    engine: Engine, settings: Settings, as_of: datetime, seed: int, grower: Grower | None, rules: Rules
) -> RetrainReport:
    started = time.monotonic()
    since = as_of - settings.history_window
    with reading(engine) as session:
        space = StyleSpace.of(read_styles(session))
        log = read_log(session, since=since, until=as_of)
        serving, latest = champion(session), challenger(session)
    objections = ailments(
        tonight := vitals(log, since=since, as_of=as_of), days_before(latest.report if latest else None)
    )
    windows = {"half_life": settings.half_life, "attribution_window": settings.attribution_window}
    shown_us = column_us(log["shown_at"])[log["style_id"].isin(space.style_ids).to_numpy(dtype=np.bool_)]
    held_back_from = latest_from(shown_us, as_of=as_of, holdout_days=settings.holdout_days)
    judged = decision_rows(log, space, since_us=held_back_from, rules=rules)
    played = play(log, space, **windows, keep=judged)
    examples = read_examples(log, space, **windows, played=played)
    window = settings.attribution_window
    result = challenge(
        examples,
        _load_champion(settings, serving),
        as_of=as_of,
        holdout_days=settings.holdout_days,
        seed=seed,
        decisions=read_decisions(log, space, played, judged, attribution_window=window, rules=rules),
        exploration=Exploration(floor=settings.exploration_floor),
        needs_support=settings.gate_needs_support,
        grower=grower,
    )
    result = replace(result, decision=result.decision.refused_for(objections))
    report = _report(examples, result, tonight, as_of, since, serving, time.monotonic() - started)
    if result.ranker is not None:
        provenance = Provenance(since, as_of, seed, len(examples))
        checksum = save_ranker(result.ranker, settings.models_dir, examples.frame, provenance)
        load_scorer(settings.models_dir, result.ranker.model_version, manifest_sha256=checksum)
        _publish(engine, report, checksum)
    logger.info(
        "challenger_promoted" if result.decision.promote else "challenger_refused",
        extra={"model_version": report.model_version, "reasons": list(report.reasons)},
    )
    return report


def _load_champion(settings: Settings, serving: ModelVersion | None) -> Champion | None:
    """The champion to compare with; None if there is none, or its files no longer hold."""
    if serving is None:
        return None
    try:
        ranker = load_scorer(
            settings.models_dir, serving.model_version, manifest_sha256=serving.manifest_sha256
        )
    except CorruptModel:
        logger.exception("champion_unusable", extra={"model_version": serving.model_version})
        return None
    return Champion(ranker, serving.trained_until)


def _publish(engine: Engine, report: RetrainReport, checksum: str) -> None:
    """Register the version and, if the gate agreed, promote it: both or neither."""
    assert report.model_version is not None
    with writing(engine) as session:
        if session.get(ModelVersion, report.model_version) is None:
            register(
                session,
                model_version=report.model_version,
                created_at=report.as_of,
                trained_from=report.trained_from,
                trained_until=report.as_of,
                manifest_sha256=checksum,
                report=report.to_dict(),
                verdict=report.decision.to_dict(),
            )
        if report.decision.promote:
            promote(session, report.model_version, report.as_of)


def _report(
    examples: Examples,
    result: Challenge,
    tonight: Vitals,
    as_of: datetime,
    since: datetime,
    serving: ModelVersion | None,
    seconds: float,
) -> RetrainReport:
    return RetrainReport(
        as_of=as_of,
        trained_from=since,
        holdout_from=datetime.fromtimestamp(result.holdout_from_us / 1e6, tz=UTC),
        n_impressions=len(examples),
        n_clicks=examples.n_clicks,
        model_version=result.ranker.model_version if result.ranker else None,
        champion_version=serving.model_version if serving else None,
        evaluations=result.evaluations,
        decision=result.decision,
        learned=learned(result.ranker) if result.ranker else (),
        days=tonight.days,
        seconds=seconds,
    )


@contextmanager
def _leased(engine: Engine) -> Iterator[None]:
    """Hold the retraining lease. One left by a process of this machine that is gone is taken over at once."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    with writing(engine) as session:
        now = datetime.now(UTC)
        current = acquire_lease(session, LEASE, holder, now, LEASE_SECONDS)
        if current != holder and _is_gone(current):
            release_lease(session, LEASE, current)
            current = acquire_lease(session, LEASE, holder, now, LEASE_SECONDS)
    if current != holder:
        raise RetrainInProgress(current)
    try:
        yield
    finally:
        with writing(engine) as session:
            release_lease(session, LEASE, holder)


def _is_gone(holder: str) -> bool:
    """Whether a holder ran on this machine and runs no more."""
    host, _, rest = holder.partition(":")
    pid, _, _ = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
