"""Ratings over HTTP: drawn by chance, on disk once, erased with the rater, compared with the clicks."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from answers import PRODUCTS, assert_problem
from fastapi.testclient import TestClient

from personalize.service.app import create_app
from personalize.settings import Settings

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def styles(client: TestClient) -> list[str]:
    return [one["style_id"] for one in client.get("/v1/styles").json()["styles"]]


def pair(styles: list[str], **values: Any) -> dict[str, Any]:
    return {
        "kind": "pair",
        "rating_id": uuid4().hex,
        "rater_id": "eve",
        "product_id": "mug-red",
        "left_style_id": styles[0],
        "right_style_id": styles[1],
        "preferred": "left",
    } | values


def score(styles: list[str], **values: Any) -> dict[str, Any]:
    return {
        "kind": "score",
        "rating_id": uuid4().hex,
        "rater_id": "eve",
        "product_id": "mug-red",
        "style_id": styles[0],
        "score": 4,
    } | values


def test_a_rating_is_accepted_once(client: TestClient, styles: list[str]) -> None:
    for rating in (pair(styles), pair(styles, preferred="neither"), score(styles)):
        answers = [client.post("/v1/ratings", json=rating).json() for _ in range(3)]
        assert [one["status"] for one in answers] == ["accepted", "duplicate", "duplicate"]
        assert {one["rating_id"] for one in answers} == {rating["rating_id"]}


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (pair, {"preferred": "both"}, "preferred"),
        (pair, {"preferred": None}, "preferred"),
        (pair, {"rating_id": ""}, "rating_id"),
        (pair, {"rater_id": "x" * 129}, "rater_id"),
        (pair, {"score": 4}, "score"),
        (score, {"score": 0}, "score"),
        (score, {"score": 6}, "score"),
        (score, {"score": 3.5}, "score"),
        (score, {"score": "4"}, "score"),
        (score, {"score": True}, "score"),
        (score, {"product_id": "a\nb"}, "product_id"),
        (score, {"kind": "stars"}, "kind"),
        (score, {"kind": None}, "kind"),
    ],
)
def test_a_rating_that_cannot_be_is_refused_field_by_field(
    client: TestClient, styles: list[str], kind: Any, values: dict[str, Any], field: str
) -> None:
    document = assert_problem(client.post("/v1/ratings", json=kind(styles, **values)), 422, "invalid-request")
    assert [one["field"] for one in document["errors"]] == [field]


def test_a_style_is_not_compared_with_itself(client: TestClient, styles: list[str]) -> None:
    answer = client.post("/v1/ratings", json=pair([styles[0]] * 2))
    assert "are the same style" in assert_problem(answer, 422, "invalid-request")["detail"]


def test_what_is_not_there_cannot_be_rated(client: TestClient, styles: list[str]) -> None:
    unknown = client.post("/v1/ratings", json=pair(styles, product_id="nothing"))
    assert_problem(unknown, 404, "unknown-product")
    assert_problem(client.post("/v1/ratings", json=score(["fresco"])), 404, "unknown-style")
    cut_off = client.post("/v1/ratings", content=b"{", headers={"content-type": "application/json"})
    assert_problem(cut_off, 400, "malformed-json")


def test_erasing_a_user_erases_the_ratings_they_gave(client: TestClient, styles: list[str]) -> None:
    for _ in range(2):
        client.post("/v1/ratings", json=pair(styles, rater_id="gone"))
    assert client.delete("/v1/users/gone").json() == {"rows_erased": 2}
    assert client.delete("/v1/users/gone").json() == {"rows_erased": 0}


def test_what_to_judge_next_can_be_seen_and_its_sides_are_chance(
    client: TestClient, styles: list[str]
) -> None:
    tasks = [client.get("/v1/ratings/next").json() for _ in range(120)]
    assert {task["product_id"] for task in tasks} == set(PRODUCTS)
    on_the_left = Counter(task["pictures"][0]["style_id"] for task in tasks)
    assert len(on_the_left) > len(styles) / 2
    for task in tasks:
        left, right = task["pictures"]
        assert left["style_id"] != right["style_id"]
    for picture in tasks[0]["pictures"]:
        assert client.get(picture["image_url"]).headers["content-type"] == "image/webp"
    [one] = client.get("/v1/ratings/next", params={"kind": "score"}).json()["pictures"]
    assert one["style_id"] in styles


def test_an_empty_catalogue_has_nothing_to_rate(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    with closing(sqlite3.connect(settings.sqlite_path)) as connection, connection:
        connection.execute("DELETE FROM products")
    with TestClient(create_app(settings)) as client:
        assert_problem(client.get("/v1/ratings/next"), 404, "nothing-to-rate")
        page = client.get("/rate", headers=HTML)
        assert page.status_code == 200
        assert "personalize catalog add" in page.text


@pytest.fixture
def judged(make_settings: Callable[..., Settings], tmp_path: Path) -> tuple[TestClient, Path]:
    """A shop whose checkpoint lies in a folder of its own, so that a report can lie beside it."""
    from stylize.checkpoint import shipped_checkpoint_path

    checkpoint = tmp_path / "network.safetensors"
    checkpoint.symlink_to(shipped_checkpoint_path())
    return TestClient(create_app(make_settings(checkpoint=checkpoint))), tmp_path


def test_the_three_ways_stand_side_by_side_and_are_compared(
    judged: tuple[TestClient, Path],
) -> None:
    client, folder = judged
    with client:
        styles = [one["style_id"] for one in client.get("/v1/styles").json()["styles"]]
        measured = {
            name: {"psnr_default_db": 12.5 + i, "ssim_default": 0.5, "recognised_default_rate": 0.75}
            for i, name in enumerate(styles[:5])
        }
        report = folder / "network.report.json"
        report.write_text(json.dumps({"overall": {}, "styles": measured}), encoding="utf-8")
        rng = Random(0)
        for n in range(240):
            left, right = rng.sample(range(len(styles)), 2)
            preferred = "left" if left < right else "right"
            if rng.random() < 0.2:
                preferred = "neither"
            names = [styles[left], styles[right]]
            client.post("/v1/ratings", json=pair(names, rater_id=f"r{n % 12}", preferred=preferred))
        client.post("/v1/ratings", json=score(styles, style_id=styles[0], score=5))
        for n in range(30):
            slate = {"user_id": f"shopper-{n}", "product_ids": ["mug-red", "chair-oak"]}
            decisions = client.post("/v1/slates", json=slate).json()["decisions"]
            if n % 2:
                event = {"type": "click", "event_id": f"c{n}", "impression_id": decisions[0]["impression_id"]}
                client.post("/v1/events", json={"events": [event]})
        answer = client.get("/v1/styles/judgements").json()
        page = client.get("/styles", headers=HTML).text
    assert (answer["n_comparisons"], answer["n_scores"], answer["n_raters"]) == (240, 1, 13)
    standing = {one["style_id"]: one for one in answer["standings"]}
    assert set(standing) == set(styles)
    first, last = standing[styles[0]], standing[styles[-1]]
    assert first["preferred"]["low"] > 0.5 > last["preferred"]["high"]
    assert first["opinion"]["value"] == 5.0
    assert first["psnr_db"]["value"] == 12.5
    assert first["recognised"]["value"] == 0.75
    assert first["identified"] == {"value": None, "low": None, "high": None, "n": 0, "why_none": "the report does not hold it"}  # fmt: skip  # noqa: E501
    assert last["psnr_db"]["why_none"]
    shown = sum(one["ctr"]["n"] for one in answer["standings"])
    clicked = sum((one["ctr"]["value"] or 0) * one["ctr"]["n"] for one in answer["standings"])
    assert (shown, round(clicked)) == (60, 15)
    assert any(
        one.startswith("Preference by eye and clicks: rank correlation") for one in answer["sentences"]
    )
    for title in ("By eye", "By measure", "By behaviour", "12.5 dB", "75%"):
        assert title in page
    assert page.count('<svg class="mark"') >= 3 * 5


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"styles": 3}', '{"styles": {"waves": 3}}'])
def test_without_a_sound_report_there_are_dashes_with_the_reason(
    judged: tuple[TestClient, Path], text: str | None
) -> None:
    client, folder = judged
    if text is not None:
        (folder / "network.report.json").write_text(text, encoding="utf-8")
    with client:
        answer = client.get("/v1/styles/judgements").json()
    [one] = [one for one in answer["standings"] if one["style_id"] != "original"][:1]
    assert one["ssim"]["value"] is None
    assert "stylize evaluate" in one["ssim"]["why_none"]
    assert one["preferred"]["why_none"] == "nobody compared it yet"
