"""Bad input: each a clear problem document, and a server that goes on."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from answers import assert_problem
from fastapi.testclient import TestClient

from personalize import errors
from personalize.service.http_errors import PROBLEM_OF_ERROR, PROBLEM_TYPES

OPAQUE_IDS = [
    "a/b", "../../etc/passwd", "..", "%2e%2e", "' OR 1=1 --", '"; DROP TABLE users', "{{7*7}}", "<script>",
    "مرحبا بالعالم", "\u202eevil", "e\u0301", "\u00e9", "😀", "a b", "%", "_", "?", "#", "a;b", "x" * 128,
]  # fmt: skip
REFUSED_IDS = ["\x00", "a\x00b", "\n", "\x7f", "\u0085", "\u2028", "x" * 129, "x" * 10_000, " ", "\t"]


@pytest.mark.parametrize("user_id", OPAQUE_IDS, ids=ascii)
def test_a_strange_user_id_is_opaque_text(client: TestClient, user_id: str) -> None:
    path = f"/v1/users/{quote(user_id, safe='')}"
    if user_id == "..":
        path = "/v1/users/%2E%2E"
    assert client.get(f"{path}/styles").json()["user_id"] == user_id
    image = client.get(f"{path}/products/mug-red/image", params={"width": 16, "format": "jpeg"})
    assert image.status_code == 200
    assert client.delete(path).json()["rows_erased"] >= 3
    assert client.delete(path).json() == {"rows_erased": 0}


@pytest.mark.parametrize("user_id", REFUSED_IDS, ids=lambda value: ascii(value)[:20])
def test_an_impossible_user_id_is_refused_with_the_reason(client: TestClient, user_id: str) -> None:
    path = f"/v1/users/{quote(user_id, safe='')}"
    for answer in (
        client.get(f"{path}/styles"),
        client.get(f"{path}/products/mug-red/image"),
        client.delete(path),
        client.post("/v1/slates", json={"user_id": user_id, "product_ids": ["mug-red"]}),
    ):
        document = assert_problem(answer, 422, "invalid-request")
        assert [error["field"] for error in document["errors"]] == ["user_id"]
        assert len(answer.content) < 2_000


@pytest.mark.parametrize("product_id", OPAQUE_IDS, ids=ascii)
def test_a_strange_product_id_is_unknown(client: TestClient, product_id: str) -> None:
    path = quote(product_id, safe="").replace(".", "%2E")
    assert_problem(client.get(f"/v1/users/ada/products/{path}/image"), 404, "unknown-product")
    assert_problem(client.get(f"/v1/products/{path}/photo"), 404, "unknown-product")
    answer = client.get("/v1/users/ada/styles", params={"product_id": product_id})
    assert_problem(answer, 404, "unknown-product")


def test_two_users_whose_ids_differ_by_an_encoded_slash_stay_apart(client: TestClient) -> None:
    ids = [client.get(f"/v1/users/{path}/styles").json()["user_id"] for path in ("s%2Ft", "s%2ft", "s%252Ft")]
    assert ids == ["s/t", "s/t", "s%2Ft"]


@pytest.mark.parametrize(
    "path", ["/nowhere", "/v1", "/v1/users/a/b", "/v1/users//styles", "/static/nope.css"]
)
def test_an_unknown_address_is_a_problem(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), 404, "not-found")


def test_path_traversal_out_of_the_static_files_finds_nothing(client: TestClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        assert client.get(path).status_code == 404


def test_a_wrong_method_is_a_problem_that_says_which_are_right(client: TestClient) -> None:
    answer = client.put("/v1/events", json={})
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("k", ["0", "-1", "101", "x", ""])
def test_a_wrong_number_of_styles_is_named(client: TestClient, k: str) -> None:
    document = assert_problem(client.get("/v1/users/ada/styles", params={"k": k}), 422, "invalid-request")
    assert document["errors"][0]["field"] == "k"


@pytest.mark.parametrize("after", ["x", "!!!!", "AA==", "A" * 700, "_w"])
def test_a_forged_cursor_is_named(client: TestClient, after: str) -> None:
    document = assert_problem(client.get("/v1/products", params={"after": after}), 422, "invalid-request")
    assert document["errors"][0]["field"] == "after"


def test_a_fault_of_ours_is_a_500_that_gives_nothing_away(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret /home/path")

    monkeypatch.setattr(client.app.state.backend.engine, "rank", fail)  # type: ignore[attr-defined]
    answer = client.get("/v1/users/ada/styles")
    assert "secret" not in json.dumps(assert_problem(answer, 500, "internal-error"))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert any(record.exc_info for record in caplog.records if record.message == "request_failed")


def test_a_database_that_does_not_answer_is_a_503(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise errors.DatabaseUnavailable("the database is locked; try again")

    monkeypatch.setattr(client.app.state.backend.engine, "decide", fail)  # type: ignore[attr-defined]
    answer = client.get("/v1/users/ada/products/mug-red/image")
    assert_problem(answer, 503, "database-unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_every_problem_type_is_explained_at_its_address(client: TestClient) -> None:
    for problem in PROBLEM_TYPES.values():
        page = client.get(problem.uri, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert problem.title in page.text
    assert_problem(client.get("/problems/nope"), 404, "not-found")


def test_a_browser_gets_a_page_and_a_program_the_document(client: TestClient) -> None:
    page = client.get("/experiments/nope", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "Unknown experiment" in page.text
    assert_problem(client.get("/experiments/nope"), 404, "unknown-experiment")
    html_wanted = {"Accept": "text/html"}
    assert_problem(
        client.get("/v1/users/ada/products/nope/image", headers=html_wanted), 406, "no-acceptable-format"
    )


def test_the_error_table_names_errors_that_exist_and_leaves_none_out_that_a_caller_can_cause() -> None:
    of_ours = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    assert set(PROBLEM_OF_ERROR) <= of_ours
    callers = {kind for kind in of_ours if kind.__name__.startswith(("Unknown", "Invalid"))}
    assert callers <= set(PROBLEM_OF_ERROR)


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/v1/styles", "/nowhere", "/static/site.css", "/healthz"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["referrer-policy"]


def test_a_clients_request_id_is_kept_only_when_it_is_harmless(client: TestClient) -> None:
    kept = client.get("/healthz", headers={"Request-Id": "trace-0123456789"})
    assert kept.headers["request-id"] == "trace-0123456789"
    for offered in ("short", "x" * 65, "a b c d e f g h", "<script>alert</script>"):
        assert client.get("/healthz", headers={"Request-Id": offered}).headers["request-id"] != offered
