"""What a rollup holds, with names in the place of numbers, which depend on who came first."""

from typing import Any

import sqlalchemy as sa

TABLES = ("log_days", "dropped", "user_days", "user_totals")


def contents(connection: sa.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in order; every user and variant that is known is in one of them."""
    found = {}
    for table in TABLES:
        rows = connection.execute(sa.text(f"SELECT * FROM analytics_{table}")).mappings()
        found[table] = [dict(row) for row in rows]
    for key, name in (("user_no", "user_id"), ("variant_no", "variant")):
        table = f"analytics_{key.removesuffix('_no')}_numbers"
        names = dict(map(tuple, connection.execute(sa.text(f"SELECT {key}, {name} FROM {table}"))))
        rows = [*found["user_days"], *found["user_totals"]]
        if key == "user_no":
            assert {row[key] for row in rows} == set(names)
        for row in rows:
            row[key] = names[row[key]]
    connection.commit()
    return {table: sorted((tuple(row.values()) for row in rows), key=str) for table, rows in found.items()}


def drop_rollups(connection: sa.Connection) -> None:
    for table in (*TABLES, "rollups", "user_numbers", "variant_numbers"):
        connection.execute(sa.text(f"DROP TABLE analytics_{table}"))
    connection.commit()
