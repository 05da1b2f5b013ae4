"""The pages: the shop as one shopper sees it, an experiment, what a problem type means."""

import asyncio
import re
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from personalize.data.records import CatalogueProduct
from personalize.data.schema import ORIGINAL
from personalize.decisions import Decision
from personalize.engine import Engine
from personalize.proof import draw_proof, plot_style_sheet, prove
from personalize.rendering import CARD_FORMAT, CARD_WIDTH_PX, PRODUCTS_PER_PAGE
from personalize.service.dependencies import Backend, BackendDep, log_user
from personalize.service.http_errors import NOT_FOUND, PROBLEM_TYPES, Problem
from personalize.service.pages import render_page
from personalize.service.routes.slates import describe
from personalize.service.schemas import Id, PathId, StyleDecision

router = APIRouter(include_in_schema=False)

DETAIL_WIDTH_PX = 800
N_SHOPPERS = 6
NEWCOMERS = ("ada", "grace", "mary", "edsger")
CURRENCY = "EUR"
PLOT_STYLE_SECONDS = 3600


@dataclass(frozen=True)
class Shopper:
    """Somebody whose shop can be looked at.

    Attributes:
        taste: the title of the style that they are likeliest to click, None before their first click.
    """

    user_id: str
    taste: str | None
    is_chosen: bool

    @property
    def address(self) -> str:
        return f"/?{urlencode({'shopper': self.user_id})}"

    @property
    def initials(self) -> str:
        """Two characters for the round picture: `shopper-0042` is 42."""
        tail = "".join(ch for ch in self.user_id if ch.isalnum())
        return tail[-2:] if tail[-2:].isdigit() else tail[:2].title()

    @property
    def hue(self) -> int:
        """A colour of the palette, always the same for the same shopper."""
        return sha256(self.user_id.encode()).digest()[0] % 8


@dataclass(frozen=True)
class Card:
    """One product as the page shows it."""

    product: CatalogueProduct
    decision: StyleDecision
    style_title: str
    detail_url: str
    photo_url: str
    photo_detail_url: str
    price: Decimal

    @property
    def is_original(self) -> bool:
        return self.decision.style_id == ORIGINAL


@router.get("/")
async def show_shop(
    request: Request,
    backend: BackendDep,
    shopper: Annotated[Id | None, Query()] = None,
    after: Annotated[Id | None, Query()] = None,
) -> Response:
    """A page view is a real slate: its impressions are recorded."""
    featured = await backend.remembered("featured users", backend.engine.featured_users, N_SHOPPERS) or list(
        NEWCOMERS
    )
    user_id = shopper or featured[0]
    log_user(request, user_id)
    shoppers = await _shoppers(backend, featured, user_id)
    products = await backend.call(backend.engine.products, after, PRODUCTS_PER_PAGE + 1)
    shown = products[:PRODUCTS_PER_PAGE]
    decisions = (
        await backend.call(
            backend.engine.decide, user_id, [one.product_id for one in shown], context={"page": "shop"}
        )
        if shown
        else []
    )
    has_more = len(products) > PRODUCTS_PER_PAGE
    return render_page(
        "shop.html",
        {
            "shopper": user_id,
            "shoppers": shoppers,
            "cards": _cards(backend, decisions),
            "experiment": backend.settings.experiment,
            "variant": decisions[0].impression.variant if decisions else None,
            "model_version": backend.engine.model_version,
            "n_styles": len(backend.engine.styles()) - 1,
            "currency": CURRENCY,
            "next": f"/?{urlencode({'shopper': user_id, 'after': shown[-1].product_id})}"
            if has_more
            else None,
        },
    )


@router.get("/experiments/{name}")
async def show_experiment(name: Annotated[PathId, Path()], backend: BackendDep) -> Response:
    """Click-through per variant, the sample-ratio check first."""
    proof = await backend.call(prove, backend.engine.database, name)
    figures = await backend.call(draw_proof, proof)
    comparison = proof.comparison
    sentences = re.split(r"(?<=\.)\s+(?=[A-Z“])", comparison.conclusion)
    return render_page(
        "experiment.html",
        {
            "name": name,
            "comparison": comparison,
            "figures": figures,
            "sentences": sentences,
            "experiment": name,
        },
    )


@router.get("/plots.css")
async def read_plot_styles() -> Response:
    """The style sheet of the experiment's plots."""
    return Response(
        plot_style_sheet(),
        media_type="text/css",
        headers={"Cache-Control": f"public, max-age={PLOT_STYLE_SECONDS}"},
    )


@router.get("/problems/{name}")
async def explain_problem(name: str, backend: BackendDep) -> Response:
    """What a problem's `type` leads to."""
    if name not in PROBLEM_TYPES:
        raise Problem(NOT_FOUND, f"There is no problem type {name[:60]!r}.")
    return render_page(
        "problem.html", {"problem": PROBLEM_TYPES[name], "experiment": backend.settings.experiment}
    )


async def _shoppers(backend: Backend, featured: list[str], chosen: str) -> list[Shopper]:
    """The featured shoppers with their taste, and the chosen one in front if not among them."""
    user_ids = featured if chosen in featured else [chosen, *featured[: N_SHOPPERS - 1]]
    tastes = await asyncio.gather(*(backend.call(_taste, backend.engine, user_id) for user_id in user_ids))
    return [
        Shopper(user_id, taste, user_id == chosen) for user_id, taste in zip(user_ids, tastes, strict=True)
    ]


def _taste(engine: Engine, user_id: str) -> str | None:
    if not engine.has_clicked(user_id):
        return None
    return engine.rank(user_id, k=1, explain=False).styles[0].title


def _cards(backend: Backend, decisions: list[Decision]) -> list[Card]:
    titles = {style.style_id: style.title for style in backend.engine.styles()}
    return [_card(backend, decision, titles[decision.impression.style_id]) for decision in decisions]


def _card(backend: Backend, decision: Decision, style_title: str) -> Card:
    product, renders = decision.product, backend.renders
    return Card(
        product=product,
        decision=describe(backend, decision, CARD_WIDTH_PX, CARD_FORMAT),
        style_title=style_title,
        detail_url=renders.key(product, decision.style_weights, DETAIL_WIDTH_PX, CARD_FORMAT).url,
        photo_url=renders.card_key(product, {}).url,
        photo_detail_url=renders.key(product, {}, DETAIL_WIDTH_PX, CARD_FORMAT).url,
        price=made_up_price(product.product_id),
    )


def made_up_price(product_id: str) -> Decimal:
    """The catalogue holds no prices; this one is always the same for a product, and the page says so.

    >>> made_up_price("mug") == made_up_price("mug"), 9 < made_up_price("mug") < 60
    (True, True)
    """
    step = int.from_bytes(sha256(product_id.encode()).digest()[:4], "big") % 10
    return Decimal(9 + 5 * step) + Decimal("0.90")


def experiment_url(name: str) -> str:
    """Where an experiment's page is."""
    return f"/experiments/{quote(name, safe='')}"
