"""A training run's folder: the state to resume from, the log, preview grids and the checkpoint.

state.safetensors       everything to resume from; replaced as a whole
losses.jsonl            one line per logged step
curves.png              the log, drawn
previews/step_NNNNNN.png
checkpoint.safetensors  what `stylize render` loads
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image

from stylize.errors import ResumeMismatch
from stylize.images import crop_to_square, load_image
from stylize.preview import contact_sheet
from stylize.render.renderer import Renderer
from stylize.sealed import BrokenSeal, read_sealed, write_atomically, write_sealed
from stylize.training.curves import draw_curves
from stylize.training.trainer import StepReport, Trainer

STATE, LOG, CHECKPOINT = "state.safetensors", "losses.jsonl", "checkpoint.safetensors"
PREVIEWS, CURVES = "previews", "curves.png"
MAY_CHANGE = frozenset({"steps"})
"""Settings that a resumed run may change: it can be made longer or cut short."""


def save_state(trainer: Trainer, folder: Path) -> None:
    """Write everything that a later process needs to go on as if it had never stopped."""
    arrays = {name: values.detach().cpu().numpy() for name, values in trainer.tensors().items()}
    metadata = {
        "fingerprint": json.dumps(_fingerprint(trainer)),
        "counters": json.dumps(trainer.counters()),
    }
    write_sealed(arrays, metadata, folder / STATE)


def load_state(trainer: Trainer, folder: Path) -> bool:
    """Bring the trainer to where the folder's run stopped; False when there is nothing to resume.

    Raises:
        ResumeMismatch: the state is of another recipe, other styles or other photos, or damaged.
    """
    path = folder / STATE
    if not path.exists():
        return False
    try:
        arrays, metadata = read_sealed(path)
    except BrokenSeal as error:
        raise ResumeMismatch(f"{path} is damaged: {error}; delete it to start anew") from error
    _refuse_other_run(json.loads(metadata["fingerprint"]), _fingerprint(trainer), path)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    trainer.restore(tensors, json.loads(metadata["counters"]))
    _forget_lines_after(trainer.steps_done, folder / LOG)
    return True


def append_log(report: StepReport, folder: Path) -> None:
    """Add one JSON line."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(report)) + "\n")


def write_preview(trainer: Trainer, photos: Sequence[Path], folder: Path, size_px: int = 256) -> None:
    """A grid: one row per photo, the photo first, then the photo in every style as `render` would give it."""
    names = trainer.styles.names
    renderer = Renderer(trainer.checkpoint(), "cuda" if trainer.device.type == "cuda" else "cpu")
    grid: list[Image.Image] = []
    for path in photos:
        photo = crop_to_square(load_image(path), size_px)
        grid += [photo, *renderer.render([photo] * len(names), [{name: 1.0} for name in names])]
    captions = [caption for path in photos for caption in (path.stem, *names)]
    sheet = contact_sheet(grid, captions, tile_px=size_px // 2, n_columns=len(names) + 1)
    (folder / PREVIEWS).mkdir(parents=True, exist_ok=True)
    sheet.save(folder / PREVIEWS / f"step_{trainer.steps_done:06d}.png")


def write_curves(folder: Path) -> None:
    """Draw the log so far to curves.png."""
    if (folder / LOG).exists():
        draw_curves(folder / LOG).save(folder / CURVES)


def _fingerprint(trainer: Trainer) -> dict[str, object]:
    recipe = {name: value for name, value in asdict(trainer.recipe).items() if name not in MAY_CHANGE}
    return {
        "recipe": json.loads(json.dumps(recipe)),
        "styles": list(trainer.styles.names),
        "photos": hashlib.sha256("/".join(path.name for path in trainer.sampler.photos).encode()).hexdigest(),
        "vgg": trainer.vgg_source,
    }


def _refuse_other_run(found: dict[str, object], wanted: dict[str, object], path: Path) -> None:
    changed = [name for name in wanted if found.get(name) != wanted[name]]
    if changed:
        raise ResumeMismatch(
            f"{path} was left by a run with another {' and another '.join(changed)}; "
            "use the settings of that run, another --out, or delete the file to start anew"
        )


def _forget_lines_after(step: int, log: Path) -> None:
    """Steps made after the state was saved will be made again; their lines go."""
    if not log.exists():
        return
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    kept = [line for line in lines if json.loads(line)["step"] <= step]
    write_atomically("".join(f"{line}\n" for line in kept).encode(), log)
