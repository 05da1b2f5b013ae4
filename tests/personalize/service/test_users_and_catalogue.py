"""Rankings, erasure, products page by page, health, metrics, logs, and what /openapi.json promises."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from answers import PRODUCTS, assert_problem
from fastapi.testclient import TestClient

from personalize.errors import DatabaseOutOfDate
from personalize.service.app import create_app
from personalize.service.logs import JsonFormatter, pseudonym, request_id_var
from personalize.settings import Settings


def test_a_ranking_descends_and_its_propensities_are_a_distribution(client: TestClient) -> None:
    ranking = client.get("/v1/users/nobody-yet/styles").json()
    scores = [style["score"] for style in ranking["styles"]]
    assert scores == sorted(scores, reverse=True)
    assert sum(style["propensity"] for style in ranking["styles"]) == pytest.approx(1)
    assert ranking["model_version"] == "online"
    assert "original" not in [style["style_id"] for style in ranking["styles"]]


def test_k_cuts_the_ranking_and_changes_nothing_else(client: TestClient) -> None:
    whole = client.get("/v1/users/nobody-yet/styles", params={"product_id": "mug-red"}).json()
    first = client.get("/v1/users/nobody-yet/styles", params={"product_id": "mug-red", "k": 2}).json()
    assert [style["style_id"] for style in first["styles"]] == [s["style_id"] for s in whole["styles"][:2]]
    assert first["product_id"] == "mug-red"


def test_erasing_a_user_removes_every_row_and_may_be_repeated(client: TestClient, user_id: str) -> None:
    slate = {"user_id": user_id, "product_ids": ["mug-red", "mug-white"]}
    decision = client.post("/v1/slates", json=slate).json()["decisions"][0]
    event = {"type": "click", "event_id": f"click-{user_id}", "impression_id": decision["impression_id"]}
    client.post("/v1/events", json={"events": [event]})
    assert client.delete(f"/v1/users/{user_id}").json() == {"rows_erased": 5}  # user, slate, 2 shown, click
    assert client.delete(f"/v1/users/{user_id}").json() == {"rows_erased": 0}
    (result,) = client.post("/v1/events", json={"events": [event]}).json()["results"]
    assert result["status"] == "rejected"


def test_following_next_visits_every_product_once(client: TestClient) -> None:
    for limit in (1, 2, 3, 4, 500):
        url: str | None = f"/v1/products?limit={limit}"
        seen: list[str] = []
        while url:
            page = client.get(url).json()
            assert len(page["products"]) <= limit
            seen += [product["product_id"] for product in page["products"]]
            url = page["next"]
        assert seen == sorted(PRODUCTS)


def test_products_can_be_asked_for_by_category(client: TestClient) -> None:
    page = client.get("/v1/products", params={"category": "mug", "limit": 1}).json()
    assert "category=mug" in page["next"]
    assert [one["product_id"] for one in client.get(page["next"]).json()["products"]] == ["mug-white"]


def test_each_product_leads_to_its_photo(client: TestClient) -> None:
    for product in client.get("/v1/products").json()["products"]:
        assert client.get(product["photo_url"], params={"width": 32}).status_code == 200


def test_the_service_is_ready_once_the_network_is_loaded(make_settings: Callable[..., Settings]) -> None:
    with TestClient(create_app(make_settings())) as client:
        backend: Any = client.app.state.backend  # type: ignore[attr-defined]
        backend.is_ready, backend.why_not_ready = False, "the renderer is warming up"
        answer = client.get("/readyz")
        assert "warming up" in assert_problem(answer, 503, "not-ready")["detail"]
        assert client.get("/healthz").json() == {"status": "ok"}
        backend.is_ready = True
        ready = client.get("/readyz").json()
        assert (ready["status"], ready["model_version"]) == ("ready", "online")


def test_a_database_at_another_revision_stops_the_start_and_says_what_to_run(
    make_settings: Callable[..., Settings], tmp_path: Any
) -> None:
    with (
        pytest.raises(DatabaseOutOfDate, match="personalize db upgrade"),
        TestClient(create_app(Settings(data_dir=tmp_path / "empty"))),
    ):
        pass


def test_metrics_count_requests_by_template_and_events_by_outcome(client: TestClient, user_id: str) -> None:
    slate = {"user_id": user_id, "product_ids": ["mug-red"]}
    shown = client.post("/v1/slates", json=slate).json()["decisions"][0]["impression_id"]
    event = {"type": "click", "event_id": f"metric-{user_id}", "impression_id": shown}
    before = metric(client, 'personalize_events_total{outcome="accepted",type="click"}')
    client.post("/v1/events", json={"events": [event, event]})
    assert metric(client, 'personalize_events_total{outcome="accepted",type="click"}') == before + 1
    text = client.get("/metrics").text
    assert 'route="/v1/users/{user_id}/styles"' in text
    assert user_id not in text
    assert "personalize_render_store_bytes" in text


def metric(client: TestClient, name: str) -> float:
    values = [line.split()[-1] for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(values[0]) if values else 0.0


def test_no_user_id_reaches_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="personalize")
    for path in ("styles", "products/mug-red/image?width=16", "nowhere", "products/nope/image"):
        client.get(f"/v1/users/very-secret-name/{path}")
    client.get("/", params={"shopper": "very-secret-name"})
    client.post("/v1/slates", json={"user_id": "very-secret-name", "product_ids": ["mug-red"]})
    formatter = JsonFormatter()
    lines = [formatter.format(record) for record in caplog.records if record.name.startswith("personalize")]
    assert len(lines) >= 6
    assert not [line for line in lines if "very-secret-name" in line]
    assert any(pseudonym("very-secret-name") in line for line in lines)


def test_a_log_line_is_one_json_object_with_the_request_id() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "slate_served", "n_products": 3, "text": "a\nb"})
    token = request_id_var.set("0123456789abcdef")
    line = JsonFormatter().format(record)
    request_id_var.reset(token)
    assert "\n" not in line
    fields = json.loads(line)
    assert fields["event"] == "slate_served"
    assert (fields["n_products"], fields["request_id"]) == (3, "0123456789abcdef")


def test_the_api_documents_every_status_with_its_content(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    problem = {"$ref": "#/components/schemas/Problem"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            responses = operation["responses"]
            assert {"200", "default"} <= set(responses), path
            for status, response in responses.items():
                if status == "304":
                    continue
                assert response["content"], (path, status)
                if status == "default" or int(status) >= 400:
                    assert response["content"] == {"application/problem+json": {"schema": problem}}
    image = document["paths"]["/v1/users/{user_id}/products/{product_id}/image"]["get"]["responses"]["200"]
    assert set(image["content"]) == {"image/jpeg", "image/webp", "image/avif"}
    assert {"Impression-Id", "Style-Id", "Propensity", "Model-Version"} <= set(image["headers"])


def test_the_api_document_is_closed(client: TestClient) -> None:
    """Every reference in it leads somewhere inside it."""
    document = client.get("/openapi.json").json()
    references = set(find_references(document))
    assert references
    for reference in references:
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def find_references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for one in node for found in find_references(one)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for one in node.values() for found in find_references(one)]
