"""The evaluation itself: every photo in every style at the strengths that matter, measured once."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from stylize.checkpoint import StyleCheckpoint
from stylize.devices import computes_in_bfloat16
from stylize.errors import StylizeError
from stylize.evaluate.bench import Bench, Measures
from stylize.evaluate.fidelity import psnr_db
from stylize.evaluate.log import MeasurementLog
from stylize.evaluate.mixes import MixTrial, all_pairs
from stylize.evaluate.painting import FULL, NONE, Painter, Strengths
from stylize.evaluate.probing import learn_probe
from stylize.evaluate.reference import N_STEPS, Optimum, ReferenceTable, optimise_pixels
from stylize.evaluate.sample import (
    SIDE_PX,
    PreparedPhoto,
    prepare_photo,
    split_photos,
    stratify,
)
from stylize.evaluate.styling import rows_of
from stylize.images import crop_to_square, to_tensor
from stylize.targets import read_style_pictures
from stylize.vgg import VGGWeights

MEASURES_VERSION = 2
"""Goes up when a measure changes its meaning, so that what is kept of older ones is not read."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Plan:
    """What an evaluation should cover.

    Attributes:
        n_photos: held-back photos to measure on.
        n_held_back: how many were held back from training.
        n_probe_photos: training photos the recognition probe is taught on, at most.
        n_references: photos per style whose optimum is computed where the table lacks it.
        strengths: pairs to measure beside full strength and the default.
        has_mixes: whether all pairs of styles are mixed.
        side_px: of the centre crops measured.
    """

    n_photos: int = 24
    n_held_back: int = 200
    n_probe_photos: int = 1500
    n_references: int = 0
    strengths: Sequence[Strengths] = ()
    has_mixes: bool = True
    side_px: int = SIDE_PX


@dataclass(frozen=True)
class PhotoReading:
    """A photo of the sample, its group, what the probe reads from it clean, and PSNR at strength 0."""

    name: str
    key: str
    group: str | None
    recognised_as: str | None
    psnr_strength_0_db: float


@dataclass(frozen=True)
class Evaluation:
    """Everything measured; stylize.evaluate.summary makes tables of it.

    Attributes:
        checkpoint: what was measured.
        default: the pair of strengths that a render takes where it names none.
        measures: (photo key, style, strengths) -> measures.
        optima: (photo key, style) -> the per-picture optimum, where it is known.
        style_checkerboards: style -> checkerboard energy of the style picture.
        tried: every pair of strengths that was measured.
        why_not_recognised: why recognition was left out; None where it was not.
    """

    checkpoint: StyleCheckpoint
    default: Strengths
    photos: tuple[PhotoReading, ...]
    measures: Mapping[tuple[str, str, Strengths], Measures]
    optima: Mapping[tuple[str, str], Optimum]
    mixes: tuple[MixTrial, ...]
    style_checkerboards: Mapping[str, float]
    tried: tuple[Strengths, ...]
    side_px: int
    why_not_recognised: str | None


