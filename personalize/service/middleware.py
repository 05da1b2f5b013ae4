"""What happens to every request: its id, its limits, its line in the log, the headers of its answer."""

import logging
import re
import time
from secrets import token_hex
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.service.http_errors import INTERNAL_ERROR, REQUEST_TOO_LARGE, Problem, problem_response
from personalize.service.logs import request_id_var
from personalize.service.metrics import Metrics

logger = logging.getLogger(__name__)

ENCODED_SLASH = "\udc2f"
"""Stands for a %2F inside a path segment. No decoded path holds a lone surrogate, so none collides."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{8,64}")
_QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
}


class RequestFrame:
    """Gives each request an id, a log line, a duration, security headers, and a 500 when all else fails.

    A client may send its own `Request-Id` of 8 to 64 letters, digits and `_.:-`.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_at = time.perf_counter()
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        token = request_id_var.set(request_id)
        status = 0

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_framed)
        except Exception:
            logger.exception("request_failed", extra={"method": scope["method"], "route": _route(scope)})
            if status == 0:
                request = Request(scope)
                answer = problem_response(request, INTERNAL_ERROR, INTERNAL_ERROR.advice)
                await answer(scope, receive, send_framed)
        finally:
            self._account(scope, status, time.perf_counter() - started_at)
            request_id_var.reset(token)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self.metrics.request_seconds.labels(scope["method"], route, str(status)).observe(seconds)
        level = logging.DEBUG if route in _QUIET_ROUTES else logging.INFO
        fields = {"method": scope["method"], "route": route, "status": status, "ms": round(1000 * seconds, 1)}
        logger.log(level, "request_answered", extra=fields | scope["state"].get("log_fields", {}))


class BodyLimit:
    """Refuses request bodies over `max_bytes`, counted as they arrive, whatever Content-Length claims."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        claimed = Headers(scope=scope).get("content-length", "")
        if claimed.isdecimal() and int(claimed) > self.max_bytes:
            error = self._refusal()
            answer = problem_response(Request(scope), error.problem_type, str(error.detail))
            await answer(scope, receive, send)
            return
        n_bytes = 0

        async def receive_counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self.max_bytes:
                raise self._refusal()
            return message

        await self.app(scope, receive_counted, send)

    def _refusal(self) -> Problem:
        return Problem(
            REQUEST_TOO_LARGE,
            f"The body is over the limit of {self.max_bytes:,} bytes; split it into smaller requests.",
        )


class OpaqueSlashes:
    """Decodes the path so that a %2F inside an id does not split it; `schemas.PathId` makes it a slash."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (raw_path := scope.get("raw_path")):
            parts = re.split(rb"%2[fF]", raw_path.split(b"?")[0])
            decoded = (unquote_to_bytes(part).decode("utf-8", "replace") for part in parts)
            scope = {**scope, "path": ENCODED_SLASH.join(decoded)}
        await self.app(scope, receive, send)


def _request_id(headers: Headers) -> str:
    offered = headers.get("request-id", "")
    return offered if _REQUEST_ID.fullmatch(offered) else token_hex(8)


def _route(scope: Scope) -> str:
    """The route's template: ids stay out of logs and metrics."""
    return str(getattr(scope.get("route"), "path", "unmatched"))
