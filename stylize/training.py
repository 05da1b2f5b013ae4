"""Train from a folder of photos and a folder of style pictures to a checkpoint, in one call."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylize.checkpoint import StyleCheckpoint, write_checkpoint
from stylize.content import hold_back
from stylize.errors import NoImages
from stylize.images import find_photos
from stylize.recipe import TrainingRecipe
from stylize.run_folder import CHECKPOINT, append_log, load_state, save_state, write_preview
from stylize.targets import prepare_styles, read_style_pictures
from stylize.trainer import StepReport, Trainer
from stylize.vgg import VGGWeights, load_vgg_weights

N_PREVIEW_PHOTOS = 4


def train(
    photos: Path,
    styles: Path,
    out: Path,
    recipe: TrainingRecipe,
    vgg: str | VGGWeights = "auto",
    device: str = "cpu",
    start: StyleCheckpoint | None = None,
    on_step: Callable[[StepReport], None] = lambda _: None,
    save_every_seconds: float = 120.0,
    preview_every_seconds: float = 900.0,
    clock: Callable[[], float] = time.monotonic,
) -> Path:
    """The checkpoint of a finished run; goes on where the folder's last run stopped.

    State and checkpoint are written every save_every_seconds, at the end, and when the run is
    interrupted from the keyboard. Killing it loses at most that time.

    Args:
        photos, styles: folders of pictures; a style goes by its file's name.
        start: a checkpoint whose weights the first step starts from.
        out: the run's folder, see stylize.run_folder.
        on_step: called after every step with what it measured.
    Raises:
        NoImages: a folder holds no pictures, or all photos are held back.
        ResumeMismatch: out holds a run with other settings.
        MissingVGGWeights, DivergedTraining, ImageTooSmall, UnreadableImage.
    """
    trainer, preview_photos = prepare(photos, styles, recipe, vgg, device)
    if start is not None:
        trainer.start_from(start)
    out.mkdir(parents=True, exist_ok=True)
    load_state(trainer, out)
    save_timer, preview_timer = Timer(save_every_seconds, clock), Timer(preview_every_seconds, clock)
    try:
        while not trainer.done:
            report = trainer.step()
            append_log(report, out)
            on_step(report)
            if save_timer.rings():
                save(trainer, out)
            if preview_timer.rings():
                write_preview(trainer, preview_photos, out)
    except KeyboardInterrupt:
        save(trainer, out)
        raise
    save(trainer, out)
    write_preview(trainer, preview_photos, out)
    return out / CHECKPOINT


@dataclass
class Timer:
    """Rings when its interval has passed, and starts anew."""

    seconds: float
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self.started_at = self.clock()

    def rings(self) -> bool:
        """Whether the interval has passed since the start or the last ring."""
        if self.clock() - self.started_at < self.seconds:
            return False
        self.started_at = self.clock()
        return True


def save(trainer: Trainer, out: Path) -> None:
    """State and checkpoint; the state first, because a checkpoint can be made from it."""
    save_state(trainer, out)
    write_checkpoint(trainer.checkpoint(), out / CHECKPOINT)


def prepare(
    photos: Path, styles: Path, recipe: TrainingRecipe, vgg: str | VGGWeights, device: str
) -> tuple[Trainer, list[Path]]:
    """A trainer before its first step, and the photos to preview on: held-back ones where there are any."""
    training_photos, held_back = hold_back(find_photos(photos), recipe.n_held_back)
    if not training_photos:
        raise NoImages(
            f"{photos} holds {len(held_back)} photos and {recipe.n_held_back} are held back, "
            "so none is left to train on; add photos or lower --hold-back"
        )
    weights = load_vgg_weights(vgg) if isinstance(vgg, str) else vgg
    pictures = read_style_pictures(styles)
    style_set = prepare_styles(pictures, recipe.style_sizes_px, list(recipe.layer_weights), weights)
    trainer = Trainer(recipe, style_set, training_photos, weights, device)
    pool = held_back or training_photos
    return trainer, pool[:: max(1, len(pool) // N_PREVIEW_PHOTOS)][:N_PREVIEW_PHOTOS]
