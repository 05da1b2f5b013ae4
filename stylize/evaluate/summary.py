"""From measurements to the figures that are reported: per style, and over all."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from stylize.evaluate.bench import Measures
from stylize.evaluate.evaluation import Evaluation
from stylize.evaluate.mixes import clean_rate, worst_mix
from stylize.evaluate.painting import FULL, Strengths
from stylize.evaluate.strengths import StrengthsTrial

Picture = tuple[str, str, Measures]
"""Photo key, style, measures."""


@dataclass(frozen=True)
class Figures:
    """The figures of one style, or of all together.

    Attributes:
        J_full, style_loss_full, content_loss_full: means over photos at full strength.
        J_ratio: J at full strength over the per-picture optimum's of the same pair, the mean over the
            n_references pairs whose optimum is known; None where none is.
        identified_*_rate: share of pictures whose style is told right.
        recognised_*_rate: share whose product is told right, divided by that of the clean photos.
        checkerboard_*ratio: of the picture over that of its style picture.
        border_ratio: at full strength, see stylize.evaluate.artefacts.
        psnr_strength_0_db: the network at strength 0 against the photo; 100 where nothing differs.
    """

    J_full: float
    style_loss_full: float
    content_loss_full: float
    J_ratio: float | None
    n_references: int
    identified_full_rate: float
    identified_default_rate: float
    recognised_full_rate: float | None
    recognised_default_rate: float | None
    psnr_full_db: float
    psnr_default_db: float
    ssim_full: float
    ssim_default: float
    checkerboard_ratio: float
    checkerboard_default_ratio: float
    border_ratio: float
    border_default_ratio: float
    psnr_strength_0_db: float


def summarize(evaluation: Evaluation) -> dict[str, Any]:
    """All figures as plain values, ready for JSON."""
    names = evaluation.checkpoint.style_names
    return {
        "overall": asdict(figures(evaluation, names)),
        "styles": {name: asdict(figures(evaluation, [name])) for name in names},
        "default_strengths": [evaluation.default.subject, evaluation.default.background],
        "strengths": [_trial_row(trial) for trial in trials(evaluation)],
        "mixes": _mixes(evaluation),
        "recognised_clean_rate": clean_recognition(evaluation),
        "why_not_recognised": evaluation.why_not_recognised,
        "side_px": evaluation.side_px,
        "n_photos": len(evaluation.photos),
        "photos": [photo.name for photo in evaluation.photos],
        "checkpoint": evaluation.checkpoint.sha256,
    }


def figures(evaluation: Evaluation, styles: Sequence[str]) -> Figures:
    """The figures of the pictures in these styles."""
    full = pictures(evaluation, FULL, styles)
    default = pictures(evaluation, evaluation.default, styles)
    ratios = _ratios(evaluation, full)
    return Figures(
        J_full=_mean(full, _J),
        style_loss_full=_mean(full, lambda measures: measures.style_loss),
        content_loss_full=_mean(full, lambda measures: measures.content_loss),
        J_ratio=fmean(ratios) if ratios else None,
        n_references=len(ratios),
        identified_full_rate=identified_rate(full),
        identified_default_rate=identified_rate(default),
        recognised_full_rate=recognised_rate(evaluation, full),
        recognised_default_rate=recognised_rate(evaluation, default),
        psnr_full_db=_mean(full, lambda measures: measures.psnr_db),
        psnr_default_db=_mean(default, lambda measures: measures.psnr_db),
        ssim_full=_mean(full, lambda measures: measures.ssim),
        ssim_default=_mean(default, lambda measures: measures.ssim),
        checkerboard_ratio=_checkerboard_ratio(evaluation, full),
        checkerboard_default_ratio=_checkerboard_ratio(evaluation, default),
        border_ratio=_mean(full, lambda measures: measures.border),
        border_default_ratio=_mean(default, lambda measures: measures.border),
        psnr_strength_0_db=fmean(photo.psnr_strength_0_db for photo in evaluation.photos),
    )


def trials(evaluation: Evaluation) -> list[StrengthsTrial]:
    """What each pair of strengths gives over all photos and styles, in order."""
    found = []
    for strengths in sorted(evaluation.tried):
        shown = pictures(evaluation, strengths, evaluation.checkpoint.style_names)
        similarity = _mean(shown, lambda measures: measures.ssim)
        found.append(
            StrengthsTrial(strengths, identified_rate(shown), recognised_rate(evaluation, shown), similarity)
        )
    return found


def pictures(evaluation: Evaluation, strengths: Strengths, styles: Iterable[str]) -> list[Picture]:
    """Every picture in these styles at a pair of strengths."""
    return [
        (photo.key, style, evaluation.measures[photo.key, style, strengths])
        for style in styles
        for photo in evaluation.photos
    ]


def identified_rate(shown: Sequence[Picture]) -> float:
    """Share of pictures that look most like the style they are in."""
    return fmean(measures.identified_as == style for _, style, measures in shown)


def clean_recognition(evaluation: Evaluation) -> float | None:
    """Share of clean photos whose group the probe reads right; None without a probe or known groups."""
    known = [photo for photo in evaluation.photos if photo.group is not None]
    if not known or evaluation.why_not_recognised is not None:
        return None
    return fmean(photo.recognised_as == photo.group for photo in known)


def recognised_rate(evaluation: Evaluation, shown: Sequence[Picture]) -> float | None:
    """Share of pictures whose group is read right, divided by the clean photos' share."""
    clean = clean_recognition(evaluation)
    if not clean:
        return None
    groups = {photo.key: photo.group for photo in evaluation.photos if photo.group is not None}
    read = [measures.recognised_as == groups[key] for key, _, measures in shown if key in groups]
    return fmean(read) / clean


def _ratios(evaluation: Evaluation, full: Sequence[Picture]) -> list[float]:
    return [
        _J(measures) / evaluation.optima[key, style].J
        for key, style, measures in full
        if (key, style) in evaluation.optima
    ]


def _checkerboard_ratio(evaluation: Evaluation, shown: Sequence[Picture]) -> float:
    own = evaluation.style_checkerboards
    return fmean(measures.checkerboard / own[style] for _, style, measures in shown)


def _mixes(evaluation: Evaluation) -> dict[str, Any]:
    worst = worst_mix(evaluation.mixes)
    return {
        "n_pairs": len(evaluation.mixes),
        "clean_rate": clean_rate(evaluation.mixes),
        "worst": None if worst is None else {"styles": [worst.first, worst.second], "excess": worst.excess},
    }


def _trial_row(trial: StrengthsTrial) -> Mapping[str, Any]:
    return asdict(trial) | {"strengths": [trial.strengths.subject, trial.strengths.background]}


def _mean(shown: Sequence[Picture], quantity: Callable[[Measures], float]) -> float:
    return fmean(quantity(measures) for _, _, measures in shown)


def _J(measures: Measures) -> float:  # noqa: N802 - the name it has in the literature
    return measures.style_loss + measures.content_loss
