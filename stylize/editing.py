"""Change which styles a trained network has: add one, remove one, rename one.

Styles are rows of a table, so every other style stays as it is, bit for bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stylize.checkpoint import StyleCheckpoint, read_checkpoint
from stylize.descriptors import DescriptorBasis
from stylize.errors import InvalidStyleName, LastStyle
from stylize.styles import StyleBank
from stylize.targets import prepare_styles, read_style_picture
from stylize.training.recipe import TrainingRecipe
from stylize.training.run_folder import CHECKPOINT
from stylize.training.train import Pace, run, split_photos
from stylize.training.trainer import StepReport, Trainer
from stylize.vgg import VGGWeights, load_vgg_weights

MAX_NAME_LENGTH = 60


@dataclass(frozen=True)
class AddedStyle:
    """What add_style made: the checkpoint with one style more."""

    checkpoint: StyleCheckpoint
    name: str


def add_style(
    checkpoint: StyleCheckpoint,
    picture: Path,
    photos: Path,
    out: Path,
    recipe: TrainingRecipe,
    name: str | None = None,
    vgg: str | VGGWeights = "auto",
    device: str = "cpu",
    on_step: Callable[[StepReport], None] = lambda _: None,
    pace: Pace | None = None,
) -> AddedStyle:
    """The checkpoint with a new style, learned while everything else stays frozen.

    A network of this one style is trained from the styles' mean row; its convolutions and identity
    rows do not learn. The row is then appended to the table. Can be interrupted and run again.

    Args:
        picture: the style picture; the style goes by `name`, or else by the file's name.
        photos: folder of content photos.
        out: the run's folder, see stylize.training.run_folder.
        recipe: its widths and depth are taken from the checkpoint.
    Raises:
        InvalidStyleName: the name is taken, empty or too long.
        ImageTooSmall, UnreadableImage, NoImages, ResumeMismatch, MissingVGGWeights, DivergedTraining.
    Source: Dumoulin et al., ICLR 2017, section 3.3.
    """
    style = read_style_picture(picture)
    name = checked_name(name or style.name, checkpoint.style_names)
    weights = load_vgg_weights(vgg) if isinstance(vgg, str) else vgg
    basis = DescriptorBasis(checkpoint.descriptor_center, checkpoint.descriptor_axes)
    recipe = _recipe_of_one_style(checkpoint, recipe)
    style_set = prepare_styles(
        [replace(style, name=name)], recipe.style_sizes_px, list(recipe.layer_weights), weights, basis
    )
    training_photos, held_back = split_photos(photos, recipe.n_held_back)
    trainer = Trainer(recipe, style_set, training_photos, weights, device)
    trainer.start_from(checkpoint)
    run(trainer, held_back or training_photos, out, on_step, pace)
    return AddedStyle(_append(checkpoint, read_checkpoint(out / CHECKPOINT)), name)


def remove_style(checkpoint: StyleCheckpoint, name: str) -> StyleCheckpoint:
    """The checkpoint without one style.

    Raises:
        UnknownStyle: it has no style of this name.
        LastStyle: it has no other.
    """
    row = StyleBank(checkpoint.style_names).row(name)
    if len(checkpoint.style_names) == 1:
        raise LastStyle(f"{name!r} is the only style of this checkpoint; a network needs at least one")
    return _with_rows(checkpoint, [i for i in range(len(checkpoint.style_names)) if i != row])


def rename_style(checkpoint: StyleCheckpoint, name: str, new_name: str) -> StyleCheckpoint:
    """The checkpoint with one style under another name.

    Raises:
        UnknownStyle: it has no style of the old name.
        InvalidStyleName: the new name is taken, empty or too long.
    """
    row = StyleBank(checkpoint.style_names).row(name)
    new_name = checked_name(new_name, checkpoint.style_names)
    names = tuple(new_name if i == row else other for i, other in enumerate(checkpoint.style_names))
    return replace(checkpoint, style_names=names)


def checked_name(name: str, taken: Sequence[str]) -> str:
    """The name, fit to stand in a file name and in `--style NAME=0.5,OTHER=0.5`.

    Raises:
        InvalidStyleName
    """
    reason = None
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        reason = f"a style's name has 1 to {MAX_NAME_LENGTH} characters"
    elif name != name.strip() or not name.isprintable() or set(name) & set("=,/\\"):
        reason = "a style's name holds no '=', ',', slash or control character and no blank at its ends"
    elif name == "all":
        reason = "'all' stands for every style"
    elif name in taken:
        reason = "a style of this name exists; remove or rename it first, or pass --name"
    if reason is not None:
        raise InvalidStyleName(f"{name[:MAX_NAME_LENGTH]!r} cannot name a style: {reason}")
    return name


def _recipe_of_one_style(checkpoint: StyleCheckpoint, recipe: TrainingRecipe) -> TrainingRecipe:
    network = checkpoint.network
    return replace(
        recipe,
        widths=tuple(network["widths"]),
        num_residual_blocks=network["num_residual_blocks"],
        is_style_only=True,
    )


def _append(checkpoint: StyleCheckpoint, added: StyleCheckpoint) -> StyleCheckpoint:
    """The old rows as they were, the new one below."""
    history = {**checkpoint.recipe.get("added_styles", {}), added.style_names[0]: added.recipe}
    return replace(
        checkpoint,
        style_names=checkpoint.style_names + added.style_names,
        style_table=np.concatenate([checkpoint.style_table, added.style_table]),
        content_vectors=np.concatenate([checkpoint.content_vectors, added.content_vectors]),
        thumbnails=checkpoint.thumbnails + added.thumbnails,
        recipe={**checkpoint.recipe, "added_styles": history},
    )


def _with_rows(checkpoint: StyleCheckpoint, rows: Sequence[int]) -> StyleCheckpoint:
    return replace(
        checkpoint,
        style_names=tuple(checkpoint.style_names[i] for i in rows),
        style_table=checkpoint.style_table[list(rows)],
        content_vectors=checkpoint.content_vectors[list(rows)],
        thumbnails=tuple(checkpoint.thumbnails[i] for i in rows),
    )
