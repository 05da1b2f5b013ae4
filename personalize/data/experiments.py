"""Experiments: who is in which variant, the same in every process and for good."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from sqlalchemy import select
from sqlalchemy.orm import Session

from personalize.data.database import in_chunks, insert_new
from personalize.data.identifiers import checked_id
from personalize.data.schema import Assignment, Experiment
from personalize.data.users import ensure_users
from personalize.errors import UnknownExperiment

N_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """An experiment as it was created: `variants` maps each variant to its share of the users,
    `policies` to the policy that serves it. Both are ordered by variant name."""

    name: str
    salt: str
    variants: Mapping[str, float]
    policies: Mapping[str, str]
    started_at: datetime
    stopped_at: datetime | None = None


def create_experiment(
    session: Session,
    name: str,
    variants: Mapping[str, float],
    policies: Mapping[str, str],
    salt: str,
    now: datetime,
) -> ExperimentPlan:
    """Store an experiment; one of the same name and content is returned as it is.

    Raises:
        ValueError: shares that do not sum to 1, a variant without policy, or an experiment of this
            name with another content: users who were assigned under it cannot be moved.
        InvalidIdentifier: the name or a variant cannot be an id.
    """
    checked_id("experiment", name)
    for variant in variants:
        checked_id("variant", variant)
    if abs(sum(variants.values()) - 1) > 1e-9 or not all(share > 0 for share in variants.values()):
        raise ValueError(f"expected positive shares that sum to 1, got {dict(variants)}")
    if set(policies) != set(variants):
        raise ValueError(f"expected one policy for each of {sorted(variants)}, got {sorted(policies)}")
    row = {
        "name": name,
        "salt": salt,
        "variants": dict(variants),
        "policies": dict(policies),
        "started_at": now,
        "stopped_at": None,
    }
    is_new = insert_new(session, Experiment, [row], "name")
    stored = read_experiment(session, name)
    given = (salt, dict(variants), dict(policies))
    if not is_new and (stored.salt, dict(stored.variants), dict(stored.policies)) != given:
        raise ValueError(f"experiment {name!r} exists with other variants, policies or salt; use a new name")
    return stored


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
        salt=row.salt,
        variants=dict(sorted(row.variants.items())),
        policies=dict(sorted(row.policies.items())),
        started_at=row.started_at,
        stopped_at=row.stopped_at,
    )


def bucket(salt: str, unit: str) -> int:
    """The unit's bucket in [0, N_BUCKETS): the first 8 bytes of sha256(salt + ":" + unit), modulo N_BUCKETS.

    Both are encoded as UTF-8, the 8 bytes are read big endian. 2^64 is so much larger than the
    number of buckets that the modulo favours none by more than 1 in 10^15.

    >>> bucket("demo", "ada"), bucket("demo", "grace")
    (6217, 5572)
    """
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % N_BUCKETS


def variant_of(experiment: ExperimentPlan, user_id: str) -> str:
    """The variant that the user's bucket falls into.

    Variants take half-open ranges of buckets, [start, end), one after the other in the order of
    their names; the cumulative shares are rounded to whole buckets.
    """
    names = sorted(experiment.variants)
    ends = accumulate(experiment.variants[name] for name in names)
    place = bucket(experiment.salt, user_id)
    inside = (name for name, end in zip(names, ends, strict=True) if place < round(end * N_BUCKETS))
    return next(inside, names[-1])


def assign(
    session: Session, experiment: ExperimentPlan, user_ids: Iterable[str], now: datetime
) -> dict[str, str]:
    """Each user's variant; the first one given is stored and kept for good."""
    wanted = sorted(set(user_ids))
    known = _stored(session, experiment.name, wanted)
    missing = [user_id for user_id in wanted if user_id not in known]
    if not missing:
        return known
    ensure_users(session, missing, now)
    rows = [
        {
            "experiment": experiment.name,
            "user_id": user_id,
            "variant": variant_of(experiment, user_id),
            "assigned_at": now,
            "exposed_at": None,
        }
        for user_id in missing
    ]
    insert_new(session, Assignment, rows, "user_id")
    return known | _stored(session, experiment.name, missing)


def _stored(session: Session, name: str, user_ids: list[str]) -> dict[str, str]:
    stored: dict[str, str] = {}
    for chunk in in_chunks(user_ids):
        query = select(Assignment.user_id, Assignment.variant).where(
            Assignment.experiment == name, Assignment.user_id.in_(chunk)
        )
        stored.update((user_id, variant) for user_id, variant in session.execute(query))
    return stored
