"""What a model owes the policy."""

from collections.abc import Sequence
from typing import Protocol

from personalize.errors import FeatureMismatch
from personalize.features.frame import FeatureFrame
from personalize.features.runs import Floats


class Scorer(Protocol):
    """Scores the rows of a frame, each from its own features alone."""

    @property
    def model_version(self) -> str:
        """The registry's name of the model, or the name of the fallback."""
        ...

    def score(self, frame: FeatureFrame) -> Floats:
        """Log odds of a click, (rows,).

        Raises:
            FeatureMismatch: the frame's columns are not those the scorer was made for.
        """
        ...


def require_features(frame: FeatureFrame, expected: Sequence[str], owner: str) -> None:
    """Refuse a frame whose columns differ in name or order."""
    if tuple(expected) != frame.names:
        raise FeatureMismatch(expected, frame.names, owner)
