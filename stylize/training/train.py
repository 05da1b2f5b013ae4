"""Train from a folder of photos and a folder of style pictures to a checkpoint, in one call."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stylize.checkpoint import StyleCheckpoint, write_checkpoint
from stylize.errors import NoImages
from stylize.images import find_photos
from stylize.targets import prepare_styles, read_style_pictures
from stylize.training.content import hold_back
from stylize.training.parallel import open_world
from stylize.training.recipe import TrainingRecipe
from stylize.training.run_folder import (
    CHECKPOINT,
    append_log,
    load_state,
    save_state,
    write_curves,
    write_preview,
)
from stylize.training.trainer import StepReport, Trainer
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
    pace: "Pace | None" = None,
) -> Path:
    """The checkpoint of a finished run; goes on where the folder's last run stopped.

    State and checkpoint are written every two minutes, at the end, and when the run is interrupted
    from the keyboard; killing it loses at most that time. Under `torchrun` all processes train one
    network together, each on its part of every batch.

    Args:
        photos, styles: folders of pictures; a style goes by its file's name.
        start: a checkpoint whose weights the first step starts from.
        out: the run's folder, see stylize.training.run_folder.
        on_step: called after every step with what it measured.
        pace: how often to save and to draw.
    Raises:
        NoImages: a folder holds no pictures, or all photos are held back.
        ResumeMismatch: out holds a run with other settings.
        MissingVGGWeights, DivergedTraining, ImageTooSmall, UnreadableImage.
    """
    training_photos, held_back = split_photos(photos, recipe.n_held_back)
    weights = load_vgg_weights(vgg) if isinstance(vgg, str) else vgg
    pictures = read_style_pictures(styles)
    style_set = prepare_styles(pictures, recipe.style_sizes_px, list(recipe.layer_weights), weights)
    with open_world(device) as world:
        trainer = Trainer(recipe, style_set, training_photos, weights, world.device(device), world)
        if start is not None:
            trainer.start_from(start)
        run(trainer, held_back or training_photos, out, on_step, pace)
    return out / CHECKPOINT


def split_photos(photos: Path, n_held_back: int) -> tuple[list[Path], list[Path]]:
    """Photos to train on and photos held back.

    Raises:
        NoImages: none is left to train on.
    """
    training_photos, held_back = hold_back(find_photos(photos), n_held_back)
    if not training_photos:
        raise NoImages(
            f"{photos} holds {len(held_back)} photos and {n_held_back} are held back, "
            "so none is left to train on; add photos or lower --hold-back"
        )
    return training_photos, held_back


def run(
    trainer: Trainer,
    preview_pool: Sequence[Path],
    out: Path,
    on_step: Callable[[StepReport], None] = lambda _: None,
    pace: "Pace | None" = None,
) -> None:
    """Work the trainer until it is done, from the folder's state on; leaves state, checkpoint and pictures.

    Args:
        preview_pool: photos to choose the preview's from.
    """
    pace = pace or Pace()
    n_apart = max(1, len(preview_pool) // N_PREVIEW_PHOTOS)
    previews = list(preview_pool[::n_apart][:N_PREVIEW_PHOTOS])
    out.mkdir(parents=True, exist_ok=True)
    load_state(trainer, out)
    try:
        while not trainer.done:
            report = trainer.step()
            if not trainer.world.is_first:
                continue
            append_log(report, out)
            on_step(report)
            if pace.is_time_to_save():
                save(trainer, out)
            if pace.is_time_to_draw():
                draw(trainer, previews, out)
    except KeyboardInterrupt:
        if trainer.world.is_first:
            save(trainer, out)
        raise
    if trainer.world.is_first:
        save(trainer, out)
        draw(trainer, previews, out)


class Pace:
    """How often a run saves its state and draws its pictures, in seconds."""

    def __init__(
        self,
        save_every: float = 120.0,
        draw_every: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._save, self._draw = Timer(save_every, clock), Timer(draw_every, clock)

    def is_time_to_save(self) -> bool:
        """Whether the state is old enough to be written again."""
        return self._save.rings()

    def is_time_to_draw(self) -> bool:
        """Whether preview and curves are old enough to be drawn again."""
        return self._draw.rings()


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


def draw(trainer: Trainer, photos: Sequence[Path], out: Path) -> None:
    """The preview grid and the loss curves."""
    write_preview(trainer, photos, out)
    write_curves(out)
