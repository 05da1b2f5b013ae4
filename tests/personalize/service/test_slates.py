"""Slates over HTTP: a decision per product, durable, with an address that renders."""

from typing import Any

import pytest
from answers import PRODUCTS, assert_problem, picture_of
from fastapi.testclient import TestClient


def ask(client: TestClient, user_id: str, **values: Any) -> Any:
    body = {"user_id": user_id, "product_ids": list(PRODUCTS), "width": 32} | values
    return client.post("/v1/slates", json=body)


def test_there_is_one_decision_per_product_in_the_order_asked(client: TestClient, user_id: str) -> None:
    decisions = ask(client, user_id).json()["decisions"]
    assert [one["product_id"] for one in decisions] == list(PRODUCTS)
    assert [one["position"] for one in decisions] == [0, 1, 2, 3]
    assert len({one["impression_id"] for one in decisions}) == 4
    for one in decisions:
        assert one["style_weights"] == {one["style_id"]: 1.0}
        assert 0 < one["propensity"] <= 1


def test_each_address_leads_to_a_picture_of_the_size_it_says(client: TestClient, user_id: str) -> None:
    for one in ask(client, user_id, format="jpeg").json()["decisions"]:
        answer = client.get(one["image_url"])
        assert answer.headers["content-type"] == "image/jpeg"
        assert picture_of(answer.content).size == (one["image_width"], one["image_height"])


def test_a_slate_and_the_image_endpoint_show_the_same_within_a_visit(
    client: TestClient, user_id: str
) -> None:
    decision = ask(client, user_id).json()["decisions"][1]
    image = client.get(f"/v1/users/{user_id}/products/{decision['product_id']}/image", params={"width": 32})
    assert image.headers["impression-id"] == decision["impression_id"]
    assert image.headers["style-id"] == decision["style_id"]


def test_an_unknown_product_spoils_the_whole_slate(client: TestClient, user_id: str) -> None:
    assert_problem(ask(client, user_id, product_ids=["mug-red", "nope"]), 404, "unknown-product")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"product_ids": []}, "product_ids"),
        ({"product_ids": ["mug-red", "mug-red"]}, "product_ids"),
        ({"product_ids": [f"p{n}" for n in range(101)]}, "product_ids"),
        ({"product_ids": ["mug-red", ""]}, "product_ids[1]"),
        ({"product_ids": "mug-red"}, "product_ids"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 129}, "user_id"),
        ({"user_id": "a\x00b"}, "user_id"),
        ({"user_id": 5}, "user_id"),
        ({"user_id": None}, "user_id"),
        ({"width": 15}, "width"),
        ({"width": 1e9}, "width"),
        ({"format": "gif"}, "format"),
        ({"context": {"k": "v" * 300}}, "context.k"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, user_id: str, values: dict[str, Any], field: str) -> None:
    document = assert_problem(ask(client, **{"user_id": user_id} | values), 422, "invalid-request")
    assert field in [error["field"] for error in document["errors"]]
