"""What goes in and out of the API, with the words and examples that /openapi.json shows."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from personalize.data.identifiers import checked_id
from personalize.data.records import ClickEvent, EventStatus, PurchaseEvent
from personalize.data.schema import MAX_ID_LENGTH
from personalize.errors import InvalidIdentifier
from personalize.rendering.keys import MAX_WIDTH_PX, MIN_WIDTH_PX, PictureFormat
from personalize.service.middleware import ENCODED_SLASH

MAX_SLATE = 100
MAX_EVENTS = 1000
MAX_STYLES = 100
MAX_CONTEXT_VALUES = 20


def _check(value: str) -> str:
    try:
        return checked_id("it", value)
    except InvalidIdentifier as error:
        raise PydanticCustomError("invalid_identifier", "{reason}", {"reason": str(error)}) from None


def _check_path_id(value: str) -> str:
    return _check(value.replace(ENCODED_SLASH, "/"))


def _id_schema(example: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH, "examples": [example]}
    )


def _id_type(check: Callable[[str], str], example: str) -> Any:
    return Annotated[str, AfterValidator(check), _id_schema(example)]


Id = Annotated[str, AfterValidator(_check), _id_schema("ada")]
PathId = Annotated[str, AfterValidator(_check_path_id), _id_schema("ada")]
Width = Annotated[
    int, Field(ge=MIN_WIDTH_PX, le=MAX_WIDTH_PX, description="Width in px; never above the photo's.")
]


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(
        description="Stable, and an address of this service that explains it.",
        examples=["/problems/unknown-product"],
    )
    title: str
    status: int
    detail: str = Field(description="What was wrong with this request, and what to do.")
    request_id: str
    errors: list["FieldProblem"] = Field(
        default_factory=list, description="Field by field, for invalid requests."
    )


class FieldProblem(BaseModel):
    """One field that is wrong."""

    field: str = Field(examples=["events[3].value"])
    detail: str


class SlateRequest(BaseModel):
    """Which products a shopper is about to see together, in this order."""

    model_config = ConfigDict(extra="forbid")

    user_id: Id
    product_ids: list[Id] = Field(min_length=1, max_length=MAX_SLATE, examples=[["mug-white", "chair-oak"]])
    width: Width = 480
    format: PictureFormat = Field("webp", description="Format of the pictures that image_url leads to.")
    context: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=256)]] = Field(
        default_factory=dict,
        max_length=MAX_CONTEXT_VALUES,
        description="Anything worth keeping with the slate, e.g. the page.",
    )

    @property
    def repeated(self) -> str | None:
        """A product that is asked for twice."""
        seen: set[str] = set()
        return next((one for one in self.product_ids if one in seen or seen.add(one)), None)  # type: ignore[func-returns-value]


class StyleDecision(BaseModel):
    """What one product is to be shown as. Clicks and purchases refer to `impression_id`."""

    product_id: str
    impression_id: str
    slate_id: str
    position: int = Field(description="Place in the slate in which it was first shown; 0 is first.")
    style_id: str
    style_weights: dict[str, float] = Field(
        description="Shares of the styles, summing to 1; empty is the photo itself."
    )
    propensity: float = Field(
        gt=0, le=1, description="Probability with which the policy shows just this style."
    )
    policy: str
    model_version: str
    experiment: str | None
    variant: str | None
    image_url: str = Field(description="Immutable, content-addressed; fit for any cache.")
    image_width: int
    image_height: int


class SlateAnswer(BaseModel):
    user_id: str
    decisions: list[StyleDecision]


class ReasonOut(BaseModel):
    feature: str
    value: float
    contribution: float = Field(description="Part of the score, in log odds of a click.")
    text: str


class RankedStyleOut(BaseModel):
    style_id: str
    title: str
    score: float = Field(description="Log odds of a click.")
    propensity: float
    reasons: list[ReasonOut]


class RankingAnswer(BaseModel):
    """Styles from the likeliest click down."""

    user_id: str
    product_id: str | None
    model_version: str = Field(description="The champion; `online` where there is none yet.")
    styles: list[RankedStyleOut]


class ProductOut(BaseModel):
    product_id: str
    title: str
    category: str
    width_px: int
    height_px: int
    photo_url: str


class ProductPage(BaseModel):
    products: list[ProductOut]
    next: str | None = Field(description="Address of the next page; null on the last.")


class StyleOut(BaseModel):
    style_id: str
    title: str
    thumbnail_url: str | None = Field(description="null for the original photo.")


class StyleList(BaseModel):
    styles: list[StyleOut]


class Erasure(BaseModel):
    """What was erased; 0 rows for a user never seen, or erased already."""

    rows_erased: int


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready"]
    model_version: str
    network_version: str


class _EventBase(BaseModel):
    model_config = ConfigDict(extra="forbid")

    event_id: Id = Field(description="Chosen by the sender; sending it again is harmless.")
    impression_id: Id
    occurred_at: Annotated[AwareDatetime, AfterValidator(_to_utc)] | None = Field(
        None, description="With a time zone; the time of receipt when missing."
    )


class ClickIn(_EventBase):
    """A shopper opened the product behind an impression."""

    type: Literal["click"]

    def to_event(self, now: datetime) -> ClickEvent:
        """The event, its time filled in."""
        return ClickEvent(self.event_id, self.impression_id, self.occurred_at or now)


class PurchaseIn(_EventBase):
    """A shopper bought the product behind an impression."""

    type: Literal["purchase"]
    value: Decimal = Field(ge=0, max_digits=16, decimal_places=4, examples=["24.90"])
    currency: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217.", examples=["EUR"])

    def to_event(self, now: datetime) -> PurchaseEvent:
        """The event, its time filled in."""
        return PurchaseEvent(
            self.event_id, self.impression_id, self.occurred_at or now, self.value, self.currency
        )


EventIn = Annotated[ClickIn | PurchaseIn, Field(discriminator="type")]
EVENT_ADAPTER: TypeAdapter[ClickIn | PurchaseIn] = TypeAdapter(EventIn)
_EVENT_SCHEMA = {"oneOf": [ClickIn.model_json_schema(), PurchaseIn.model_json_schema()]}


class EventBatch(BaseModel):
    """Clicks and purchases, each answered for itself."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[
        list[Any],
        WithJsonSchema({"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": _EVENT_SCHEMA}),
    ] = Field(min_length=1)


class EventResult(BaseModel):
    """What became of the event at the same place of the request."""

    event_id: str | None
    status: EventStatus
    reason: str | None = None
    errors: list[FieldProblem] = Field(default_factory=list)


class EventAnswer(BaseModel):
    """Accepted and duplicate events are on disk."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[EventResult]
