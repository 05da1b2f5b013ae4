"""Remember every promotion, so that one can be taken back.

Revises: experiment_definitions
Made on: 2026-11-24
"""

import sqlalchemy as sa
from alembic import op

revision = "promotions"
down_revision = "experiment_definitions"
branch_labels = None
depends_on = None

NAME = sa.String(64)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "promotions",
        sa.Column("promotion_id", sa.Integer, nullable=False),
        sa.Column("model_version", NAME, nullable=False),
        sa.Column("promoted_at", TIME, nullable=False),
        sa.Column("withdrawn_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("promotion_id", name="pk_promotions"),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_versions.model_version"],
            name="fk_promotions_model_version_model_versions",
        ),
    )
    op.execute(
        "INSERT INTO promotions (model_version, promoted_at) "
        "SELECT model_version, moved_at FROM model_aliases WHERE alias = 'champion'"
    )


def downgrade() -> None:
    op.drop_table("promotions")
