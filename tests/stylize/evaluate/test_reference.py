from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from stylize.errors import StylizeError
from stylize.evaluate import reference
from stylize.evaluate.bench import BENCH_LAYERS
from stylize.evaluate.evaluation import reference_pairs
from stylize.evaluate.reference import Optimum, ReferenceTable, optimise_pixels
from stylize.evaluate.styling import gram_targets
from stylize.images import to_tensor
from stylize.vgg import VGGFeatures, VGGWeights


def test_optimising_the_pixels_brings_j_down_and_more_steps_further(
    narrow_vgg: VGGWeights, make_photo: Callable[..., Image.Image], make_style: Callable[[str], Image.Image]
) -> None:
    vgg = VGGFeatures(narrow_vgg, BENCH_LAYERS)
    photo = to_tensor(make_photo((64, 64)))[None]
    targets = gram_targets(vgg(to_tensor(make_style("stripes").crop((0, 0, 64, 64)))[None]))
    few, many = (optimise_pixels(vgg, photo, targets, n_steps=n)[1] for n in (4, 25))
    picture, again = optimise_pixels(vgg, photo, targets, n_steps=4)
    assert many.J < few.J < few.start
    assert again == few
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_a_pair_at_which_bfloat16_stalls_is_optimised_again_in_float32(
    narrow_vgg: VGGWeights,
    make_photo: Callable[..., Image.Image],
    make_style: Callable[[str], Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vgg = VGGFeatures(narrow_vgg, BENCH_LAYERS)
    photo = to_tensor(make_photo((64, 64)))[None]
    targets = gram_targets(vgg(to_tensor(make_style("stripes").crop((0, 0, 64, 64)))[None]))
    monkeypatch.setattr(reference, "STALLED", 0.0)
    again = optimise_pixels(vgg, photo, targets, n_steps=8, is_bf16=True)[1]
    assert again == optimise_pixels(vgg, photo, targets, n_steps=8)[1]


def test_optima_are_found_again_after_a_restart(tmp_path: Path) -> None:
    path, optimum = tmp_path / "reference.json", Optimum(0.5, 0.25, 4.0)
    ReferenceTable(path).put("photo", "style", optimum)
    table = ReferenceTable(path)
    assert table.get("photo", "style") == optimum
    assert table.get("photo", "another") is None
    assert (len(table), optimum.J) == (1, 0.75)


@pytest.mark.parametrize("text", ["{", "[1]", '{"a b": {"x": 1}}', '{"a b": 3}'])
def test_a_file_of_something_else_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "notes.json").write_text(text)
    with pytest.raises(StylizeError, match=r"notes\.json is no reference"):
        ReferenceTable(tmp_path / "notes.json")


def test_styles_take_turns_on_photos_and_no_pair_comes_twice() -> None:
    pairs = reference_pairs(n_styles=16, n_photos=24, n_per_style=2)
    assert len(set(pairs)) == 32
    assert {photo for _, photo in pairs[:16]} == set(range(8))
    assert reference_pairs(3, 2, 5) == [(0, 0), (1, 1), (2, 0), (0, 1), (1, 0), (2, 1)]
