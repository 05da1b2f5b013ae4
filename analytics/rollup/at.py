"""What every part of a refresh looks at."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import sqlalchemy as sa

from analytics.cleaning import Cleaning
from analytics.definition import Definition
from analytics.rollup.tables import RollupTables
from analytics.sql.logs import LogTables

Part = TypeVar("Part", bound="RollupAt")


@dataclass(frozen=True)
class RollupAt:
    """The rollup of one experiment on one connection, and the logs that it is made of."""

    connection: sa.Connection
    definition: Definition
    rules: Cleaning
    logs: LogTables
    tables: RollupTables
    rollup_id: int

    def as_part(self, part: type[Part]) -> Part:
        """The same, with what the part can do."""
        return part(*(getattr(self, field.name) for field in fields(RollupAt)))

    def is_mine(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """Whether a row of one of the tables is of this rollup."""
        mine: sa.ColumnElement[bool] = table.c.rollup_id == self.rollup_id
        return mine

    @property
    def id_column(self) -> sa.ColumnElement[Any]:
        """The rollup's id, to be selected beside rows that become its own."""
        return sa.literal(self.rollup_id, sa.Integer)
