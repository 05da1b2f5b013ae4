"""Drop two indexes of impressions that no question uses and every page had to write to.

A page shows many products in many styles, so each of its rows fell on a page of its own in both.

Revises: blended_impressions
Made on: 2026-11-29
"""

from alembic import op

revision = "fewer_indexes"
down_revision = "blended_impressions"
branch_labels = None
depends_on = None

COLUMNS = ("product_id", "style_id")


def upgrade() -> None:
    for column in COLUMNS:
        op.drop_index(f"ix_impressions_{column}", "impressions")


def downgrade() -> None:
    for column in COLUMNS:
        op.create_index(f"ix_impressions_{column}", "impressions", [column])
