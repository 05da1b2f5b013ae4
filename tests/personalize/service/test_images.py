"""Pictures over HTTP: the chosen one with its impression, immutable renders, photos, thumbnails."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from answers import assert_problem, picture_of
from fastapi.testclient import TestClient

from personalize.service.app import create_app
from personalize.settings import Settings

IMAGE = "/v1/users/{}/products/mug-red/image"


def rows(client: TestClient, query: str, *values: object) -> list[tuple[object, ...]]:
    """Straight from the file, past everything that could remember."""
    path = client.app.state.backend.settings.sqlite_path  # type: ignore[attr-defined]
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def test_the_picture_comes_with_an_impression_that_is_on_disk(client: TestClient, user_id: str) -> None:
    answer = client.get(IMAGE.format(user_id), params={"width": 48})
    assert answer.status_code == 200
    assert picture_of(answer.content).size == (48, 36)
    stored = rows(
        client,
        "SELECT user_id, product_id, style_id, propensity, model_version FROM impressions"
        " WHERE impression_id = ?",
        answer.headers["impression-id"],
    )
    headers = answer.headers
    assert stored == [
        (user_id, "mug-red", headers["style-id"], float(headers["propensity"]), headers["model-version"])
    ]
    assert 0 < float(headers["propensity"]) <= 1
    assert headers["model-version"] == "online"


def test_nobody_may_cache_a_personal_picture(client: TestClient, user_id: str) -> None:
    headers = client.get(IMAGE.format(user_id), params={"width": 32}).headers
    assert headers["cache-control"] == "private, no-store"
    assert headers["vary"] == "Accept"


def test_within_a_visit_the_style_and_the_impression_stay(client: TestClient, user_id: str) -> None:
    first, second = (client.get(IMAGE.format(user_id), params={"width": 32}) for _ in range(2))
    assert first.headers["impression-id"] == second.headers["impression-id"]
    assert first.content == second.content


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("image/avif,image/webp", "image/avif"), ("image/webp", "image/webp"), ("*/*", "image/jpeg")],
)
def test_the_format_follows_the_accept_header(
    client: TestClient, user_id: str, accept: str, media_type: str
) -> None:
    answer = client.get(IMAGE.format(user_id), params={"width": 32}, headers={"Accept": accept})
    assert answer.headers["content-type"] == media_type
    assert (picture_of(answer.content).format or "").lower() == media_type.removeprefix("image/")


def test_an_explicit_format_beats_the_accept_header(client: TestClient, user_id: str) -> None:
    answer = client.get(
        IMAGE.format(user_id), params={"width": 32, "format": "webp"}, headers={"Accept": "text/plain"}
    )
    assert answer.headers["content-type"] == "image/webp"


def test_no_acceptable_format_is_a_problem_and_no_impression(client: TestClient, user_id: str) -> None:
    answer = client.get(IMAGE.format(user_id), headers={"Accept": "image/png"})
    assert_problem(answer, 406, "no-acceptable-format")
    assert rows(client, "SELECT 1 FROM impressions WHERE user_id = ?", user_id) == []


@pytest.mark.parametrize("width", ["-1", "0", "15", "2049", "1000000000", "1e9", "NaN", "", "9" * 400])
def test_a_width_out_of_bounds_is_a_problem_and_no_impression(
    client: TestClient, user_id: str, width: str
) -> None:
    answer = client.get(IMAGE.format(user_id), params={"width": width})
    document = assert_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in document["errors"]] == ["width"]
    assert rows(client, "SELECT 1 FROM impressions WHERE user_id = ?", user_id) == []


def test_a_picture_is_never_wider_than_its_photo(client: TestClient, user_id: str) -> None:
    answer = client.get(IMAGE.format(user_id), params={"width": 2048, "format": "jpeg"})
    assert picture_of(answer.content).width == 96


def test_an_unknown_product_says_where_to_look(client: TestClient, user_id: str) -> None:
    answer = client.get(f"/v1/users/{user_id}/products/nope/image")
    assert "GET /v1/products" in assert_problem(answer, 404, "unknown-product")["detail"]


def test_a_busy_renderer_answers_503_and_records_nothing(make_settings: Callable[..., Settings]) -> None:
    with TestClient(create_app(make_settings(max_pending_renders=1))) as client:
        with client.app.state.backend.renders.admitted():  # type: ignore[attr-defined]
            answer = client.get(IMAGE.format("ada"), params={"width": 32})
            assert_problem(answer, 503, "renderer-busy")
            assert int(answer.headers["retry-after"]) >= 1
        assert rows(client, "SELECT 1 FROM impressions") == []
        assert client.get(IMAGE.format("ada"), params={"width": 32}).status_code == 200


def test_while_nothing_is_known_different_users_get_different_styles(
    make_settings: Callable[..., Settings],
) -> None:
    with TestClient(create_app(make_settings())) as client:
        answers = [client.get(IMAGE.format(f"crowd-{n}"), params={"width": 32}) for n in range(12)]
    assert len({answer.headers["style-id"] for answer in answers}) >= 4


def test_a_lost_photo_is_our_fault_and_the_server_goes_on(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    for path in settings.photos_dir.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\xff\xd8\xff rot")
    with TestClient(create_app(settings)) as client:
        assert_problem(client.get(IMAGE.format("ada")), 500, "unreadable-photo")
        assert client.get("/healthz").status_code == 200


@pytest.fixture
def render_url(client: TestClient, user_id: str) -> str:
    slate = {"user_id": user_id, "product_ids": ["mug-white"], "width": 32}
    return str(client.post("/v1/slates", json=slate).json()["decisions"][0]["image_url"])


def test_a_render_is_immutable_and_its_etag_strong(client: TestClient, render_url: str) -> None:
    answer = client.get(render_url)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["etag"].startswith('"')
    again = client.get(render_url)
    assert (again.content, again.headers["etag"]) == (answer.content, answer.headers["etag"])


def test_a_client_that_has_the_render_gets_304_without_a_body(client: TestClient, render_url: str) -> None:
    etag = client.get(render_url).headers["etag"]
    for header in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = client.get(render_url, headers={"If-None-Match": header})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
        assert "immutable" in answer.headers["cache-control"]
    assert client.get(render_url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_render_in_a_cache_older_than_this_process_is_answered_anew(
    make_settings: Callable[..., Settings], render_url: str
) -> None:
    """The address alone is enough: another process, another store, the same picture."""
    with TestClient(create_app(make_settings())) as other:
        assert picture_of(other.get(render_url).content).size == (32, 24)


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("/32.", "/33333."),
        lambda url: url.replace("/32.", "/032."),
        lambda url: url.replace("/32.", "/97."),
        lambda url: url.replace(".webp", ".png"),
        lambda url: url.replace("/v1/renders/", "/v1/renders/00"),
        lambda url: url.rsplit("/", 3)[0] + f"/{'0' * 64}/" + "/".join(url.rsplit("/", 2)[1:]),
        lambda url: "/".join([*url.split("/")[:4], "nope@0.4,1@0123456789ab", "32.webp"]),
        lambda url: "/".join([*url.split("/")[:4], "..%2f..%2fetc", "passwd"]),
        lambda url: "/".join([*url.split("/")[:3], "%2e%2e", "original", "32.webp"]),
    ],
)
def test_an_address_that_is_none_of_ours_is_unknown(
    client: TestClient, render_url: str, change: Callable[[str], str]
) -> None:
    assert_problem(client.get(change(render_url)), 404, "unknown-render")


def test_the_original_photo_needs_no_user_and_can_be_cached(client: TestClient) -> None:
    answer = client.get("/v1/products/vase%20%C3%BC/photo", params={"width": 40, "format": "jpeg"})
    assert picture_of(answer.content).size == (40, 30)
    assert "public" in answer.headers["cache-control"]
    etag = answer.headers["etag"]
    again = client.get(
        "/v1/products/vase%20%C3%BC/photo",
        params={"width": 40, "format": "jpeg"},
        headers={"If-None-Match": etag},
    )
    assert again.status_code == 304


def test_every_style_but_the_original_has_a_thumbnail(client: TestClient) -> None:
    styles = client.get("/v1/styles").json()["styles"]
    for style in styles:
        if style["style_id"] == "original":
            assert style["thumbnail_url"] is None
        else:
            assert picture_of(client.get(style["thumbnail_url"]).content).format == "JPEG"
    assert_problem(client.get("/v1/styles/nope/thumbnail"), 404, "unknown-style")


def test_a_full_cache_disk_still_answers(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    blocked = tmp_path / "renders"
    blocked.mkdir()
    for n in range(256):
        (blocked / f"{n:02x}").write_text("where a folder should be")
    with TestClient(create_app(make_settings(render_store_url=str(blocked)))) as client:
        for _ in range(2):
            assert client.get(IMAGE.format("ada"), params={"width": 32}).status_code == 200
