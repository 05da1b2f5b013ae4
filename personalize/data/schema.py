"""Tables: users, products, styles, slates, impressions, clicks, purchases, experiments,
assignments, model versions, their aliases and promotions, ratings.

Times are aware UTC (`UtcDateTime`), money is a `Decimal` (`Money`), every id is an opaque string.
Two views, `experiment_units` and `experiment_unit_days`, are made by the first migration: they
are what `analytics` reads.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

MAX_ID_LENGTH = 128
MAX_NAME_LENGTH = 64
MONEY_SCALE = 10_000
MAX_MONEY = Decimal(10) ** 14
ORIGINAL = "original"

Json = JSON().with_variant(JSONB(), "postgresql")
NullableJson = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
Id = String(MAX_ID_LENGTH)
Name = String(MAX_NAME_LENGTH)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, on databases with time zones and without. Naive times are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected an aware time, got the naive {value.isoformat()}; attach a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def money_units(amount: Decimal) -> int:
    """An amount in ten-thousandths, as it is stored.

    Raises:
        ValueError: not a finite Decimal, more than four decimals, or too large for 64 bits.

    >>> money_units(Decimal("24.90"))
    249000
    """
    if not isinstance(amount, Decimal) or not amount.is_finite():
        raise ValueError(f"expected a finite Decimal, got {amount!r}")
    if abs(amount) > MAX_MONEY:
        raise ValueError(f"expected an amount of at most {MAX_MONEY}, got {amount}")
    if amount != (rounded := amount.quantize(Decimal(1) / MONEY_SCALE)):
        raise ValueError(f"expected at most four decimals, got {amount}; round the amount first")
    return int(rounded * MONEY_SCALE)


class Money(TypeDecorator[Decimal]):
    """An amount, stored as an integer number of ten-thousandths so that sums in SQL are exact."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else money_units(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / MONEY_SCALE


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, Decimal: Money, dict[str, Any]: Json, list[float]: Json}  # noqa: RUF012


class User(Base):
    __tablename__ = "users"

    user_id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime]


