"""Look: how a photo shall be painted. What a merchandiser chooses, in one value; no torch needed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stylize.errors import InvalidLook
from stylize.styles import Mixture

SMALLEST_STROKE, LARGEST_STROKE = 0.25, 4.0


@dataclass(frozen=True)
class Look:
    """A mixture of styles, how strong it is on the product and around it, and what is kept of the photo.

    Strengths go from 0, the photo itself, to 1, the full style. `Look(m, subject_strength=0)` paints
    the background only, `Look(m, background_strength=0)` the product only.

    Attributes:
        mixture: style name -> weight; only proportions count.
        subject_strength, background_strength: None is the checkpoint's default.
        is_color_kept: brightness from the painting, colours from the photo.
        is_white_kept: a flat, near-white studio background stays as it is.
        stroke_size: 2 paints strokes twice as large, 0.5 half as large. The network then works on the
            photo at 1 / stroke_size of its size, and what it painted is brought back to the photo's.
    Raises:
        InvalidLook: a strength outside [0, 1], or a stroke size outside [1/4, 4].
    """

    mixture: Mixture
    subject_strength: float | None = None
    background_strength: float | None = None
    is_color_kept: bool = False
    is_white_kept: bool = False
    stroke_size: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("subject", self.subject_strength), ("background", self.background_strength)):
            if value is not None and not (math.isfinite(value) and 0 <= value <= 1):
                raise InvalidLook(
                    f"the {name} strength must be between 0 (the photo) and 1 (the full style), got {value}"
                )
        if not SMALLEST_STROKE <= self.stroke_size <= LARGEST_STROKE:
            raise InvalidLook(
                f"the stroke size must be between {SMALLEST_STROKE} and {LARGEST_STROKE}, "
                f"got {self.stroke_size}"
            )

    @classmethod
    def even(cls, mixture: Mixture, strength: float) -> "Look":
        """The mixture at one strength over the whole picture."""
        return cls(mixture, strength, strength)

    def strengths(self, default: tuple[float, float]) -> tuple[float, float]:
        """Of the product and of its background, the default's where this look names none."""
        subject, background = default
        return (
            subject if self.subject_strength is None else self.subject_strength,
            background if self.background_strength is None else self.background_strength,
        )

    def painting_size(self, size: tuple[int, int], min_px: int) -> tuple[int, int]:
        """Width and height at which the network paints a photo of this size; sides at least min_px.

        >>> Look({"udnie": 1}, stroke_size=2).painting_size((600, 401), min_px=16)
        (300, 200)
        """
        if self.stroke_size == 1:
            return size
        width, height = (max(min_px, round(side / self.stroke_size)) for side in size)
        return width, height


def as_look(look: Look | Mixture) -> Look:
    """The look itself; a bare mixture is painted at the checkpoint's default strengths."""
    return Look(look) if isinstance(look, Mapping) else look
