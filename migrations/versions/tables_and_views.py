"""Every table, and the two views that analytics reads.

Revises: nothing, this is the first.
Made on: 2026-11-23
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "tables_and_views"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(128)
NAME = sa.String(64)
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _create_catalogue()
    _create_experiments()
    _create_log()
    _create_models()
    _create_ratings()
    _create_views()


def downgrade() -> None:
    op.execute("DROP VIEW experiment_unit_days")
    op.execute("DROP VIEW experiment_units")
    for table in (
        "ratings",
        "leases",
        "model_aliases",
        "model_versions",
        "purchases",
        "clicks",
        "impressions",
        "slates",
        "assignments",
        "experiments",
        "users",
        "styles",
        "products",
    ):
        op.drop_table(table)


def _create_catalogue() -> None:
    op.create_table(
        "products",
        sa.Column("product_id", ID, nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("category", ID, nullable=False),
        sa.Column("photo_sha256", sa.String(64), nullable=False),
        sa.Column("width_px", sa.Integer, nullable=False),
        sa.Column("height_px", sa.Integer, nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("product_id", name="pk_products"),
    )
    op.create_index("ix_products_category", "products", ["category"])
    op.create_table(
        "styles",
        sa.Column("style_id", NAME, nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("content_vector", JSON, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("style_id", name="pk_styles"),
    )


def _create_experiments() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_users"),
    )
    op.create_table(
        "experiments",
        sa.Column("name", NAME, nullable=False),
        sa.Column("salt", NAME, nullable=False),
        sa.Column("variants", JSON, nullable=False),
        sa.Column("policies", JSON, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("stopped_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_experiments"),
    )
    op.create_table(
        "assignments",
        sa.Column("experiment", NAME, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("variant", NAME, nullable=False),
        sa.Column("assigned_at", TIME, nullable=False),
        sa.Column("exposed_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("experiment", "user_id", name="pk_assignments"),
        _reference("assignments", "experiment", "experiments.name"),
        _reference("assignments", "user_id", "users.user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_assignments_user_id", "assignments", ["user_id"])


def _create_log() -> None:
    op.create_table(
        "slates",
        sa.Column("slate_id", NAME, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("served_at", TIME, nullable=False),
        sa.Column("context", JSON, nullable=False),
        sa.PrimaryKeyConstraint("slate_id", name="pk_slates"),
        _reference("slates", "user_id", "users.user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_slates_user_id", "slates", ["user_id"])
    op.create_table(
        "impressions",
        sa.Column("impression_id", NAME, nullable=False),
        sa.Column("slate_id", NAME, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("product_id", ID, nullable=False),
        sa.Column("style_id", NAME, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("shown_at", TIME, nullable=False),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("policy", NAME, nullable=False),
        sa.Column("model_version", NAME, nullable=False),
        sa.Column("experiment", NAME, nullable=True),
        sa.Column("variant", NAME, nullable=True),
        sa.PrimaryKeyConstraint("impression_id", name="pk_impressions"),
        sa.CheckConstraint("position >= 0", name="ck_impressions_position_from_zero"),
        sa.CheckConstraint(
            "propensity > 0 AND propensity <= 1", name="ck_impressions_propensity_in_unit_interval"
        ),
        _reference("impressions", "slate_id", "slates.slate_id", ondelete="CASCADE"),
        _reference("impressions", "user_id", "users.user_id", ondelete="CASCADE"),
        _reference("impressions", "product_id", "products.product_id"),
        _reference("impressions", "style_id", "styles.style_id"),
        _reference("impressions", "experiment", "experiments.name"),
    )
    op.create_index("ix_impressions_slate_id", "impressions", ["slate_id"])
    op.create_index("ix_impressions_product_id", "impressions", ["product_id"])
    op.create_index("ix_impressions_style_id", "impressions", ["style_id"])
    op.create_index("ix_impressions_shown_at", "impressions", ["shown_at"])
    op.create_index("ix_impressions_user_product_shown", "impressions", ["user_id", "product_id", "shown_at"])
    op.create_index(
        "ix_impressions_experiment_variant_user", "impressions", ["experiment", "variant", "user_id"]
    )
    op.create_table(
        "clicks",
        sa.Column("event_id", ID, nullable=False),
        sa.Column("impression_id", NAME, nullable=False),
        sa.Column("clicked_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_clicks"),
        _reference("clicks", "impression_id", "impressions.impression_id", ondelete="CASCADE"),
    )
    op.create_index("ix_clicks_impression_id", "clicks", ["impression_id"])
    op.create_index("ix_clicks_clicked_at", "clicks", ["clicked_at"])
    op.create_table(
        "purchases",
        sa.Column("event_id", ID, nullable=False),
        sa.Column("impression_id", NAME, nullable=False),
        sa.Column("purchased_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_purchases"),
        sa.CheckConstraint("value >= 0", name="ck_purchases_value_not_negative"),
        _reference("purchases", "impression_id", "impressions.impression_id", ondelete="CASCADE"),
    )
    op.create_index("ix_purchases_impression_id", "purchases", ["impression_id"])
    op.create_index("ix_purchases_purchased_at", "purchases", ["purchased_at"])


def _create_models() -> None:
    op.create_table(
        "model_versions",
        sa.Column("model_version", NAME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("trained_from", TIME, nullable=False),
        sa.Column("trained_until", TIME, nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("report", JSON, nullable=False),
        sa.Column("verdict", JSON, nullable=False),
        sa.PrimaryKeyConstraint("model_version", name="pk_model_versions"),
    )
    op.create_index("ix_model_versions_created_at", "model_versions", ["created_at"])
    op.create_table(
        "model_aliases",
        sa.Column("alias", NAME, nullable=False),
        sa.Column("model_version", NAME, nullable=False),
        sa.Column("moved_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("alias", name="pk_model_aliases"),
        _reference("model_aliases", "model_version", "model_versions.model_version"),
    )
    op.create_table(
        "leases",
        sa.Column("name", NAME, nullable=False),
        sa.Column("holder", ID, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _create_ratings() -> None:
    op.create_table(
        "ratings",
        sa.Column("rating_id", NAME, nullable=False),
        sa.Column("rater_id", ID, nullable=False),
        sa.Column("product_id", ID, nullable=False),
        sa.Column("style_id", NAME, nullable=False),
        sa.Column("other_style_id", NAME, nullable=True),
        sa.Column("preferred_style_id", NAME, nullable=True),
        sa.Column("score", sa.Integer, nullable=True),
        sa.Column("rated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("rating_id", name="pk_ratings"),
        sa.CheckConstraint(
            "score IS NULL OR (score >= 1 AND score <= 5)", name="ck_ratings_score_from_1_to_5"
        ),
        sa.CheckConstraint(
            "(score IS NULL) <> (preferred_style_id IS NULL)", name="ck_ratings_score_or_preference"
        ),
        _reference("ratings", "product_id", "products.product_id"),
        _reference("ratings", "style_id", "styles.style_id"),
        _reference("ratings", "other_style_id", "styles.style_id"),
        _reference("ratings", "preferred_style_id", "styles.style_id"),
    )
    op.create_index("ix_ratings_rater_id", "ratings", ["rater_id"])


def _create_views() -> None:
    """One row a user, and one row a user and day; revenue is in whole units of the currency.

    `clicks` counts impressions with at least one click, `purchases` counts purchases. The clicks
    and purchases are brought down to one row an impression before the join, so nothing multiplies.
    """
    op.execute(
        """
        CREATE VIEW experiment_units AS
        SELECT i.experiment, i.variant, i.user_id,
               COUNT(*) AS impressions,
               COUNT(c.impression_id) AS clicks,
               CAST(COALESCE(SUM(p.n_purchases), 0) AS BIGINT) AS purchases,
               CAST(COALESCE(SUM(p.value), 0) / 10000.0 AS DOUBLE PRECISION) AS revenue,
               MIN(i.shown_at) AS first_exposed_at
        FROM impressions i
        LEFT JOIN (SELECT DISTINCT impression_id FROM clicks) c ON c.impression_id = i.impression_id
        LEFT JOIN (
            SELECT impression_id, COUNT(*) AS n_purchases, SUM(value) AS value
            FROM purchases GROUP BY impression_id
        ) p ON p.impression_id = i.impression_id
        WHERE i.experiment IS NOT NULL
        GROUP BY i.experiment, i.variant, i.user_id
        """
    )
    op.execute(
        f"""
        CREATE VIEW experiment_unit_days AS
        SELECT i.experiment, i.variant, i.user_id, {_utc_day("i.shown_at")} AS day,
               COUNT(*) AS impressions,
               COUNT(c.impression_id) AS clicks
        FROM impressions i
        LEFT JOIN (SELECT DISTINCT impression_id FROM clicks) c ON c.impression_id = i.impression_id
        WHERE i.experiment IS NOT NULL
        GROUP BY i.experiment, i.variant, i.user_id, {_utc_day("i.shown_at")}
        """  # noqa: S608
    )


def _utc_day(column: str) -> str:
    """'YYYY-MM-DD'. A revision is frozen, so it spells out what the two databases do differently."""
    if op.get_context().dialect.name == "postgresql":
        return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    return f"substr({column}, 1, 10)"


def _reference(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete=ondelete)
