"""Errors as RFC 9457 problem details: the one table from error class to type and status.

A problem's `type` is `/problems/{name}`, an address of this service that explains it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from personalize.errors import (
    DatabaseOutOfDate,
    DatabaseUnavailable,
    InvalidIdentifier,
    NoStylesOnOffer,
    PersonalizeError,
    RendererBusy,
    RetrainInProgress,
    UnknownExperiment,
    UnknownModelVersion,
    UnknownProduct,
    UnknownRender,
    UnknownStyle,
    UnreadablePhoto,
)
from personalize.service.pages import error_page, wants_html

logger = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
RATING_TAGS = frozenset({("pair",), ("score",)})
"""The kinds of a rating; no other body is a union."""


@dataclass(frozen=True)
class ProblemType:
    """One kind of problem; `advice` says what a caller can do about it."""

    name: str
    status: int
    title: str
    advice: str

    @property
    def uri(self) -> str:
        return f"/problems/{self.name}"


def _type(name: str, status: int, title: str, advice: str) -> ProblemType:
    return ProblemType(name, status, title, advice)


UNKNOWN_PRODUCT = _type(
    "unknown-product",
    404,
    "Unknown product",
    "List the catalogue with GET /v1/products and use an id from there.",
)
UNKNOWN_STYLE = _type(
    "unknown-style",
    404,
    "Unknown style",
    "List what is on offer with GET /v1/styles and use a style_id from there.",
)
UNKNOWN_EXPERIMENT = _type(
    "unknown-experiment",
    404,
    "Unknown experiment",
    "Check the name; an experiment exists once it was created.",
)
UNKNOWN_RENDER = _type(
    "unknown-render",
    404,
    "Unknown render",
    "Render addresses are not made up by hand: use the image_url of POST /v1/slates. "
    "An address of a network that is no longer in use is answered only from caches.",
)
UNKNOWN_MODEL_VERSION = _type(
    "unknown-model-version", 404, "Unknown model version", "Use a version that the registry holds."
)
NOTHING_TO_RATE = _type(
    "nothing-to-rate",
    404,
    "Nothing to rate",
    "Add photos with `personalize catalog add PATH`; a comparison takes two styles on offer.",
)
NOT_FOUND = _type(
    "not-found",
    404,
    "No such address",
    "Look the address up in /openapi.json. A slash inside an id must be sent as %2F.",
)
METHOD_NOT_ALLOWED = _type(
    "method-not-allowed", 405, "Method not allowed", "Use one of the methods in the Allow header."
)
NO_ACCEPTABLE_FORMAT = _type(
    "no-acceptable-format",
    406,
    "No acceptable picture format",
    "Accept image/avif, image/webp or image/jpeg, or ask for one with ?format=.",
)
RETRAIN_IN_PROGRESS = _type(
    "retrain-in-progress", 409, "Retraining is running already", "Wait for it to end."
)
REQUEST_TOO_LARGE = _type(
    "request-too-large", 413, "Request too large", "Split the request into several smaller ones."
)
MALFORMED_JSON = _type(
    "malformed-json", 400, "Malformed JSON", "Send one JSON object, UTF-8 encoded, as application/json."
)
INVALID_REQUEST = _type(
    "invalid-request",
    422,
    "Invalid request",
    "`errors` names each field that is wrong and what it should be.",
)
TOO_MANY_EVENTS = _type(
    "too-many-events",
    422,
    "Too many events in one request",
    "Split them into requests of at most 1,000 events; nothing of this request was stored.",
)
INTERNAL_ERROR = _type(
    "internal-error",
    500,
    "Internal error",
    "The fault is ours. Try again; if it stays, report it with the request_id.",
)
UNREADABLE_PHOTO = _type(
    "unreadable-photo",
    500,
    "Unreadable photo",
    "Add the product's photo again with `personalize catalog add PATH`.",
)
RENDERER_BUSY = _type(
    "renderer-busy", 503, "Renderer busy", "Try again after the number of seconds in the Retry-After header."
)
DATABASE_UNAVAILABLE = _type(
    "database-unavailable",
    503,
    "Database unavailable",
    "Nothing was stored. Try again after Retry-After seconds.",
)
NOT_READY = _type(
    "not-ready", 503, "Not ready", "The service is starting or stopping. Try again after Retry-After seconds."
)
REQUEST_REFUSED = _type("request-refused", 400, "Request refused", "`detail` says what was wrong with it.")

PROBLEM_TYPES: Mapping[str, ProblemType] = {
    value.name: value for value in list(globals().values()) if isinstance(value, ProblemType)
}

PROBLEM_OF_ERROR: Mapping[type[PersonalizeError], ProblemType] = {
    UnknownProduct: UNKNOWN_PRODUCT,
    UnknownStyle: UNKNOWN_STYLE,
    UnknownExperiment: UNKNOWN_EXPERIMENT,
    UnknownRender: UNKNOWN_RENDER,
    UnknownModelVersion: UNKNOWN_MODEL_VERSION,
    InvalidIdentifier: INVALID_REQUEST,
    RetrainInProgress: RETRAIN_IN_PROGRESS,
    UnreadablePhoto: UNREADABLE_PHOTO,
    RendererBusy: RENDERER_BUSY,
    DatabaseUnavailable: DATABASE_UNAVAILABLE,
    DatabaseOutOfDate: NOT_READY,
    NoStylesOnOffer: NOT_READY,
}
PROBLEM_OF_STATUS = {
    400: MALFORMED_JSON,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: REQUEST_TOO_LARGE,
    500: INTERNAL_ERROR,
}


class Problem(HTTPException):
    """A problem that arises in the service itself; raise it anywhere below a route."""

    def __init__(
        self, problem_type: ProblemType, detail: str, errors: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(problem_type.status, detail)
        self.problem_type = problem_type
        self.errors = tuple(errors)


def problem_response(
    request: Request,
    problem_type: ProblemType,
    detail: str,
    *,
    status: int | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The problem as JSON, or as a page when a browser asked for a page."""
    status = status or problem_type.status
    request_id = getattr(request.state, "request_id", "")
    headers = {"Cache-Control": "no-store"} | dict(headers or {})
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    if wants_html(request):
        return error_page(problem_type.title, detail, status, request_id, headers)
    document: dict[str, Any] = {
        "type": problem_type.uri,
        "title": problem_type.title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    if errors:
        document["errors"] = list(errors)
    return JSONResponse(document, status, headers, PROBLEM_MEDIA_TYPE)


def add_error_handlers(app: FastAPI) -> None:
    """Every error of every route, and those of the router, become problem details."""
    app.add_exception_handler(PersonalizeError, _on_personalize_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_personalize_error(request: Request, error: Exception) -> Response:
    problem_type = next(
        (PROBLEM_OF_ERROR[kind] for kind in type(error).__mro__ if kind in PROBLEM_OF_ERROR), INTERNAL_ERROR
    )
    if problem_type.status == 500:
        logger.error("request_failed", exc_info=error, extra=log_context(request))
    headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, RendererBusy) else None
    detail = INTERNAL_ERROR.advice if problem_type is INTERNAL_ERROR else str(error)
    return problem_response(request, problem_type, detail, headers=headers)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        reason, place = found[0].get("ctx", {}).get("error", ""), found[0]["loc"][-1]
        return problem_response(
            request,
            MALFORMED_JSON,
            f"The body is not JSON at character {place}: {reason}. {MALFORMED_JSON.advice}",
        )
    if found[0]["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
        return problem_response(
            request, MALFORMED_JSON, f"The body was not sent as JSON. {MALFORMED_JSON.advice}"
        )
    errors = field_errors(found)
    summary = "; ".join(f"{one['field']}: {one['detail']}" for one in errors[:3])
    return problem_response(request, INVALID_REQUEST, f"{summary}.", errors=errors)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return problem_response(request, error.problem_type, str(error.detail), errors=error.errors)
    problem_type = PROBLEM_OF_STATUS.get(error.status_code, REQUEST_REFUSED)
    detail = (
        str(error.detail) if problem_type in {REQUEST_REFUSED, REQUEST_TOO_LARGE} else problem_type.advice
    )
    return problem_response(request, problem_type, detail, status=error.status_code, headers=error.headers)


def field_errors(found: Sequence[Any]) -> list[dict[str, str]]:
    """Validation errors as `field` (where), `detail` (what it should be); no value is echoed."""
    return [{"field": _field(_plain_loc(one)), "detail": _sentence(one)} for one in found]


def log_context(request: Request) -> dict[str, str]:
    """What a log line may say about a request: no ids, no addresses."""
    return {"request_id": getattr(request.state, "request_id", ""), "method": request.method}


def _plain_loc(error: Mapping[str, Any]) -> tuple[int | str, ...]:
    """Where it is in the body as it was sent: pydantic puts a union's tag in front, ("body", "pair", ...)."""
    loc = tuple(error["loc"])
    if str(error["type"]).startswith("union_tag"):
        return (*loc, error["ctx"]["discriminator"].strip("'"))
    return loc[:1] + loc[2:] if loc[:1] == ("body",) and loc[1:2] in RATING_TAGS and len(loc) > 2 else loc


def _field(loc: Sequence[int | str]) -> str:
    """("body", "events", 3, "value") -> "events[3].value"."""
    parts = [part for part in loc if part not in {"body", "query", "path", "header"}]
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "body"


def _sentence(error: Mapping[str, Any]) -> str:
    if str(error["type"]).startswith("union_tag"):
        expected = str(error["ctx"].get("expected_tags", "one of the kinds in /openapi.json"))
        return f"expected {expected.replace(', ', ' or ')}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
