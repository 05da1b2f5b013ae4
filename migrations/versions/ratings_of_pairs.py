"""Ratings that know their sides and ties, and which network painted what was judged.

Revises: tables_and_views.
Made on: 2026-11-24
"""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op
from alembic.operations.base import BatchOperations

revision = "ratings_of_pairs"
down_revision = "tables_and_views"
branch_labels = None
depends_on = None

ID = sa.String(128)
NAME = sa.String(64)
TIME = sa.DateTime(timezone=True)

# the first revision's names came out with their prefix twice
BEFORE = {
    "ck_ratings_ck_ratings_score_from_1_to_5": "score IS NULL OR (score >= 1 AND score <= 5)",
    "ck_ratings_ck_ratings_score_or_preference": "(score IS NULL) <> (preferred_style_id IS NULL)",
}
AFTER = {
    "ck_ratings_score_from_1_to_5": "score IS NULL OR (score >= 1 AND score <= 5)",
    "ck_ratings_score_or_pair": "(score IS NULL) = (other_style_id IS NOT NULL)",
    "ck_ratings_preferred_was_shown": "preferred_style_id IS NULL OR (other_style_id IS NOT NULL "
    "AND preferred_style_id IN (style_id, other_style_id))",
    "ck_ratings_two_different_styles": "other_style_id IS NULL OR other_style_id <> style_id",
}


def upgrade() -> None:
    with op.batch_alter_table("ratings", copy_from=_ratings(NAME, [], BEFORE)) as table:
        table.alter_column("rating_id", existing_type=NAME, type_=ID, existing_nullable=False)
        table.add_column(_network_version())
        _exchange(table, BEFORE, AFTER)


def downgrade() -> None:
    """The older table has no place for a comparison without a preference, nor for a longer id."""
    op.execute(
        "DELETE FROM ratings WHERE (score IS NULL AND preferred_style_id IS NULL) OR length(rating_id) > 64"
    )
    with op.batch_alter_table("ratings", copy_from=_ratings(ID, [_network_version()], AFTER)) as table:
        _exchange(table, AFTER, BEFORE)
        table.drop_column("network_version")
        table.alter_column("rating_id", existing_type=ID, type_=NAME, existing_nullable=False)


def _exchange(table: BatchOperations, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    for name in old:
        table.drop_constraint(op.f(name), type_="check")
    for name, condition in new.items():
        table.create_check_constraint(op.f(name), condition)


def _network_version() -> sa.Column[str]:
    return sa.Column("network_version", NAME, nullable=True)


def _ratings(rating_id: sa.String, more: list[sa.Column[str]], checks: Mapping[str, str]) -> sa.Table:
    """The whole table, spelled out: SQLite makes it anew, and may have to without looking at it."""
    return sa.Table(
        "ratings",
        sa.MetaData(),
        sa.Column("rating_id", rating_id, nullable=False),
        sa.Column("rater_id", ID, nullable=False),
        sa.Column("product_id", ID, nullable=False),
        sa.Column("style_id", NAME, nullable=False),
        sa.Column("other_style_id", NAME, nullable=True),
        sa.Column("preferred_style_id", NAME, nullable=True),
        sa.Column("score", sa.Integer, nullable=True),
        sa.Column("rated_at", TIME, nullable=False),
        *more,
        sa.PrimaryKeyConstraint("rating_id", name="pk_ratings"),
        *(sa.CheckConstraint(condition, name=name) for name, condition in checks.items()),
        _reference("product_id", "products.product_id"),
        _reference("style_id", "styles.style_id"),
        _reference("other_style_id", "styles.style_id"),
        _reference("preferred_style_id", "styles.style_id"),
        sa.Index("ix_ratings_rater_id", "rater_id"),
    )


def _reference(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_ratings_{column}")
