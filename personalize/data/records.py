"""What passes between the rooms: decisions, events and their outcomes, as plain frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True)
class ShownStyle:
    """One impression: the style of one product at one position of a slate, and why it was shown.

    `style_weights` are those of a blend that the style leads; None for the style alone.
    """

    impression_id: str
    slate_id: str
    user_id: str
    product_id: str
    style_id: str
    position: int
    shown_at: datetime
    propensity: float
    policy: str
    model_version: str
    experiment: str | None = None
    variant: str | None = None
    style_weights: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ClickEvent:
    """A shopper opened the product behind an impression."""

    event_id: str
    impression_id: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class PurchaseEvent:
    """A shopper bought the product behind an impression; `value` is in units of `currency`."""

    event_id: str
    impression_id: str
    occurred_at: datetime
    value: Decimal
    currency: str


Event = ClickEvent | PurchaseEvent


class EventStatus(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """What became of one event; `reason` says what to do when it was rejected."""

    event_id: str
    status: EventStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ScoreRating:
    """A rater gave a style of a product a score from 1 (poor) to 5 (excellent)."""

    rating_id: str
    rater_id: str
    product_id: str
    style_id: str
    score: int

    @property
    def style_ids(self) -> tuple[str, ...]:
        return (self.style_id,)


@dataclass(frozen=True, slots=True)
class PairRating:
    """A rater saw two styles of a product side by side; `preferred_style_id` is one of them, or None."""

    rating_id: str
    rater_id: str
    product_id: str
    left_style_id: str
    right_style_id: str
    preferred_style_id: str | None

    @property
    def style_ids(self) -> tuple[str, ...]:
        return (self.left_style_id, self.right_style_id)

    @property
    def preferred_side(self) -> Literal["left", "right", "neither"]:
        if self.preferred_style_id is None:
            return "neither"
        return "left" if self.preferred_style_id == self.left_style_id else "right"


RatingGiven = ScoreRating | PairRating


@dataclass(frozen=True, slots=True)
class StyleOnOffer:
    """A candidate style; `content_vector` describes its look, and is all zeros for the original photo.

    `added_at` is when the shop first had it, None where nobody knows.
    """

    style_id: str
    title: str
    content_vector: tuple[float, ...]
    added_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CatalogueProduct:
    product_id: str
    title: str
    category: str
    photo_sha256: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One shopper asks for the styles of some products, to be shown together in this order.

    `context` is what the shop knows of the visit, texts and numbers; `excluded_styles` are those that
    this shopper does not want to see.
    """

    user_id: str
    product_ids: tuple[str, ...]
    now: datetime
    context: Mapping[str, str | float]
    excluded_styles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a catalogue source that did not become a product, and why."""

    path: str
    reason: str
