"""User totals and a user x variant x day rollup inside the database, kept up to date by increments.

A refresh looks at how many rows each log has on each day. Days that changed are folded again: their
rows leave the rollup and come back as the log stands now. So a day that is replayed, an event that
comes late and a rebuild from nothing all end in the same tables, row for row. What is folded is the
whole day when impressions came, and only the users concerned when clicks did.

Amounts are kept as whole numbers of `value_units`, so that adding and taking away loses no digit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.definition import Definition
from analytics.errors import InvalidRequest
from analytics.rollup.refresh import Progress, Refresh, Refreshing
from analytics.rollup.tables import LAYOUT, RollupTables
from analytics.sql.logs import EventLogs, LogTables
from analytics.sql.pairs import pairs_of_log


@dataclass(frozen=True)
class Rollup:
    """The rollup of one experiment.

    Args:
        definition: its window and pre-period decide which days are looked at.
        cleaning: the rules; those for users are applied when it is read, so they may change at will.
    """

    definition: Definition
    logs: EventLogs = field(default_factory=EventLogs)
    cleaning: Cleaning = field(default_factory=Cleaning)

    @property
    def rules(self) -> Cleaning:
        """The rules within the experiment's window."""
        return self.cleaning.within(self.definition)

    def refresh(self, engine: sa.Engine, on_progress: Progress = lambda *_: None) -> Refresh:
        """Bring the tables to what the logs say now, a day at a time.

        Others may record, erase and refresh meanwhile; `analytics.rollup.refresh` says how.

        Args:
            on_progress: called with the days folded and those there are to fold.
        Raises:
            InvalidRequest: the impressions have no time, so there are no days.
            UnreadableSource, MissingColumns: as `LogTables.find`.
            DatabaseBusy: somebody else wrote to the database for a minute.
            RollupTaken: another refresh began the rollup anew with other rules.
        """
        if self.logs.shown_at is None:
            raise InvalidRequest("a rollup by day needs the time of each impression; name its column")
        with engine.begin() as connection:
            logs = LogTables.find(connection, self.logs)
            pairs = pairs_of_log(connection.dialect.name, logs, self.rules, None)
            tables = RollupTables.of(pairs.columns, pairs.dropped)
            tables.make(connection)
        return Refreshing(
            engine, self.definition, self.rules, self.made_with(), logs, tables, on_progress
        ).run()

    def made_with(self) -> str:
        """All that the rows depend on; another text means to begin from nothing."""
        rules = self.rules.to_dict()
        for later in ("two_variants", "bots", "bot_impressions"):
            del rules[later]
        if self.rules.currency is None:  # as before there were any, so that a rollup of then is still good
            del rules["currency"], rules["rates"]
        logs = {"impressions": self.logs.impressions, "columns": list(self.logs.columns)}
        pre_period = self.definition.pre_period.total_seconds()
        made_with = {"layout": LAYOUT, "rules": rules, "pre_period": pre_period, "logs": logs}
        return json.dumps(made_with, sort_keys=True)


def forget_user(connection: sa.Connection, user_id: str) -> int:
    """Delete a user's rows of every rollup; returns how many there were. Without rollups that is 0.

    The next refresh sees the days from which rows are gone and folds them anew.
    """
    inspector = sa.inspect(connection)
    names = sa.table("analytics_user_numbers", *map(sa.column, ("user_no", "rollup_id", "user_id")))
    known = sa.select(names.c.rollup_id, names.c.user_no).where(names.c.user_id == user_id)
    deletions = []
    for name in ("analytics_user_days", "analytics_user_totals"):
        if inspector.has_table(name):
            table = sa.table(name, *map(sa.column, ("rollup_id", "user_no", "user_id")))
            theirs: sa.ColumnElement[bool] = sa.tuple_(table.c.rollup_id, table.c.user_no).in_(known)
            if any(column["name"] == "user_id" for column in inspector.get_columns(name)):
                theirs = table.c.user_id == user_id  # a rollup of before users had numbers
            deletions.append(table.delete().where(theirs))
    has_numbers = inspector.has_table(names.name)
    n_rows = sum(connection.execute(deletion).rowcount for deletion in deletions)
    if has_numbers:
        connection.execute(names.delete().where(names.c.user_id == user_id))
    return n_rows
