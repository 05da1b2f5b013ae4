"""Numbers for the users and variants of a rollup, given when they first come."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from analytics.rollup.at import RollupAt
from analytics.rollup.tables import NOBODY


@dataclass(frozen=True)
class Numbering(RollupAt):
    """The names and numbers of a rollup."""

    def begin(self) -> None:
        """Number the time before the start, which is no variant and has no name."""
        self._add_variant("", NOBODY)

    def number(self, named: sa.Table, new: sa.Table) -> None:
        """Fill `new` with the rows of `named`, in the order of the user days.

        Users are looked up one by one: of a temporary table a database does not know how many rows it has,
        and for a join it might go through all users there are. Variants are few.
        """
        users = self.tables.user_numbers
        is_theirs = sa.and_(self.is_mine(users), users.c.user_id == named.c.user_id)
        self._add_users(named)
        numbers = {
            "user_no": sa.select(users.c.user_no).where(is_theirs).scalar_subquery(),
            "variant_no": sa.case(self._variants_of(named), value=named.c.variant),
        }
        found = [number.label(name) for name, number in numbers.items()]
        rest = [c for c in named.c if c.name in new.c]
        rows = sa.select(*found, *rest).order_by(*numbers)  # by name: SQLite would look up each user twice
        self.connection.execute(new.insert().from_select([*numbers, *(c.name for c in rest)], rows))

    def variants(self) -> dict[str, int]:
        """The number of each variant, of the time before the start, too."""
        variants = self.tables.variant_numbers
        query = sa.select(variants.c.variant, variants.c.variant_no).where(self.is_mine(variants))
        return {variant: int(n) for variant, n in self.connection.execute(query)}

    def ranks_by_name(self) -> dict[int, int]:
        """Where each variant stands, by number, when all are sorted by the bytes of their names."""
        by_name = sorted(self.variants().items(), key=lambda item: item[0].encode())
        return {number: rank for rank, (_, number) in enumerate(by_name)}

    def drop_unused(self, old: sa.Table) -> None:
        """Forget users of whom nothing is left but the number."""
        users, days = self.tables.user_numbers, self.tables.user_days
        is_used = sa.exists().where(self.is_mine(days), days.c.user_no == users.c.user_no)
        theirs = users.c.user_no.in_(sa.select(old.c.user_no))
        self.connection.execute(users.delete().where(self.is_mine(users), theirs, sa.not_(is_used)))

    def _add_users(self, named: sa.Table) -> None:
        users = self.tables.user_numbers
        is_known = sa.exists().where(self.is_mine(users), users.c.user_id == named.c.user_id)
        unknown = sa.select(self.id_column, named.c.user_id).distinct().where(sa.not_(is_known))
        added = users.insert().from_select(["rollup_id", "user_id"], unknown.order_by(named.c.user_id))
        self.connection.execute(added)

    def _variants_of(self, named: sa.Table) -> dict[str, int]:
        """The numbers of all variants there are, with those that come for the first time."""
        known = self.variants()
        found = self.connection.scalars(sa.select(named.c.variant).distinct())
        for variant in sorted(set(found).difference(known)):
            known[variant] = max(known.values()) + 1
            self._add_variant(variant, known[variant])
        return known

    def _add_variant(self, variant: str, number: int) -> None:
        row = {"rollup_id": self.rollup_id, "variant_no": number, "variant": variant}
        self.connection.execute(self.tables.variant_numbers.insert(), row)
