"""The style bank: names to rows of the style table, and mixtures as style weights. No torch needed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.errors import InvalidStyleWeights, UnknownStyle

Mixture = Mapping[str, float]
"""Style name -> weight; weights need not sum to 1, only their proportions count."""

ALL = "all"


@dataclass(frozen=True, eq=False)
class StyleInfo:
    """What is known of a style: its name, content vector (16,) of unit length, and a JPEG thumbnail."""

    name: str
    content_vector: NDArray[np.float32]
    thumbnail: bytes

    def nearest(self, others: Sequence["StyleInfo"], n: int) -> list["StyleInfo"]:
        """The n other styles that look most like this one, by the cosine of content vectors."""
        rest = [other for other in others if other.name != self.name]
        return sorted(rest, key=lambda other: -float(self.content_vector @ other.content_vector))[:n]


@dataclass(frozen=True)
class StyleBank:
    """The styles of one network, in the order of the rows of its style table."""

    names: tuple[str, ...]

    def row(self, name: str) -> int:
        """The row a style owns.

        Raises:
            UnknownStyle: no style has this name; the message gives the nearest ones.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise UnknownStyle(name, self.names) from None

    def style_weights(self, mixture: Mixture) -> NDArray[np.float32]:
        """The mixture as one row of style weights: (S,), summing to 1.

        Raises:
            UnknownStyle: a name the bank does not have.
            InvalidStyleWeights: a weight is negative or not finite, or all are zero.

        >>> StyleBank(("night_cafe", "udnie")).style_weights({"udnie": 3.0, "night_cafe": 1.0}).tolist()
        [0.25, 0.75]
        """
        rows = {self.row(name): _checked(name, weight) for name, weight in mixture.items()}
        total = math.fsum(rows.values())
        if not 0 < total < math.inf:
            raise InvalidStyleWeights(f"style weights must sum to more than zero, got {dict(mixture)}")
        weights = np.zeros(len(self.names), dtype=np.float32)
        for row, weight in rows.items():
            weights[row] = weight / total
        return weights

    def stack(self, mixtures: Sequence[Mixture]) -> NDArray[np.float32]:
        """One row of style weights per mixture, (N, S)."""
        return np.stack([self.style_weights(mixture) for mixture in mixtures])

    def parse(self, text: str) -> list[dict[str, float]]:
        """What to render for `--style TEXT`: one mixture per picture wanted.

        `all` is every style by itself; names alone (`udnie,the_scream`) are separate pictures;
        names that all carry a weight (`udnie=0.7,the_scream=0.3`) are one mixture.

        Raises:
            UnknownStyle, InvalidStyleWeights: also when only some of the names carry a weight.

        >>> StyleBank(("night_cafe", "udnie")).parse("udnie=1,night_cafe=3")
        [{'udnie': 1.0, 'night_cafe': 3.0}]
        """
        if text.strip() == ALL:
            return [{name: 1.0} for name in self.names]
        parts = [part.strip().partition("=") for part in text.split(",") if part.strip()]
        weighted = [separator == "=" for _, separator, _ in parts]
        if not parts or any(weighted) != all(weighted):
            raise InvalidStyleWeights(
                f"give names alone, or a weight to every name (udnie=0.7,the_scream=0.3), got {text[:80]!r}"
            )
        if not any(weighted):
            mixtures = [{name.strip(): 1.0} for name, _, _ in parts]
        else:
            mixtures = [{name.strip(): _number(name, weight) for name, _, weight in parts}]
        self.stack(mixtures)
        return mixtures


def mixture_label(mixture: Mixture) -> str:
    """A short name for file names and captions: the style's own, or `udnie-70+the_scream-30`."""
    if len(mixture) == 1:
        return next(iter(mixture))
    total = math.fsum(mixture.values())
    return "+".join(f"{name}-{100 * weight / total:.0f}" for name, weight in mixture.items())


def _number(name: str, weight: str) -> float:
    try:
        return float(weight)
    except ValueError:
        raise InvalidStyleWeights(
            f"the weight of {name.strip()!r} must be a number, got {weight[:40]!r}"
        ) from None


def _checked(name: str, weight: float) -> float:
    if not (math.isfinite(weight) and weight >= 0):
        raise InvalidStyleWeights(f"the weight of {name!r} must be zero or more and finite, got {weight}")
    return float(weight)
