"""Events over HTTP: each answered for itself, sent twice or not, and never half a request."""

from typing import Any
from uuid import uuid4

import pytest
from answers import assert_problem
from fastapi.testclient import TestClient


@pytest.fixture
def impression_id(client: TestClient, user_id: str) -> str:
    slate = {"user_id": user_id, "product_ids": ["mug-red"]}
    return str(client.post("/v1/slates", json=slate).json()["decisions"][0]["impression_id"])


def click(impression_id: str, **values: Any) -> dict[str, Any]:
    return {"type": "click", "event_id": uuid4().hex, "impression_id": impression_id} | values


def purchase(impression_id: str, **values: Any) -> dict[str, Any]:
    return click(impression_id, type="purchase", value="24.90", currency="EUR") | values


def send(client: TestClient, *events: Any) -> Any:
    return client.post("/v1/events", json={"events": list(events)})


def test_clicks_and_purchases_are_accepted(client: TestClient, impression_id: str) -> None:
    answer = send(client, click(impression_id), purchase(impression_id)).json()
    assert (answer["accepted"], answer["duplicates"], answer["rejected"]) == (2, 0, 0)
    assert [one["status"] for one in answer["results"]] == ["accepted", "accepted"]


def test_sending_a_request_again_is_harmless(client: TestClient, impression_id: str) -> None:
    events = [click(impression_id) for _ in range(5)]
    first, second = send(client, *events).json(), send(client, *reversed(events)).json()
    assert (first["accepted"], second["accepted"], second["duplicates"]) == (5, 0, 5)


def test_the_same_event_twice_in_one_request_counts_once(client: TestClient, impression_id: str) -> None:
    event = click(impression_id)
    assert [one["status"] for one in send(client, event, event).json()["results"]] == [
        "accepted",
        "duplicate",
    ]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"type": "view"}, "type"),
        ({"type": None}, "type"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 129}, "event_id"),
        ({"event_id": "a\nb"}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"occurred_at": "2026-01-01T00:00:00"}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-12:00"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+12:00"}, "occurred_at"),
        ({"occured_at": "2026-01-01T00:00:00Z"}, "occured_at"),
        ({"type": "purchase", "currency": "EUR"}, "value"),
        ({"type": "purchase", "currency": "EUR", "value": -1}, "value"),
        ({"type": "purchase", "currency": "EUR", "value": "NaN"}, "value"),
        ({"type": "purchase", "currency": "EUR", "value": "1e400"}, "value"),
        ({"type": "purchase", "currency": "EUR", "value": "0.00001"}, "value"),
        ({"type": "purchase", "currency": "eur", "value": 1}, "currency"),
    ],
)
def test_a_bad_event_is_rejected_by_field_and_the_good_ones_stay(
    client: TestClient, impression_id: str, values: dict[str, Any], field: str
) -> None:
    answer = send(client, click(impression_id), click(impression_id, **values), click(impression_id))
    assert answer.status_code == 200
    statuses = [one["status"] for one in answer.json()["results"]]
    assert statuses == ["accepted", "rejected", "accepted"]
    bad = answer.json()["results"][1]
    assert field in [error["field"] for error in bad["errors"]]
    assert bad["reason"]


@pytest.mark.parametrize("event", [None, 5, "click", [], {}, [[]]])
def test_what_is_no_event_is_rejected_and_nothing_else(
    client: TestClient, impression_id: str, event: Any
) -> None:
    answer = send(client, event, click(impression_id)).json()
    assert [one["status"] for one in answer["results"]] == ["rejected", "accepted"]


@pytest.mark.parametrize(
    "occurred_at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", 1e18, "1970-01-01T00:00:00Z"]
)
def test_an_impossible_time_is_rejected(client: TestClient, impression_id: str, occurred_at: Any) -> None:
    (result,) = send(client, click(impression_id, occurred_at=occurred_at)).json()["results"]
    assert (result["status"], "occurred_at" in result["reason"]) == ("rejected", True)


def test_an_event_without_its_impression_says_what_to_send(client: TestClient) -> None:
    (result,) = send(client, click("nope")).json()["results"]
    assert result["status"] == "rejected"
    assert "Impression-Id" in result["reason"]


def test_the_thousandth_event_is_taken_and_the_next_is_too_many(
    client: TestClient, impression_id: str
) -> None:
    events = [click(impression_id) for _ in range(1001)]
    document = assert_problem(send(client, *events), 422, "too-many-events")
    assert "split" in document["detail"]
    answer = send(client, *events[:1000])
    assert answer.json()["accepted"] == 1000


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"", 422, "invalid-request"),
        (b"{", 400, "malformed-json"),
        (b'{"events": [}', 400, "malformed-json"),
        (b"\xff\xfe", 400, "malformed-json"),
        (b"null", 422, "invalid-request"),
        (b"[]", 422, "invalid-request"),
        (b"{}", 422, "invalid-request"),
        (b'{"events": []}', 422, "invalid-request"),
        (b'{"events": {}}', 422, "invalid-request"),
        (b'{"events": "click"}', 422, "invalid-request"),
        (b"[" * 100_000, 400, "malformed-json"),
        (b'{"events": [' + b" " * 1_000_000 + b"]}", 413, "request-too-large"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_body_that_is_no_batch_is_a_problem(
    client: TestClient, body: bytes, status: int, name: str
) -> None:
    answer = client.post("/v1/events", content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, status, name)


def test_a_body_that_is_not_sent_as_json_is_told_so(client: TestClient) -> None:
    answer = client.post("/v1/events", data={"events": "x"})
    assert "application/json" in assert_problem(answer, 400, "malformed-json")["detail"]


def test_a_body_without_a_length_is_counted_as_it_arrives(client: TestClient) -> None:
    def endless() -> Any:
        for _ in range(200):
            yield b" " * 10_000

    answer = client.post("/v1/events", content=endless(), headers={"Content-Type": "application/json"})
    assert_problem(answer, 413, "request-too-large")


def test_a_lone_surrogate_is_rejected_and_not_a_crash(client: TestClient, impression_id: str) -> None:
    body = f'{{"events": [{{"type": "click", "event_id": "\\ud800", "impression_id": "{impression_id}"}}]}}'
    answer = client.post("/v1/events", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["rejected"] == 1
