"""Server-rendered pages: the shop, an experiment, an error, what a problem type means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_page(template: str, context: Mapping[str, Any], status: int = 200) -> Response:
    """The template as an answer that nobody caches."""
    html = _TEMPLATES.get_template(template).render(context)
    return HTMLResponse(html, status, {"Cache-Control": "private, no-store"})


def wants_html(request: Request) -> bool:
    """Whether a browser asked for one of our pages; the API answers programs."""
    path = request.scope["path"]
    return not path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")


def error_page(title: str, detail: str, status: int, request_id: str, headers: Mapping[str, str]) -> Response:
    """A problem, for people."""
    context = {"title": title, "detail": detail, "status": status, "request_id": request_id}
    answer = render_page("error.html", context, status)
    answer.headers.update(headers)
    return answer
