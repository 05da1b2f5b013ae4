"""The currency in which an experiment's amounts count, and the rates that convert others to it.

Rates are kept as text, {"USD": "0.92"}: a JSON number would come back as the nearest binary fraction.

Revises: fewer_indexes
Made on: 2026-11-29
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "experiment_currency"
down_revision = "fewer_indexes"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("experiments", sa.Column("currency", sa.String(3), nullable=True))
    op.add_column("experiments", sa.Column("rates", JSON, nullable=True))


def downgrade() -> None:
    for name in ("rates", "currency"):
        op.drop_column("experiments", name)
