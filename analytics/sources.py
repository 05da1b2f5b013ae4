"""Where the units are: one database or one file, read into the same sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from analytics.errors import InvalidRequest, UnknownVariant
from analytics.metrics import CTR, Metric
from analytics.units import COLUMNS, ExperimentSums, UnitDays

CONTROL_NAMES = ("control", "original")
"""What the variant without the change is usually called."""


@dataclass(frozen=True)
class Source:
    """What to read, and what its tables and columns are called.

    Attributes:
        database, experiment: a URL or the path of an SQLite file, and the experiment's name; or
        totals: a CSV or Parquet file with one row per user; or
        events: a CSV or Parquet file with one row per impression.
        relations, columns: our name -> theirs, where they differ; see `database` and `files`.
        shares: planned shares, which take the place of those in the database.
    """

    database: str | None = None
    experiment: str | None = None
    totals: Path | None = None
    events: Path | None = None
    relations: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, float] | None = None

    def read(self, metric: Metric = CTR) -> ExperimentSums:
        """The sums that `metric` needs, among those read anyway.

        Raises:
            InvalidRequest: not exactly one of database, totals and events; a database without experiment.
            Others: what `read_experiment`, `read_totals` and `read_events` raise.
        """
        if sum(source is not None for source in (self.database, self.totals, self.events)) != 1:
            raise InvalidRequest("name one source: --database with --experiment, or --totals, or --events")
        wanted = tuple(dict.fromkeys([*COLUMNS, *metric.columns]))
        found = self._read_database(wanted) if self.database else self._read_file(wanted)
        return replace(found, shares=self.shares or found.shares)

    def _read_database(self, wanted: Sequence[str]) -> ExperimentSums:
        from analytics.database import Relations, read_experiment

        if not self.experiment:
            raise InvalidRequest("a database holds many experiments: name one with --experiment")
        relations = replace(Relations(), **self.relations)
        return read_experiment(self.database or "", self.experiment, columns=wanted, relations=relations)

    def _read_file(self, wanted: Sequence[str]) -> ExperimentSums:
        from analytics.files import ColumnNames, read_events, read_totals

        names = replace(ColumnNames(), **self.columns)
        if self.totals is not None:
            units = read_totals(self.totals, names=names, columns=wanted)
            return ExperimentSums(units.moments(), None, None)
        events = read_events(self.events or "", names=names)
        if isinstance(events, UnitDays):
            return ExperimentSums(events.units().moments(), events.cumulative_moments() or None, None)
        return ExperimentSums(events.moments(), None, None)


def default_control(sums: ExperimentSums) -> str:
    """The variant called `control`, else the one called `original`.

    Not the first of the plan: a database may store its JSON in another order.

    Raises:
        UnknownVariant: there is neither, so the caller has to choose.
    """
    names = {*(sums.shares or {}), *sums.moments}
    for name in CONTROL_NAMES:
        if name in names or not names:
            return name
    raise UnknownVariant(CONTROL_NAMES[0], names)
