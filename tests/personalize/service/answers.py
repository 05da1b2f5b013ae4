"""What tests ask of an answer."""

import io
from typing import Any

from PIL import Image

PRODUCTS = ("chair-oak", "mug-red", "mug-white", "vase ü")


def picture_of(payload: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(payload))
    image.load()
    return image


def assert_problem(answer: Any, status: int, name: str) -> dict[str, Any]:
    """The answer is a problem document of this type, with a sentence that helps."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"/problems/{name}"
    assert document["status"] == status
    assert document["title"]
    assert len(document["detail"]) > 15
    assert document["request_id"] == answer.headers["request-id"]
    return document
