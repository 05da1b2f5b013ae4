"""What there is to photograph: the `product` decorator fills the list that the command walks.

A product is a function that builds its objects, with the words a shop would print, the backdrop it
stands before and the view the camera takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Shadow = Literal["none", "window", "leaves"]
Setting = Literal["sweep", "table", "plinth", "arch", "room", "wall"]


@dataclass(frozen=True)
class Backdrop:
    """Where the product stands.

    `wall` and `floor` are sRGB hex; of a table, `floor` is the lighter tone of its wood. `light` scales
    every lamp of the studio, below 1 for products that glow by themselves.
    """

    wall: str
    floor: str
    setting: Setting = "sweep"
    shadow: Shadow = "none"
    accent: str = "#ffffff"
    light: float = 1.0


@dataclass(frozen=True)
class View:
    """How the camera looks.

    `turn` and `elevation` are degrees: the product on its turntable, the camera looking down. `fill` is
    the share of the frame that the product's longer side takes; a low `f_stop` blurs the backdrop.
    """

    turn: float = 0.0
    elevation: float = 12.0
    fill: float = 0.66
    lens_mm: float = 75.0
    f_stop: float = 0.7


@dataclass(frozen=True)
class Product:
    product_id: str
    title: str
    category: str
    backdrop: Backdrop
    view: View
    build: Callable[[], None]


PRODUCTS: list[Product] = []


def product(
    product_id: str, title: str, category: str, backdrop: Backdrop, view: View | None = None
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Put the decorated builder on the list."""

    def add(build: Callable[[], None]) -> Callable[[], None]:
        PRODUCTS.append(Product(product_id, title, category, backdrop, view or View(), build))
        return build

    return add
