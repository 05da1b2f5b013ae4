"""Which picture format a client gets, by its Accept header (RFC 9110, section 12.5.1)."""

import re
from typing import NamedTuple

from personalize.rendering.keys import FORMATS, MEDIA_TYPES, PictureFormat

_WEIGHT = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?)")
PREFERENCE: tuple[PictureFormat, ...] = ("avif", "webp", "jpeg")


class MediaRange(NamedTuple):
    """One element of an Accept header."""

    media_type: str
    quality: float


def negotiate_format(accept: str | None) -> PictureFormat | None:
    """The format to send, or None when the client accepts none of ours.

    The highest q-value wins. Among equals, AVIF and WebP come first when the client names them;
    to a client that only sends wildcards, JPEG is the safest answer. No header, or one without a
    single well-formed element, accepts everything.

    >>> negotiate_format("image/avif,image/webp,*/*;q=0.8"), negotiate_format("*/*")
    ('avif', 'jpeg')
    """
    ranges = parse_accept(accept or "")
    if not ranges:
        return "jpeg"
    named = {one.media_type for one in ranges}
    offers = {name: _quality(MEDIA_TYPES[name], ranges) for name in FORMATS}
    acceptable = [name for name in PREFERENCE if offers[name] > 0]
    if not acceptable:
        return None

    def rank(name: PictureFormat) -> tuple[float, bool, int]:
        is_named = MEDIA_TYPES[name] in named
        place = PREFERENCE.index(name)
        return offers[name], is_named, -place if is_named else place

    return max(acceptable, key=rank)


def parse_accept(header: str) -> list[MediaRange]:
    """The well-formed elements of an Accept header; parameters other than q are left aside."""
    found = []
    for element in header.lower().split(","):
        media_type, *parameters = (part.strip() for part in element.split(";"))
        weights = [text[2:].strip() for text in parameters if text.startswith("q=")]
        if media_type.count("/") != 1 or any(not _WEIGHT.fullmatch(weight) for weight in weights):
            continue
        found.append(MediaRange(media_type, float(weights[0]) if weights else 1.0))
    return found


def _quality(media_type: str, ranges: list[MediaRange]) -> float:
    """The q-value of the most specific range that covers the type; 0 when none does."""
    for pattern in (media_type, f"{media_type.split('/')[0]}/*", "*/*"):
        matching = [one.quality for one in ranges if one.media_type == pattern]
        if matching:
            return max(matching)
    return 0.0
