"""The Accept header decides the format; RFC 9110 decides how."""

import pytest

from personalize.service.negotiation import negotiate_format, parse_accept

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI = (
    "image/webp,image/avif,image/jxl,image/heic,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "jpeg"),
        ("", "jpeg"),
        ("*/*", "jpeg"),
        ("image/*", "jpeg"),
        (CHROME, "avif"),
        (SAFARI, "avif"),
        ("image/webp,*/*;q=0.8", "webp"),
        ("image/webp;q=0.5,*/*", "jpeg"),
        ("image/webp;q=0.9,image/avif;q=0.8", "webp"),
        ("image/jpeg,image/webp;q=0.999", "jpeg"),
        ("image/jpeg,image/webp", "webp"),
        ("image/avif;q=0,image/webp;q=0,*/*", "jpeg"),
        ("image/jpeg;q=0,*/*;q=0.1", "webp"),
        ("image/jpeg;q=0,image/webp;q=0,image/*", "avif"),
        ("IMAGE/WEBP", "webp"),
        ("image/webp ; q=1.0", "webp"),
        ("image/webp;profile=x;q=0.3,image/jpeg;q=0.2", "webp"),
        ("text/html,image/webp", "webp"),
        ("garbage", "jpeg"),
        (";;;,,,", "jpeg"),
        ("image/webp;q=2", "jpeg"),
        ("text/html", None),
        ("image/png", None),
        ("*/*;q=0", None),
        ("image/*;q=0,text/plain", None),
        ("image/avif;q=0.0", None),
    ],
)
def test_the_format_for_an_accept_header(accept: str | None, expected: str | None) -> None:
    assert negotiate_format(accept) == expected


def test_the_order_of_elements_does_not_matter() -> None:
    parts = CHROME.split(",")
    assert {negotiate_format(",".join(parts[n:] + parts[:n])) for n in range(len(parts))} == {"avif"}


def test_malformed_elements_are_left_aside() -> None:
    assert parse_accept("a/b;q=0.5, c, d/e;q=x, f/g;q=1.0001") == [("a/b", 0.5)]
