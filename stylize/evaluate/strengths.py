"""Which pair of strengths should be the default: styled for all to see, the product still recognised."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stylize.errors import StylizeError
from stylize.evaluate.painting import Strengths

GRID = tuple(
    Strengths(subject, background) for background in (0.8, 1.0) for subject in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
)
LEAST_RECOGNISED = 0.85
LEAST_SIMILAR = 0.60


@dataclass(frozen=True)
class StrengthsTrial:
    """What a pair of strengths gives over all photos and styles.

    Attributes:
        identified_rate: share of pictures whose style is told right.
        recognised_rate: share whose product is, relative to the clean photos; None without a probe.
        ssim: mean, against the photos.
    """

    strengths: Strengths
    identified_rate: float
    recognised_rate: float | None
    ssim: float


def choose_default(
    trials: Iterable[StrengthsTrial],
    least_recognised: float = LEAST_RECOGNISED,
    least_similar: float = LEAST_SIMILAR,
) -> StrengthsTrial | None:
    """The most identified of the pairs that keep the product: recognised so often, and of such an SSIM.

    Ties go to the better recognised, then to the more similar to the photo. None: no pair
    keeps the product well enough, or nothing could be recognised at all.
    """
    kept = [
        (trial.identified_rate, trial.recognised_rate, trial.ssim, trial.strengths, trial)
        for trial in trials
        if trial.recognised_rate is not None
        and trial.recognised_rate >= least_recognised
        and trial.ssim >= least_similar
    ]
    return max(kept)[-1] if kept else None


def parse_strengths(text: str) -> Sequence[Strengths]:
    """The pairs named by `--strengths`: `grid`, or pairs such as `0.3,1 0.4,1`.

    Raises:
        StylizeError: the text is neither.

    >>> [pair.label for pair in parse_strengths("0.3,1 .4,.8")]
    ['0.3 / 1', '0.4 / 0.8']
    """
    if text.strip() == "grid":
        return GRID
    try:
        pairs = [Strengths(*(float(part) for part in pair.split(","))) for pair in text.split()]
    except (ValueError, TypeError):
        pairs = []
    if not pairs:
        raise StylizeError(
            f"strengths are `grid` or pairs of product and background in [0, 1], such as '0.3,1 0.4,1'; "
            f"got {text[:60]!r}"
        )
    return pairs
