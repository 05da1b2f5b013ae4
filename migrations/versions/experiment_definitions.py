"""An experiment's version, traffic, layer, metrics and windows, and the version of each assignment.

Revises: ratings_of_pairs
Made on: 2026-11-24
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "experiment_definitions"
down_revision = "ratings_of_pairs"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ADDED = ("version", "traffic", "layer", "layer_start", "attribution_seconds", "pre_period_days")
METRICS = ("goals", "guardrails")


def upgrade() -> None:
    op.add_column("experiments", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("experiments", sa.Column("traffic", sa.Double, nullable=False, server_default="1"))
    op.add_column("experiments", sa.Column("layer", sa.String(64), nullable=True))
    op.add_column("experiments", sa.Column("layer_start", sa.Integer, nullable=False, server_default="0"))
    op.add_column(
        "experiments", sa.Column("attribution_seconds", sa.Double, nullable=False, server_default="86400")
    )
    op.add_column("experiments", sa.Column("pre_period_days", sa.Double, nullable=False, server_default="14"))
    for name in METRICS:
        op.add_column("experiments", sa.Column(name, JSON, nullable=True))
    op.add_column("assignments", sa.Column("version", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("assignments", "version")
    for name in (*ADDED, *METRICS):
        op.drop_column("experiments", name)