class Evaluator:
    """Measures a checkpoint on a folder of photos. What is measured is kept in the work folder.

    Args:
        checkpoint: whose pictures are measured.
        photos, styles: folders of product photos and of style pictures, one picture per style.
        weights: of VGG19.
        work: folder for what an interrupted run should not lose.
        references: known optima; new ones are added.
    Raises:
        StylizeError: a style of the checkpoint has no picture; no photos.
    """

    def __init__(
        self,
        checkpoint: StyleCheckpoint,
        photos: Path,
        styles: Path,
        plan: Plan,
        weights: VGGWeights,
        device: torch.device,
        work: Path,
        references: ReferenceTable,
        on_progress: Progress,
    ) -> None:
        self.checkpoint, self.plan, self.references = checkpoint, plan, references
        self._on_progress = on_progress
        self.names = checkpoint.style_names
        seen, held_back = split_photos(photos, plan.n_held_back)
        style_images, self.style_keys = _style_images(styles, self.names, plan.side_px)
        probe, self.why_not_recognised = learn_probe(
            stratify(seen, plan.n_probe_photos), weights, device, plan.side_px, work, on_progress
        )
        is_bf16 = computes_in_bfloat16(device)
        self.bench = Bench(weights, self.names, style_images, probe, device, is_bf16)
        self.painter = Painter(checkpoint, device)
        self.photos = [prepare_photo(photo, plan.side_px) for photo in stratify(held_back, plan.n_photos)]
        depends_on = [_network_digest(checkpoint), *self.style_keys, weights.source, str(is_bf16)]
        depends_on += [str(MEASURES_VERSION), probe.lesson if probe is not None else "no probe"]
        digest = hashlib.sha256(" ".join(depends_on).encode()).hexdigest()[:16]
        self._log = MeasurementLog(work / f"measures-{digest}.jsonl")

    @property
    def default(self) -> Strengths:
        """The checkpoint's default pair."""
        return Strengths(*self.checkpoint.default_strengths)

    def run(self) -> Evaluation:
        """Measure whatever is not known yet."""
        pairs = tuple(dict.fromkeys((FULL, self.default, *self.plan.strengths)))
        measures: dict[tuple[str, str, Strengths], Measures] = {}
        readings = []
        total = len(self.photos) * len(self.names) * len(pairs)
        for photo in self.photos:
            readings.append(self._read_photo(photo))
            for style, strengths, found in self._measure_photo(photo, pairs):
                measures[photo.key, style, strengths] = found
                self._on_progress("measuring", len(measures), total)
        return Evaluation(
            checkpoint=self.checkpoint,
            default=self.default,
            photos=tuple(readings),
            measures=measures,
            mixes=tuple(self._try_mixes(measures)) if self.plan.has_mixes else (),
            optima=self._find_optima(),
            style_checkerboards=dict(zip(self.names, self.bench.style_checkerboards, strict=True)),
            tried=pairs,
            side_px=self.plan.side_px,
            why_not_recognised=self.why_not_recognised,
        )

    def _read_photo(self, photo: PreparedPhoto) -> PhotoReading:
        if photo.key not in self._log:
            unstyled = self.painter.paint(photo, self._one_hot(0), NONE).cpu()
            record = {
                "recognised_as": self.bench.recognise(self.bench.features(photo.image)),
                "psnr_strength_0_db": psnr_db(unstyled, photo.image).item(),
            }
            self._log.add(photo.key, record)
        return PhotoReading(photo.name, photo.key, photo.group, **self._log[photo.key])

    def _measure_photo(
        self, photo: PreparedPhoto, pairs: Sequence[Strengths]
    ) -> Iterator[tuple[str, Strengths, Measures]]:
        features: Mapping[str, Tensor] | None = None
        for strengths in pairs:
            for row, style in enumerate(self.names):
                key = f"{photo.key} {style} {strengths.label}"
                if key not in self._log:
                    features = features or self.bench.features(photo.image)
                    picture = self.painter.paint(photo, self._one_hot(row), strengths)
                    self._log.add(key, asdict(self.bench.measure(picture, photo, features, row)))
                yield style, strengths, Measures(**self._log[key])

    def _try_mixes(self, measures: Mapping[tuple[str, str, Strengths], Measures]) -> Iterator[MixTrial]:
        pairs = all_pairs(len(self.names), len(self.photos))
        for done, pair in enumerate(pairs, 1):
            photo, first, second = self.photos[pair.photo], self.names[pair.first], self.names[pair.second]
            key = f"{photo.key} {first} + {second}"
            if key not in self._log:
                mixture = pair.mixture(len(self.names))
                targets = self.bench.targets.mix(mixture.to(self.bench.device))
                picture = self.painter.paint(photo, mixture, FULL)
                reached = self.bench.objective(picture, self.bench.features(photo.image), targets)
                self._log.add(key, {"J": reached.J.item()})
            parents = tuple(measures[photo.key, style, FULL] for style in (first, second))
            J = [parent.style_loss + parent.content_loss for parent in parents]
            self._on_progress("mixing", done, len(pairs))
            yield MixTrial(first, second, self._log[key]["J"], (J[0], J[1]))

    def _find_optima(self) -> dict[tuple[str, str], Optimum]:
        """Known optima of the sample's photos, after as many as wanted were computed."""
        wanted = reference_pairs(len(self.names), len(self.photos), self.plan.n_references)
        for done, (row, place) in enumerate(wanted, 1):
            photo, style_key = self.photos[place], self.style_keys[row]
            if self.references.get(photo.key, style_key) is None:
                image = photo.image.to(self.bench.device)
                targets = rows_of(self.bench.targets, [row])
                _, optimum = optimise_pixels(self.bench.vgg, image, targets, N_STEPS, self.bench.is_bf16)
                self.references.put(photo.key, style_key, optimum)
            self._on_progress("optimising", done, len(wanted))
        found = {
            (photo.key, style): self.references.get(photo.key, style_key)
            for photo in self.photos
            for style, style_key in zip(self.names, self.style_keys, strict=True)
        }
        return {pair: optimum for pair, optimum in found.items() if optimum is not None}

    def _one_hot(self, row: int) -> Tensor:
        return torch.eye(len(self.names))[row : row + 1]


def reference_pairs(n_styles: int, n_photos: int, n_per_style: int) -> list[tuple[int, int]]:
    """Which style's optimum is computed on which photo: (style row, photo) pairs.

    Styles take turns on the first few photos, so that one optimum per style already covers them all.
    """
    turns = min(8, n_photos)
    return [(row, (row + k) % turns) for k in range(min(n_per_style, turns)) for row in range(n_styles)]


def _style_images(folder: Path, names: Sequence[str], side_px: int) -> tuple[Tensor, list[str]]:
    """Centre crops (S, 3, H, W) of the named style pictures, and digests of their pixels."""
    pictures = {picture.name: picture.image for picture in read_style_pictures(folder)}
    if missing := [name for name in names if name not in pictures]:
        raise StylizeError(
            f"{folder} has no picture of the style{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            "a style picture's file name is its style's name"
        )
    squares = [crop_to_square(pictures[name], side_px) for name in names]
    digests = [hashlib.sha256(square.tobytes()).hexdigest()[:16] for square in squares]
    return torch.stack([to_tensor(square) for square in squares]), digests


def _network_digest(checkpoint: StyleCheckpoint) -> str:
    """The same for checkpoints that paint the same, whatever their default strengths."""
    return replace(checkpoint, default_strengths=(1.0, 1.0), recipe={}).sha256
