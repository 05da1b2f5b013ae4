"""All that is asked of a database, alike in SQLite and PostgreSQL: sums come back, rows stay there."""
