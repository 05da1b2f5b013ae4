from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylize.checkpoint import StyleCheckpoint
from stylize.errors import InvalidLook, NoImages, StylizeError, UnreadableImage
from stylize.render.files import plan_jobs, render_jobs
from stylize.render.look import Look
from stylize.render.renderer import Renderer

DOTS, MIX = {"dots": 1.0}, {"dots": 1.0, "waves": 3.0}


@pytest.fixture
def folder(tmp_path: Path, make_photo: Callable[..., Image.Image]) -> Path:
    photos = tmp_path / "photos"
    (photos / "mugs").mkdir(parents=True)
    make_photo().save(photos / "one.jpg")
    make_photo(seed=1).save(photos / "mugs" / "two.png")
    return photos


def test_every_photo_and_style_has_its_own_file_and_subfolders_stay(folder: Path) -> None:
    jobs = plan_jobs([folder], [DOTS, MIX], Path("out"))
    names = [target.as_posix() for job in jobs for target in job.targets]
    assert names == [
        "out/mugs/two__dots.png",
        "out/mugs/two__dots-25+waves-75.png",
        "out/one__dots.png",
        "out/one__dots-25+waves-75.png",
    ]


def test_one_picture_may_go_to_a_file_of_its_own_name(folder: Path) -> None:
    (job,) = plan_jobs([folder / "one.jpg"], [DOTS], Path("mine.jpg"))
    assert job.targets == (Path("mine.jpg"),)
    with pytest.raises(StylizeError, match="4 pictures do not fit"):
        plan_jobs([folder], [DOTS, MIX], Path("mine.jpg"))


def test_photos_that_would_overwrite_one_another_are_refused(folder: Path) -> None:
    (folder / "one.png").write_bytes((folder / "mugs" / "two.png").read_bytes())
    with pytest.raises(StylizeError, match="would both be written to"):
        plan_jobs([folder], [DOTS], Path("out"))


def test_missing_and_empty_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"gone\.jpg"):
        plan_jobs([tmp_path / "gone.jpg"], [DOTS], Path("out"))
    with pytest.raises(NoImages, match="no pictures"):
        plan_jobs([tmp_path], [DOTS], Path("out"))


def test_a_broken_photo_does_not_stop_the_others(
    folder: Path, tmp_path: Path, small_checkpoint: StyleCheckpoint
) -> None:
    (folder / "broken.jpg").write_text("no picture")
    renderer = Renderer(small_checkpoint, device="cpu")
    jobs = plan_jobs([folder], [DOTS, MIX], tmp_path / "out")
    results = list(render_jobs(renderer, jobs, [Look(DOTS), Look(MIX)], short_px=40))
    assert [result.photo.name for result in results if result.error] == ["broken.jpg"]
    written = [path for result in results for path in result.written]
    assert len(written) == 4
    for path in written:
        with Image.open(path) as picture:
            assert min(picture.size) == 40


@pytest.mark.parametrize("has_alpha", [True, False])
def test_the_product_is_where_the_mask_says_and_else_where_alpha_says(
    folder: Path, tmp_path: Path, small_checkpoint: StyleCheckpoint, has_alpha: bool
) -> None:
    left = Image.new("L", (96, 80))
    left.paste(255, (0, 0, 48, 80))
    with Image.open(folder / "mugs" / "two.png") as opened:
        photo = opened.convert("RGB")
    if has_alpha:
        cut_out = photo.copy()
        cut_out.putalpha(left)
        cut_out.save(folder / "mugs" / "two.png")
        photo.paste("white", (48, 0, 96, 80))
    jobs = plan_jobs([folder / "mugs" / "two.png"], [DOTS], tmp_path / "out.png")
    look = Look(DOTS, subject_strength=0, background_strength=1)
    renderer = Renderer(small_checkpoint, device="cpu")
    (result,) = render_jobs(renderer, jobs, [look], None if has_alpha else left)
    assert result.error is None
    with Image.open(tmp_path / "out.png") as picture:
        changed = np.abs(np.asarray(picture, dtype=int) - np.asarray(photo, dtype=int)).max(axis=(0, 2))
    assert changed[:40].max() <= 1
    assert changed[56:].max() > 20


def test_a_mask_of_another_shape_is_refused_for_that_photo(
    folder: Path, tmp_path: Path, small_checkpoint: StyleCheckpoint
) -> None:
    jobs = plan_jobs([folder / "one.jpg"], [DOTS], tmp_path / "out")
    look = Look(DOTS, subject_strength=0, background_strength=1)
    (result,) = render_jobs(Renderer(small_checkpoint, "cpu"), jobs, [look], Image.new("L", (50, 80)))
    assert isinstance(result.error, InvalidLook)
    assert "50 x 80" in str(result.error)
