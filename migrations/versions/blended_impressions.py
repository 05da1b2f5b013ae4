"""Let an impression say which styles were blended.

Revises: promotions
Made on: 2026-11-24
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "blended_impressions"
down_revision = "promotions"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.add_column("impressions", sa.Column("style_weights", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("impressions", "style_weights")
