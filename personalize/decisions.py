"""What the engine answers: a decision per product, or a ranking with its reasons."""

from dataclasses import asdict, dataclass
from typing import Any

from personalize.data.records import CatalogueProduct, ShownStyle
from personalize.data.schema import ORIGINAL


@dataclass(frozen=True, slots=True)
class Decision:
    """What one product is shown as; `style_weights` is empty for the original photo."""

    impression: ShownStyle
    product: CatalogueProduct

    @property
    def style_weights(self) -> dict[str, float]:
        style_id = self.impression.style_id
        return {} if style_id == ORIGINAL else {style_id: 1.0}


@dataclass(frozen=True, slots=True)
class Reason:
    """One feature's part in a score, in log odds of a click, and the same in words."""

    feature: str
    value: float
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class RankedStyle:
    """`score` is in log odds of a click; `propensity` is what the policy would show the style with."""

    style_id: str
    title: str
    score: float
    propensity: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Styles by descending score; ties fall to style_id."""

    user_id: str
    product_id: str | None
    model_version: str
    styles: tuple[RankedStyle, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
