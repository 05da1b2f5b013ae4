"""Photos on disk in, stylized pictures on disk out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from stylize.errors import NoImages, StylizeError, UnreadableImage
from stylize.images import find_photos, load_image_and_alpha, resize_short_side
from stylize.render.look import Look
from stylize.render.renderer import Renderer
from stylize.styles import Mixture, mixture_label


@dataclass(frozen=True)
class RenderJob:
    """One photo and where its pictures go, one per mixture."""

    photo: Path
    targets: tuple[Path, ...]


@dataclass(frozen=True)
class RenderedFile:
    """What came of one job: the files written, or why there are none."""

    photo: Path
    written: tuple[Path, ...] = ()
    error: StylizeError | None = None


def plan_jobs(photos: Sequence[Path], mixtures: Sequence[Mixture], out: Path) -> list[RenderJob]:
    """Where everything will be written: `OUT/{photo}__{style}.png`, sub-folders of a folder kept.

    A single picture goes to OUT itself when OUT ends in a picture's suffix.

    Raises:
        NoImages: a folder holds no pictures.
        UnreadableImage: a path does not exist.
        StylizeError: two pictures would be written to one file, or many to one OUT file.
    """
    found = [item for path in photos for item in _expand(path)]
    if out.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp", ".avif"}:
        if len(found) * len(mixtures) != 1:
            raise StylizeError(
                f"{len(found) * len(mixtures)} pictures do not fit into the one file {out}; name a folder"
            )
        return [RenderJob(found[0][0], (out,))]
    labels = [mixture_label(mixture) for mixture in mixtures]
    jobs = [
        RenderJob(photo, tuple(out / folder / f"{photo.stem}__{label}.png" for label in labels))
        for photo, folder in found
    ]
    _refuse_doubles(jobs)
    return jobs


def render_jobs(
    renderer: Renderer,
    jobs: Sequence[RenderJob],
    looks: Sequence[Look],
    mask: Image.Image | None = None,
    short_px: int | None = None,
) -> Iterator[RenderedFile]:
    """Work through the jobs one photo at a time; a photo that cannot be read does not stop the others.

    Args:
        looks: as many as each job has targets.
        mask: of the product, 255 on it; None takes the photo's alpha, or finds it where a look needs it.
        short_px: bring the photo's shorter side to this before rendering; None leaves it.
    """
    for job in jobs:
        try:
            photo, alpha = load_image_and_alpha(job.photo)
            if short_px is not None:
                photo = resize_short_side(photo, short_px)
            subject = alpha if mask is None else mask
            pictures = renderer.render([photo] * len(looks), looks, [subject] * len(looks))
        except StylizeError as error:
            yield RenderedFile(job.photo, error=error)
            continue
        for picture, target in zip(pictures, job.targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            picture.save(target)
        yield RenderedFile(job.photo, written=job.targets)


def _expand(path: Path) -> list[tuple[Path, Path]]:
    """Photos with the sub-folder their pictures go to."""
    if path.is_dir():
        photos = find_photos(path)
        if not photos:
            raise NoImages(f"{path} holds no pictures; name a folder with JPEG, PNG, WebP or AVIF files")
        return [(photo, photo.relative_to(path).parent) for photo in photos]
    if not path.exists():
        raise UnreadableImage(str(path), "there is no such file")
    return [(path, Path())]


def _refuse_doubles(jobs: Sequence[RenderJob]) -> None:
    owners: dict[Path, Path] = {}
    for job in jobs:
        for target in job.targets:
            if target in owners:
                raise StylizeError(
                    f"{owners[target]} and {job.photo} would both be written to {target}; rename one of them"
                )
            owners[target] = job.photo
