"""The pages: real slates, real events, nothing from elsewhere; and the same in a real browser."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from answers import PRODUCTS
from fastapi.testclient import TestClient
from servers import Server
from sqlalchemy import create_engine

from personalize.proof import prove
from personalize.service.app import create_app
from personalize.settings import Settings

HTML = {"Accept": "text/html"}


def test_a_page_view_is_a_slate_with_an_impression_per_product(client: TestClient, user_id: str) -> None:
    page = client.get("/", params={"shopper": user_id}, headers=HTML)
    assert page.status_code == 200
    impressions = re.findall(r'data-impression="(\w+)"', page.text)
    assert len(set(impressions)) == len(PRODUCTS)
    slate = {"user_id": user_id, "product_ids": sorted(PRODUCTS)}
    decisions = client.post("/v1/slates", json=slate).json()["decisions"]
    assert [one["impression_id"] for one in decisions] == impressions


def test_a_shopper_has_a_taste_from_the_first_click_on(client: TestClient, user_id: str) -> None:
    """With a champion or without one: here there is none."""
    of_chosen = re.compile(rf"<b>{user_id}</b><small>([^<]+)</small>")
    page = client.get("/", params={"shopper": user_id}, headers=HTML).text
    assert of_chosen.findall(page) == ["no clicks yet"]
    shown = re.findall(r'data-impression="(\w+)"', page)
    events = [{"type": "click", "event_id": f"c-{one}", "impression_id": one} for one in shown]
    assert client.post("/v1/events", json={"events": events}).status_code == 200
    [taste] = of_chosen.findall(client.get("/", params={"shopper": user_id}, headers=HTML).text)
    assert taste.startswith("likes ")


def test_every_picture_on_the_page_can_be_had(client: TestClient, user_id: str) -> None:
    page = client.get("/", params={"shopper": user_id}, headers=HTML).text
    sources = [
        unescape(src) for src in re.findall(r'(?:src|data-src|data-detail|data-photo-detail)="([^"]+)"', page)
    ]
    assert len(sources) > 3 * len(PRODUCTS)
    for source in set(sources):
        assert source.startswith("/")
        assert client.get(source).status_code == 200


def test_pictures_have_their_size_so_that_nothing_jumps(client: TestClient) -> None:
    page = client.get("/", headers=HTML).text
    images = re.findall(r"<img[^>]*>", page)
    cards = [image for image in images if 'class="styled"' in image]
    assert len(cards) == len(PRODUCTS)
    assert all("width=" in image and "height=" in image and "alt=" in image for image in cards)


def test_a_hostile_shopper_name_stays_text(client: TestClient) -> None:
    name = "<script>alert(1)</script>\"'&"
    page = client.get("/", params={"shopper": name}, headers=HTML).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_pages_hold_no_inline_script_or_style_and_fetch_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/rate", "/styles", "/experiments/demo", "/problems/unknown-product", "/nowhere"):
        page = client.get(path, headers=HTML).text
        assert not re.search(r"<script(?![^>]*src=)", page)
        assert not re.search(r"<style|\sstyle=|\son\w+=", page)
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)


def test_an_empty_catalogue_says_how_to_fill_it(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings()
    with closing(sqlite3.connect(settings.sqlite_path)) as connection, connection:
        connection.execute("DELETE FROM products")
    with TestClient(create_app(settings)) as client:
        page = client.get("/", headers=HTML)
        assert page.status_code == 200
        assert "personalize catalog add" in page.text


def test_the_experiment_page_reads_the_split_first_and_has_a_table_beside_every_plot(
    make_settings: Callable[..., Settings],
) -> None:
    with TestClient(create_app(make_settings(experiment="demo"))) as client:
        for n in range(60):
            slate = {"user_id": f"shopper-{n}", "product_ids": ["mug-red", "chair-oak"]}
            decisions = client.post("/v1/slates", json=slate).json()["decisions"]
            event = {"type": "click", "event_id": f"c{n}", "impression_id": decisions[0]["impression_id"]}
            if n % 3 == 0:
                client.post("/v1/events", json={"events": [event]})
        page = client.get("/experiments/demo", headers=HTML)
        assert page.status_code == 200
        assert page.text.index("The split is sound") < page.text.index('<div class="plot">')
        for variant in ("original", "popular", "personal"):
            assert variant in page.text
        assert page.text.count('<div class="plot">') <= page.text.count("<table>")
        assert client.get("/plots.css").headers["content-type"].startswith("text/css")
        shop = client.get("/", headers=HTML).text
        assert 'href="/experiments/demo"' in shop


def test_the_experiment_page_leaves_out_what_the_rules_leave_out_and_shows_it(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(experiment="demo")
    with TestClient(create_app(settings)) as client:
        for n in range(30):
            slate = {"user_id": f"shopper-{n}", "product_ids": ["mug-red", "chair-oak"]}
            client.post("/v1/slates", json=slate)
        with closing(sqlite3.connect(settings.sqlite_path)) as connection, connection:
            connection.execute(
                "UPDATE impressions SET variant = iif(variant = 'popular', 'personal', 'popular') "
                "WHERE user_id = 'shopper-0' AND product_id = 'mug-red'"
            )
        page = client.get("/experiments/demo", headers=HTML).text
    proof = prove(create_engine(settings.resolved_database_url), "demo")
    assert proof.funnel is not None
    assert proof.funnel.users_dropped == {"two_variants": 2, "bots": 0}
    assert sum(variant.users for variant in proof.comparison.variants.values()) == 29
    assert "What was counted" in page
    assert "Rows of impressions" in page
    assert re.search(r"<td[^>]*>two_variants</td>\s*<td[^>]*>2</td>", page)


@pytest.fixture(scope="module")
def served(shop_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server process."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(shop_dir, folder / "data")
    server = Server(Settings(data_dir=folder / "data", experiment="demo"), folder / "server.log")
    with server.running() as process:
        server.wait_for("/readyz", process)
        yield f"http://127.0.0.1:{server.port}"


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_shopper_looks_compares_opens_and_buys(served: str, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    messages: list[str] = []
    requests: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 850})
        page.set_default_timeout(60_000)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        find_shopper_with_styles(page, served)
        card = page.locator("[data-card]:has([data-peek])").first
        look_at_the_original(card)
        ask_why(page, card)
        card.locator("a.open").click()
        page.get_by_text("Your click is recorded.").wait_for()
        page.locator("[data-split]").focus()
        page.keyboard.press("End")
        page.get_by_role("button", name="Buy now").click()
        page.get_by_text("Thank you. The purchase is recorded.").wait_for()
        page.keyboard.press("Escape")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(f"{served}/experiments/demo")
        assert page.locator(".plot svg:visible").count() >= 1
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.close()
    assert messages == []
    assert [url for url in requests if not url.startswith(served)] == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_rater_chooses_by_key_and_by_touch_scores_and_erases(served: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    messages: list[str] = []
    requests: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 390, "height": 850}, has_touch=True)
        page.set_default_timeout(60_000)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{served}/rate")
        answers = [
            lambda: page.keyboard.press("ArrowLeft"),
            lambda: page.keyboard.press("ArrowDown"),
            lambda: page.get_by_role("button", name="on the right").tap(),
            lambda: page.get_by_role("button", name="No preference").click(),
        ]
        for n, answer in enumerate(answers, start=1):
            page.locator('[aria-busy="false"]').wait_for()
            answer()
            page.get_by_text(f"Recorded, {n} so far.").wait_for()
        page.locator('[aria-busy="false"]').wait_for()
        page.keyboard.press("s")
        page.get_by_text("Skipped.").wait_for()
        assert_nothing_sticks_out(page)
        page.get_by_role("link", name="Score one").click()
        page.locator('[aria-busy="false"]').wait_for()
        page.keyboard.press("4")
        page.get_by_text("Recorded, 5 so far.").wait_for()
        page.get_by_role("button", name="Erase my ratings").click()
        page.get_by_text("Erased 5 ratings.").wait_for()
        page.get_by_role("link", name="See what all ratings say").click()
        page.get_by_role("heading", name="judged in three ways").wait_for()
        assert_nothing_sticks_out(page)
        browser.close()
    assert messages == []
    assert [url for url in requests if not url.startswith(served)] == []


def assert_nothing_sticks_out(page: Any) -> None:
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 850})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def find_shopper_with_styles(page: Any, served: str) -> None:
    """Some shoppers are in the variant that sees originals; take the first who is not."""
    for n in range(20):
        page.goto(f"{served}/?shopper=visitor-{n}")
        if page.locator("[data-peek]").count():
            page.wait_for_load_state("networkidle")
            return
    raise AssertionError("twenty shoppers in a row saw only originals")


def look_at_the_original(card: Any) -> None:
    peek = card.locator("[data-peek]")
    assert not card.locator(".photo").is_visible()
    peek.focus()
    peek.press("Enter")
    card.locator(".photo").wait_for(state="visible")
    peek.press("Enter")
    card.locator(".photo").wait_for(state="hidden")


def ask_why(page: Any, card: Any) -> None:
    card.locator("[data-why] summary").click()
    card.locator("[data-reasons] li").first.wait_for()
    page.keyboard.press("Escape")
    card.locator(".reasons").wait_for(state="hidden")
