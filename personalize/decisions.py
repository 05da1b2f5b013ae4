"""What the engine answers: a decision per product, or a ranking with its reasons."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from personalize.data.records import CatalogueProduct, ShownStyle
from personalize.data.schema import ORIGINAL


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a score, in log odds of a click, and the same in words."""

    feature: str
    value: float
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a decision was taken: the score of the style shown and what it is the sum of."""

    score: float
    reasons: tuple[Reason, ...]


UNEXPLAINED = Explanation(0.0, ())


class Account(Protocol):
    """What a process still holds of a decision, worked out when it is asked for."""

    def propensities(self) -> dict[str, float]:
        """Of every style that could have been shown; they sum to 1."""
        ...

    def explain(self) -> Explanation:
        """The score of the style shown, and the parts that sum to it."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What one product is shown as, how likely that was, and why.

    `propensities` are of every style that could have been shown, and sum to 1. Of a style kept from
    earlier in the visit they, and the reasons, are those of the first time if this process still holds
    them; otherwise only the propensity that was logged is known.
    """

    impression: ShownStyle
    product: CatalogueProduct
    blend: Mapping[str, float] | None = None
    account: Account | None = field(default=None, compare=False, repr=False)

    @property
    def propensities(self) -> dict[str, float]:
        """Of every style that could have been shown; they sum to 1."""
        if self.account is None:
            return {self.style_id: self.propensity}
        return self.account.propensities()

    @property
    def style_weights(self) -> dict[str, float]:
        """What to render: weights that sum to 1; empty for the original photo."""
        if self.blend is not None:
            return dict(self.blend)
        return {} if self.style_id == ORIGINAL else {self.style_id: 1.0}

    @property
    def style_id(self) -> str:
        return self.impression.style_id

    @property
    def propensity(self) -> float:
        """Probability with which the policy showed just this style."""
        return self.impression.propensity

    @property
    def model_version(self) -> str:
        return self.impression.model_version

    @property
    def score(self) -> float:
        """Log odds of a click, as the policy's scorer saw them; 0 where it looked at none."""
        return self._explained.score

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Parts that sum to the score."""
        return self._explained.reasons

    @property
    def _explained(self) -> Explanation:
        return UNEXPLAINED if self.account is None else self.account.explain()


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
