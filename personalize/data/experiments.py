"""Experiments: who is in which variant, the same in every process, moved only by a new version.

The hash itself is `analytics.assignment`, so that an analysis can ask who belonged where.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from analytics.assignment import free_range, traffic_range, variant_of
from analytics.currencies import rates_as_text
from analytics.definition import CTR_TEXT, DAY, Definition, parse_definition, read_settings
from analytics.errors import AnalyticsError
from analytics.rollup import forget_user as forget_user
from personalize.data.database import in_chunks, insert_new, upsert
from personalize.data.identifiers import checked_id
from personalize.data.schema import Assignment, Experiment
from personalize.data.users import ensure_users
from personalize.errors import ExperimentRefused, UnknownExperiment

FIXED = ("salt", "variants", "policies", "layer")
"""What only a new version may change."""


@dataclass(frozen=True)
class ExperimentPlan(Definition):
    """A definition, and the policy that serves each variant; both are ordered by variant name."""

    policies: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON; what a file of `personalize experiments apply` holds."""
        return super().to_dict() | {"policies": dict(self.policies)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if set(self.policies) != set(self.variants):
            raise ValueError(
                f"expected one policy for each of {sorted(self.variants)}, got {sorted(self.policies)}"
            )
        for name in ("variants", "policies"):
            object.__setattr__(self, name, dict(sorted(getattr(self, name).items())))


def read_plan(path: Path) -> ExperimentPlan:
    """The plan in a TOML or JSON file: the keys of `Definition`, and `policies` by variant.

    A variant without a policy of its own is served by that of its name.

    Raises:
        ExperimentRefused: the file cannot be read, or a value cannot be; the sentence says which.
    """
    with refused(str(path)):
        settings = read_settings(path)
        policies = settings.pop("policies", {})
        definition = parse_definition(settings)
        values = {f.name: getattr(definition, f.name) for f in fields(Definition)}
        return ExperimentPlan(**values, policies=_by_variant(policies, definition))


def _by_variant(policies: Any, definition: Definition) -> dict[str, str]:
    if not isinstance(policies, Mapping):
        raise ValueError("policies wants one table, such as personal = 'personal'")
    unknown = sorted(set(policies) - set(definition.variants))
    if unknown:
        raise ValueError(f"there is a policy for {unknown[0]!r}, which is no variant")
    return {variant: str(policies.get(variant, variant)) for variant in definition.variants}


@contextmanager
def refused(source: str) -> Iterator[None]:
    """What cannot be, said of its source: whatever is wrong inside is an `ExperimentRefused`."""
    try:
        yield
    except (AnalyticsError, ValueError) as error:
        raise ExperimentRefused(source, str(error)) from error


def create_experiment(
    session: Session,
    name: str,
    variants: Mapping[str, float],
    policies: Mapping[str, str],
    salt: str,
    now: datetime,
) -> ExperimentPlan:
    """Store an experiment that starts now, on all users; see `store_experiment`."""
    checked_id("experiment", name)
    return store_experiment(
        session, ExperimentPlan(name, variants, salt, started_at=now, policies=policies), now
    )


def store_experiment(session: Session, plan: ExperimentPlan, now: datetime) -> ExperimentPlan:
    """Store an experiment, in a free part of its layer; one that is there already is returned as it is.

    It starts now when the plan does not say when.

    Raises:
        ValueError: an experiment of this name with another content (`change_experiment` is for that), or
            a layer without enough room beside the experiments that run in it.
        InvalidIdentifier: the name or a variant cannot be an id.
    """
    checked_id("experiment", plan.name)
    for variant in plan.variants:
        checked_id("variant", variant)
    existing = session.get(Experiment, plan.name)
    if existing is None:
        plan = replace(_placed(session, plan), started_at=plan.started_at or now)
        insert_new(session, Experiment, [_row(plan)], "name")
    stored = read_experiment(session, plan.name)
    if any(getattr(stored, key) != getattr(plan, key) for key in (*FIXED, "version")):
        raise ValueError(
            f"experiment {plan.name!r} exists with other variants, policies or salt; "
            "use a new name, or raise its version"
        )
    return stored


def change_experiment(session: Session, plan: ExperimentPlan, now: datetime) -> ExperimentPlan:
    """Replace a stored definition: within a version nobody moves, a new version shuffles everybody.

    Within a version the traffic may grow and the stop, the metrics, the windows and the currency with
    its rates may change. The next version may change all of it, and starts now unless the plan names
    a later start, so that what was seen under the old one is outside its window.

    Raises:
        UnknownExperiment: no experiment of that name.
        ValueError: the change would move assigned users without a new version, or skips a version.
    """
    stored = read_experiment(session, plan.name)
    if plan.version == stored.version:
        moved = [key for key in FIXED if getattr(plan, key) != getattr(stored, key)]
        if moved or plan.traffic < stored.traffic:
            what = " and ".join(moved) or "less traffic"
            raise ValueError(f"{what} would move users of {plan.name!r}; raise its version to do that")
        plan = replace(plan, started_at=stored.started_at)
    elif plan.version != stored.version + 1:
        raise ValueError(f"{plan.name!r} is at version {stored.version}; the next is {stored.version + 1}")
    else:
        later = plan.started_at and stored.started_at and plan.started_at > stored.started_at
        plan = replace(plan, started_at=plan.started_at if later else now)
    row = _row(_placed(session, plan, kept=stored))
    session.execute(update(Experiment).where(Experiment.name == plan.name).values(**row))
    session.expire_all()
    return read_experiment(session, plan.name)


def apply_experiment(session: Session, plan: ExperimentPlan, now: datetime) -> tuple[ExperimentPlan, bool]:
    """Store a new experiment, or change the stored one to this plan; with whether anything is different now.

    A plan that does not say when it starts keeps the start that is stored.

    Raises:
        ValueError, InvalidIdentifier: as `store_experiment` and `change_experiment`.
    """
    if session.get(Experiment, plan.name) is None:
        return store_experiment(session, plan, now), True
    stored = read_experiment(session, plan.name)
    wanted = replace(plan, layer_start=stored.layer_start, started_at=plan.started_at or stored.started_at)
    if wanted == stored:
        return stored, False
    return change_experiment(session, plan, now), True


def stop_experiment(session: Session, name: str, now: datetime) -> ExperimentPlan:
    """End an experiment now: nobody joins any more, and what is shown from now on does not count.

    One that has ended keeps its end.

    Raises:
        UnknownExperiment: no experiment of that name.
        ValueError: it has not started yet.
    """
    stored = read_experiment(session, name)
    if stored.stopped_at is not None and stored.stopped_at <= now:
        return stored
    return change_experiment(session, replace(stored, stopped_at=now), now)


def read_experiments(session: Session) -> list[ExperimentPlan]:
    """Every stored experiment, the latest start first."""
    names = session.scalars(select(Experiment.name)).all()
    plans = sorted((read_experiment(session, name) for name in names), key=lambda plan: plan.name)
    return sorted(plans, key=lambda plan: plan.started_at.timestamp() if plan.started_at else 0, reverse=True)


def read_experiment(session: Session, name: str) -> ExperimentPlan:
    """
    Raises:
        UnknownExperiment: no experiment of that name.
    """
    row = session.get(Experiment, name)
    if row is None:
        raise UnknownExperiment(name)
    return ExperimentPlan(
        name=row.name,
        variants=row.variants,
        salt=row.salt,
        version=row.version,
        traffic=row.traffic,
        layer=row.layer,
        layer_start=row.layer_start,
        started_at=row.started_at,
        stopped_at=row.stopped_at,
        attribution=timedelta(seconds=row.attribution_seconds),
        goals=tuple(row.goals or (CTR_TEXT,)),
        guardrails=tuple(row.guardrails or ()),
        pre_period=row.pre_period_days * DAY,
        currency=row.currency,
        rates=row.rates or {},
        policies=row.policies,
    )


def _row(plan: ExperimentPlan) -> dict[str, Any]:
    row = asdict(plan)
    row["attribution_seconds"] = row.pop("attribution").total_seconds()
    row["pre_period_days"] = row.pop("pre_period") / DAY
    rates = rates_as_text(plan.rates) or None
    return row | {"goals": list(plan.goals), "guardrails": list(plan.guardrails), "rates": rates}


def _placed(session: Session, plan: ExperimentPlan, kept: ExperimentPlan | None = None) -> ExperimentPlan:
    """The plan with a part of its layer that no other running experiment has; its own place if it fits."""
    if plan.layer is None:
        return replace(plan, layer_start=0)
    others = session.scalars(
        select(Experiment.name).where(
            Experiment.layer == plan.layer, Experiment.name != plan.name, Experiment.stopped_at.is_(None)
        )
    ).all()
    taken = [traffic_range(read_experiment(session, name)) for name in others]
    if kept is not None and kept.layer == plan.layer:
        first, end = traffic_range(replace(plan, layer_start=kept.layer_start))
        if all(end <= start or stop <= first for start, stop in taken):
            return replace(plan, layer_start=first)
    first_free = free_range(taken, traffic_range(replace(plan, layer_start=0))[1])
    if first_free is None or (kept is not None and kept.version == plan.version):
        raise ValueError(
            f"layer {plan.layer!r} has no room for {100 * plan.traffic:g}% of the users beside "
            f"{', '.join(sorted(others)) or 'nothing'}; ask for less, or stop one"
        )
    return replace(plan, layer_start=first_free)


def assign(
    session: Session, experiment: ExperimentPlan, user_ids: Iterable[str], now: datetime
) -> dict[str, str]:
    """The variant of each user who is in the experiment; what a version gave first is kept for good.

    Users outside its traffic are not in it, and nobody joins before the start or from the stop on.
    """
    wanted = sorted(set(user_ids))
    known = _stored(session, experiment, wanted)
    drawn = {user_id: variant_of(experiment, user_id) for user_id in wanted if user_id not in known}
    rows = [
        {
            "experiment": experiment.name,
            "user_id": user_id,
            "variant": variant,
            "assigned_at": now,
            "exposed_at": None,
            "version": experiment.version,
        }
        for user_id, variant in drawn.items()
        if variant is not None and is_running(experiment, now)
    ]
    if not rows:
        return known
    ensure_users(session.connection(), (str(row["user_id"]) for row in rows), now)
    upsert(session, Assignment, rows, where=Assignment.version < experiment.version)
    return known | _stored(session, experiment, [str(row["user_id"]) for row in rows])


def may_join(experiment: ExperimentPlan, user_id: str, now: datetime) -> bool:
    """Whether the user is in the experiment or would be when next seen."""
    return is_running(experiment, now) and variant_of(experiment, user_id) is not None


def is_running(experiment: ExperimentPlan, now: datetime) -> bool:
    """Whether `now` lies in [started_at, stopped_at)."""
    started, stopped = experiment.started_at, experiment.stopped_at
    return (started is None or now >= started) and (stopped is None or now < stopped)


def _stored(session: Session, experiment: ExperimentPlan, user_ids: list[str]) -> dict[str, str]:
    stored: dict[str, str] = {}
    for chunk in in_chunks(user_ids):
        query = select(Assignment.user_id, Assignment.variant).where(
            Assignment.experiment == experiment.name,
            Assignment.version >= experiment.version,
            Assignment.user_id.in_(chunk),
        )
        stored.update((user_id, variant) for user_id, variant in session.execute(query))
    return stored