class Product(Base):
    """A product and its photo; the photo's bytes lie in the photo folder under `photo_sha256`."""

    __tablename__ = "products"

    product_id: Mapped[str] = mapped_column(Id, primary_key=True)
    title: Mapped[str] = mapped_column(String(300))
    category: Mapped[str] = mapped_column(Id, index=True)
    photo_sha256: Mapped[str] = mapped_column(String(64))
    width_px: Mapped[int]
    height_px: Mapped[int]
    added_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Style(Base):
    """A style on offer. `original` is a row too: the unstyled photo, without a content vector."""

    __tablename__ = "styles"

    style_id: Mapped[str] = mapped_column(Name, primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    content_vector: Mapped[list[float]]
    is_active: Mapped[bool] = mapped_column(Boolean)
    added_at: Mapped[datetime]


class Slate(Base):
    """One answer to one request: the impressions that were shown together."""

    __tablename__ = "slates"

    slate_id: Mapped[str] = mapped_column(Name, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("users.user_id", ondelete="CASCADE"), index=True)
    served_at: Mapped[datetime]
    context: Mapped[dict[str, Any]]


class Impression(Base):
    """One style of one product at one position of a shown slate.

    `propensity` is the probability, in (0, 1], with which `policy` shows just this style.
    `model_version` is a registry version, or the name of the fallback that scored. `style_weights` are
    those of a blend that the style leads, null for the style alone.
    """

    __tablename__ = "impressions"
    __table_args__ = (
        CheckConstraint("propensity > 0 AND propensity <= 1", name="propensity_in_unit_interval"),
        CheckConstraint("position >= 0", name="position_from_zero"),
        Index("ix_impressions_user_product_shown", "user_id", "product_id", "shown_at"),
        Index("ix_impressions_experiment_variant_user", "experiment", "variant", "user_id"),
    )

    impression_id: Mapped[str] = mapped_column(Name, primary_key=True)
    slate_id: Mapped[str] = mapped_column(Name, ForeignKey("slates.slate_id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("users.user_id", ondelete="CASCADE"))
    product_id: Mapped[str] = mapped_column(Id, ForeignKey("products.product_id"))
    style_id: Mapped[str] = mapped_column(Name, ForeignKey("styles.style_id"))
    position: Mapped[int] = mapped_column(Integer)
    shown_at: Mapped[datetime] = mapped_column(index=True)
    propensity: Mapped[float] = mapped_column(Double)
    policy: Mapped[str] = mapped_column(Name)
    model_version: Mapped[str] = mapped_column(Name)
    experiment: Mapped[str | None] = mapped_column(Name, ForeignKey("experiments.name"))
    variant: Mapped[str | None] = mapped_column(Name)
    style_weights: Mapped[dict[str, Any] | None] = mapped_column(NullableJson)


class Click(Base):
    __tablename__ = "clicks"

    event_id: Mapped[str] = mapped_column(Id, primary_key=True)
    impression_id: Mapped[str] = mapped_column(
        Name, ForeignKey("impressions.impression_id", ondelete="CASCADE"), index=True
    )
    clicked_at: Mapped[datetime] = mapped_column(index=True)
    received_at: Mapped[datetime]


class Purchase(Base):
    """`value` is in whole units of `currency` (ISO 4217), e.g. Decimal("24.90") EUR."""

    __tablename__ = "purchases"
    __table_args__ = (CheckConstraint("value >= 0", name="value_not_negative"),)

    event_id: Mapped[str] = mapped_column(Id, primary_key=True)
    impression_id: Mapped[str] = mapped_column(
        Name, ForeignKey("impressions.impression_id", ondelete="CASCADE"), index=True
    )
    purchased_at: Mapped[datetime] = mapped_column(index=True)
    received_at: Mapped[datetime]
    value: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))


class Experiment(Base):
    """`variants` maps each variant to its share (summing to 1), `policies` to the policy that serves it.

    The other columns are those of `analytics.definition.Definition`; metrics are None for its defaults.
    `rates` maps a currency to what one of it is worth, as text such as "0.92"; None where none is given.
    """

    __tablename__ = "experiments"

    name: Mapped[str] = mapped_column(Name, primary_key=True)
    salt: Mapped[str] = mapped_column(Name)
    variants: Mapped[dict[str, Any]]
    policies: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    traffic: Mapped[float] = mapped_column(Double, server_default="1")
    layer: Mapped[str | None] = mapped_column(Name)
    layer_start: Mapped[int] = mapped_column(Integer, server_default="0")
    attribution_seconds: Mapped[float] = mapped_column(Double, server_default="86400")
    pre_period_days: Mapped[float] = mapped_column(Double, server_default="14")
    goals: Mapped[list[str] | None] = mapped_column(Json)
    guardrails: Mapped[list[str] | None] = mapped_column(Json)
    currency: Mapped[str | None] = mapped_column(String(3))
    rates: Mapped[dict[str, Any] | None] = mapped_column(NullableJson)


class Assignment(Base):
    """A user's variant under a version of the experiment; `exposed_at` is the first impression under it."""

    __tablename__ = "assignments"

    experiment: Mapped[str] = mapped_column(Name, ForeignKey("experiments.name"), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        Id, ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    variant: Mapped[str] = mapped_column(Name)
    assigned_at: Mapped[datetime]
    exposed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class ModelVersion(Base):
    """A trained ranker: its files lie in the models folder under `model_version`.

    `report` holds what was measured on the held-back days, `verdict` the gate's decision.
    """

    __tablename__ = "model_versions"

    model_version: Mapped[str] = mapped_column(Name, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
    trained_from: Mapped[datetime]
    trained_until: Mapped[datetime]
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    report: Mapped[dict[str, Any]]
    verdict: Mapped[dict[str, Any]]


class ModelAlias(Base):
    """`champion` serves, `challenger` is the latest candidate; promotion moves a row in one transaction."""

    __tablename__ = "model_aliases"

    alias: Mapped[str] = mapped_column(Name, primary_key=True)
    model_version: Mapped[str] = mapped_column(Name, ForeignKey("model_versions.model_version"))
    moved_at: Mapped[datetime]


class Promotion(Base):
    """One time that a version became champion, in order of `promotion_id`; `withdrawn_at` if taken back."""

    __tablename__ = "promotions"

    promotion_id: Mapped[int] = mapped_column(primary_key=True)
    model_version: Mapped[str] = mapped_column(Name, ForeignKey("model_versions.model_version"))
    promoted_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class Lease(Base):
    """A named lock with an end, so that a killed holder does not block for ever."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Name, primary_key=True)
    holder: Mapped[str] = mapped_column(Id)
    expires_at: Mapped[datetime]


class Rating(Base):
    """A human judgement of a product's render: a 1-5 `score` of one style, or a comparison of two.

    In a comparison `style_id` stood on the left and `other_style_id` on the right;
    `preferred_style_id` is one of them, or null when neither was preferred. `network_version` is
    the network that painted them, null when that is not known.
    """

    __tablename__ = "ratings"
    __table_args__ = (
        CheckConstraint("score IS NULL OR (score >= 1 AND score <= 5)", name="score_from_1_to_5"),
        CheckConstraint("(score IS NULL) = (other_style_id IS NOT NULL)", name="score_or_pair"),
        CheckConstraint(
            "preferred_style_id IS NULL OR (other_style_id IS NOT NULL "
            "AND preferred_style_id IN (style_id, other_style_id))",
            name="preferred_was_shown",
        ),
        CheckConstraint("other_style_id IS NULL OR other_style_id <> style_id", name="two_different_styles"),
    )

    rating_id: Mapped[str] = mapped_column(Id, primary_key=True)
    rater_id: Mapped[str] = mapped_column(Id, index=True)
    product_id: Mapped[str] = mapped_column(Id, ForeignKey("products.product_id"))
    style_id: Mapped[str] = mapped_column(Name, ForeignKey("styles.style_id"))
    other_style_id: Mapped[str | None] = mapped_column(Name, ForeignKey("styles.style_id"))
    preferred_style_id: Mapped[str | None] = mapped_column(Name, ForeignKey("styles.style_id"))
    score: Mapped[int | None]
    rated_at: Mapped[datetime]
    network_version: Mapped[str | None] = mapped_column(Name)
