"""Clicks and purchases: each answered for itself, on disk before it is acknowledged."""

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from personalize.data.identifiers import checked_id
from personalize.data.records import Event, EventStatus
from personalize.errors import InvalidIdentifier
from personalize.service.dependencies import BackendDep, problems
from personalize.service.http_errors import (
    DATABASE_UNAVAILABLE,
    MALFORMED_JSON,
    REQUEST_TOO_LARGE,
    TOO_MANY_EVENTS,
    Problem,
    field_errors,
)
from personalize.service.metrics import Metrics
from personalize.service.schemas import (
    EVENT_ADAPTER,
    MAX_EVENTS,
    ClickIn,
    EventAnswer,
    EventBatch,
    EventResult,
    FieldProblem,
    PurchaseIn,
)

router = APIRouter(tags=["events"])


@router.post(
    "/v1/events",
    summary="Record clicks and purchases",
    responses=problems(MALFORMED_JSON, REQUEST_TOO_LARGE, TOO_MANY_EVENTS, DATABASE_UNAVAILABLE),
)
async def record_events(batch: EventBatch, backend: BackendDep) -> EventAnswer:
    """Up to 1,000 events. Results stand in the order of the request: `accepted` and `duplicate` events
    are on disk, `rejected` ones are not and say why. Sending a request again is harmless.
    """
    if len(batch.events) > MAX_EVENTS:
        raise Problem(
            TOO_MANY_EVENTS,
            f"The request holds {len(batch.events):,} events, at most {MAX_EVENTS:,} are taken at once; "
            "split it. Nothing of it was stored.",
        )
    parsed = [_parse(raw) for raw in batch.events]
    now = backend.engine.clock()
    events: list[Event] = [one.to_event(now) for one in parsed if not isinstance(one, EventResult)]
    outcomes = iter(await backend.call(backend.engine.record, events) if events else ())
    results = [
        one
        if isinstance(one, EventResult)
        else EventResult.model_validate(next(outcomes), from_attributes=True)
        for one in parsed
    ]
    _count(backend.metrics, batch.events, results)
    by_status = [result.status for result in results]
    return EventAnswer(
        accepted=by_status.count(EventStatus.ACCEPTED),
        duplicates=by_status.count(EventStatus.DUPLICATE),
        rejected=by_status.count(EventStatus.REJECTED),
        results=results,
    )


def _parse(raw: Any) -> ClickIn | PurchaseIn | EventResult:
    try:
        return EVENT_ADAPTER.validate_python(raw)
    except ValidationError as error:
        errors = [FieldProblem(**one) for one in field_errors(_without_tag(error))]
        return EventResult(
            event_id=_event_id(raw),
            status=EventStatus.REJECTED,
            reason="; ".join(f"{one.field}: {one.detail}" for one in errors),
            errors=errors,
        )


def _event_id(raw: Any) -> str | None:
    """The id of an event that is no event, if that at least can be told."""
    try:
        return checked_id("event_id", raw["event_id"])
    except (InvalidIdentifier, KeyError, TypeError):
        return None


def _without_tag(error: ValidationError) -> list[dict[str, Any]]:
    """The errors as of a plain event: pydantic puts the union's tag in front, ("purchase", "value")."""
    return [_as_of_plain_event(one) for one in error.errors(include_url=False, include_input=False)]


def _as_of_plain_event(error: ErrorDetails) -> dict[str, Any]:
    if error["type"].startswith("union_tag"):
        return {**error, "type": "value_error", "loc": ("type",), "msg": "expected 'click' or 'purchase'"}
    loc = error["loc"][1:] if error["loc"][:1] in {("click",), ("purchase",)} else error["loc"]
    return {**error, "loc": loc} if loc else {**error, "loc": ("event",), "msg": "expected an object"}


def _count(metrics: Metrics, raw: list[Any], results: list[EventResult]) -> None:
    for event, result in zip(raw, results, strict=True):
        kind = event.get("type") if isinstance(event, dict) else None
        metrics.events.labels(kind if kind in ("click", "purchase") else "unknown", result.status.value).inc()
