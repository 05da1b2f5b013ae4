from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stylize.checkpoint import StyleCheckpoint
from stylize.colors import LUMA
from stylize.errors import (
    DeviceUnavailable,
    ImageTooLarge,
    ImageTooSmall,
    InvalidLook,
    InvalidStyleWeights,
    OutOfMemory,
    UnknownStyle,
)
from stylize.render import renderer as renderer_module
from stylize.render.look import Look
from stylize.render.renderer import Renderer

MakePhoto = Callable[..., Image.Image]


@pytest.fixture
def renderer(small_checkpoint: StyleCheckpoint) -> Renderer:
    return Renderer(small_checkpoint, device="cpu")


@pytest.fixture(scope="module")
def shipped() -> Renderer:
    return Renderer.open(device="cpu")


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference in levels of 255.

    Two ways through the network in bfloat16 differ by up to a level where its weights are random.
    """
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean())


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=int)


def half_mask(photo: Image.Image) -> Image.Image:
    """The left half is the product."""
    mask = Image.new("L", photo.size)
    mask.paste(255, (0, 0, photo.width // 2, photo.height))
    return mask


def test_strength_zero_gives_back_the_photo_exactly(renderer: Renderer, make_photo: MakePhoto) -> None:
    photo = make_photo()
    assert difference(renderer.render([photo], [Look.even({"dots": 1}, 0)])[0], photo) == 0


def test_a_little_strength_changes_little(renderer: Renderer, make_photo: MakePhoto) -> None:
    photo = make_photo()
    strengths = [0.001, 0.3, 0.6, 1.0]
    pictures = renderer.render([photo] * 4, [Look.even({"dots": 1}, strength) for strength in strengths])
    changes = [difference(picture, photo) for picture in pictures]
    assert changes[0] < 1
    assert changes == sorted(changes)


def test_a_look_that_names_no_strength_takes_the_checkpoints(
    small_checkpoint: StyleCheckpoint, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    renderer = Renderer(replace(small_checkpoint, default_strengths=(0.2, 0.9)), device="cpu")
    bare, named, half = renderer.render(
        [photo] * 3, [{"dots": 1}, Look({"dots": 1}, 0.2, 0.9), Look({"dots": 1}, subject_strength=0.8)]
    )
    assert difference(bare, named) == 0
    assert difference(half, named) > 0.5


def test_a_strength_of_zero_in_one_region_keeps_its_pixels(renderer: Renderer, make_photo: MakePhoto) -> None:
    photo = make_photo()
    looks = [Look({"dots": 1}, 0, 1), Look({"dots": 1}, 1, 0)]
    background, subject = renderer.render([photo] * 2, looks, [half_mask(photo)] * 2)
    for picture, kept, painted in (
        (background, slice(0, 40), slice(56, 96)),
        (subject, slice(56, 96), slice(0, 40)),
    ):
        assert np.abs(levels(picture) - levels(photo))[:, kept].max() <= 1
        assert np.abs(levels(picture) - levels(photo))[:, painted].mean() > 5


def test_a_mask_without_background_is_the_product_everywhere(
    renderer: Renderer, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    by_mask, plain = renderer.render(
        [photo] * 2,
        [Look({"dots": 1}, 0.6, 1), Look.even({"dots": 1}, 0.6)],
        [Image.new("L", (96, 80), 255), None],
    )
    assert difference(by_mask, plain) < 1.5


def test_no_mask_is_looked_for_unless_two_strengths_need_one_and_then_once(
    renderer: Renderer, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Image.Image] = []

    def find(photo: Image.Image) -> Image.Image:
        looked.append(photo)
        return half_mask(photo)

    monkeypatch.setattr("stylize.render.fields.find_subject", find)
    photo, other = make_photo(), make_photo(seed=1)
    unneeded = [Look.even({"dots": 1}, 0.7), Look({"dots": 1}, 0.5, 0.5, is_color_kept=True, stroke_size=2)]
    renderer.render([photo] * 2, unneeded)
    renderer.render([photo], [Look({"dots": 1}, 0, 1)], [half_mask(photo)])
    assert looked == []
    renderer.render(
        [photo, photo, other], [Look({"dots": 1}, 0, 1), Look({"waves": 1}, 0.5, 1), Look({"dots": 1}, 0, 1)]
    )
    renderer.render([photo], [Look({"stripes": 1}, 0.2, 0.4)])
    assert len(looked) == 2


def test_mixed_looks_in_one_request_equal_single_ones(renderer: Renderer, make_photo: MakePhoto) -> None:
    looks = [
        Look.even({"dots": 1}, 0.8),
        Look({"waves": 1}, 0.3, 1),
        Look({"dots": 1, "stripes": 2}, 1, 0),
        Look({"waves": 1}, 1, 1, is_color_kept=True),
        Look({"waves": 1}, 1, 1, is_white_kept=True),
        Look({"dots": 1}, 0, 1, stroke_size=2),
        Look.even({"dots": 1}, 0),
    ]
    photos = [make_photo(seed=seed % 2) for seed in range(len(looks))]
    together = renderer.render(photos, looks)
    for photo, look, picture in zip(photos, looks, together, strict=True):
        assert difference(renderer.render([photo], [look])[0], picture) < 0.5, look


def test_kept_colours_have_the_paintings_brightness(renderer: Renderer, make_photo: MakePhoto) -> None:
    photo = make_photo()
    plain, kept = renderer.render(
        [photo] * 2, [Look({"dots": 1}, 1, 1, is_color_kept=keep) for keep in (False, True)]
    )
    assert np.abs(levels(plain) @ LUMA - levels(kept) @ LUMA).max() <= 1
    assert difference(plain, kept) > 3


def test_a_white_background_stays_white_and_the_product_is_painted(renderer: Renderer) -> None:
    photo = Image.new("RGB", (96, 80), "white")
    photo.paste("#204080", (30, 25, 66, 60))
    plain, kept = renderer.render(
        [photo] * 2, [Look({"dots": 1}, 1, 1, is_white_kept=keep) for keep in (False, True)]
    )
    assert levels(plain)[:15].mean() < 250
    assert levels(kept)[:15].min() >= 254
    assert difference(kept.crop((36, 31, 60, 54)), photo.crop((36, 31, 60, 54))) > 5


@pytest.mark.parametrize("stroke_size", [0.5, 2.0, 4.0])
def test_strokes_of_another_size_keep_the_pictures_size_and_the_kept_region(
    renderer: Renderer, make_photo: MakePhoto, stroke_size: float
) -> None:
    photo = make_photo((97, 45))
    (picture,) = renderer.render(
        [photo], [Look({"dots": 1}, 0, 1, stroke_size=stroke_size)], [half_mask(photo)]
    )
    assert picture.size == photo.size
    assert np.abs(levels(picture) - levels(photo))[:, :40].max() <= 1
    assert np.abs(levels(picture) - levels(photo))[:, 56:].mean() > 5


def test_large_pictures_are_painted_in_strips_and_look_the_same(
    renderer: Renderer, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = make_photo((130, 91))
    looks = [
        Look.even({"dots": 1}, 1),
        Look({"waves": 1}, 0.3, 1, is_color_kept=True),
        Look({"dots": 1}, 0.2, 1, stroke_size=2),
    ]
    whole = renderer.render([photo] * 3, looks)
    monkeypatch.setitem(renderer_module.WHOLE_PIXELS, "cpu", 1000)
    monkeypatch.setattr("stylize.render.streaming.STRIP_PIXELS", 2000)
    for one, other in zip(whole, renderer.render([photo] * 3, looks), strict=True):
        assert difference(one, other) < 1.5


def test_photos_of_any_size_keep_their_size_and_their_place(
    renderer: Renderer, make_photo: MakePhoto
) -> None:
    sizes = [(64, 48), (33, 47), (64, 48), (16, 16), (101, 20)]
    photos = [make_photo(size=size, seed=seed) for seed, size in enumerate(sizes)]
    mixtures = [{"dots": 1.0}, {"waves": 1.0}, {"stripes": 1.0, "dots": 1.0}, {"waves": 1.0}, {"dots": 1.0}]
    together = renderer.render(photos, mixtures)
    assert [picture.size for picture in together] == sizes
    for photo, mixture, picture in zip(photos, mixtures, together, strict=True):
        assert difference(renderer.render([photo], [mixture])[0], picture) < 0.5


def test_a_one_hot_mixture_is_the_style_and_weights_need_not_sum_to_one(
    renderer: Renderer, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    one, scaled, mixed = renderer.render(
        [photo] * 3, [{"dots": 1}, {"dots": 7, "waves": 0}, {"dots": 1, "waves": 1}]
    )
    assert difference(one, scaled) < 0.5
    assert difference(one, mixed) > 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_photos_of_other_modes_are_taken(renderer: Renderer, make_photo: MakePhoto, mode: str) -> None:
    assert renderer.render([make_photo().convert(mode)], [{"dots": 1}])[0].mode == "RGB"


def test_an_empty_request_gives_nothing(renderer: Renderer) -> None:
    assert renderer.render([], []) == []


def test_bad_requests_are_refused_with_their_own_errors(renderer: Renderer, make_photo: MakePhoto) -> None:
    photo = make_photo()
    with pytest.raises(UnknownStyle, match="stripes"):
        renderer.render([photo], [{"stripe": 1}])
    with pytest.raises(InvalidStyleWeights):
        renderer.render([photo], [{"dots": 0}])
    with pytest.raises(ImageTooSmall):
        renderer.render([make_photo(size=(15, 40))], [{"dots": 1}])
    with pytest.raises(ImageTooLarge):
        renderer.render([Image.new("RGB", (10_000, 5001))], [{"dots": 1}])
    with pytest.raises(ImageTooLarge, match=r"stroke size 0\.25"):
        renderer.render([Image.new("RGB", (2000, 2000))], [Look({"dots": 1}, stroke_size=0.25)])
    with pytest.raises(InvalidLook, match="50 x 50 px"):
        renderer.render([photo], [Look({"dots": 1}, 0, 1)], [Image.new("L", (50, 50))])
    with pytest.raises(ValueError, match="1 photos need as many"):
        renderer.render([photo], [])
    with pytest.raises(ValueError, match="1 photos need as many"):
        renderer.render([photo], [{"dots": 1}], [])


def test_running_out_of_memory_halves_the_batch(
    renderer: Renderer, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [make_photo(seed=seed) for seed in range(5)]
    expected = renderer.render(photos, [{"dots": 1}] * 5)
    paint, sizes = renderer._network.paint, []

    def at_most_two(images: torch.Tensor, *others: Any) -> torch.Tensor:
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return paint(images, *others)

    monkeypatch.setattr(renderer._network, "paint", at_most_two)
    pictures = renderer.render(photos, [{"dots": 1}] * 5)
    assert max(sizes) > 2
    assert all(difference(a, b) < 0.5 for a, b in zip(pictures, expected, strict=True))


def out_of_memory(*_: object) -> torch.Tensor:
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


def test_a_picture_that_does_not_fit_as_a_whole_is_painted_in_strips(
    renderer: Renderer, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = make_photo()
    (expected,) = renderer.render([photo], [{"dots": 1}])
    monkeypatch.setattr(renderer._network, "paint", out_of_memory)
    assert difference(renderer.render([photo], [{"dots": 1}])[0], expected) < 1.5


def test_a_picture_that_never_fits_is_a_clear_error(
    renderer: Renderer, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer._network, "paint", out_of_memory)
    monkeypatch.setattr(renderer._network, "develop", out_of_memory)
    with pytest.raises(OutOfMemory, match="96 x 80"):
        renderer.render([make_photo()], [{"dots": 1}])


def test_threads_may_share_a_renderer(renderer: Renderer, make_photo: MakePhoto) -> None:
    photos = [make_photo(seed=seed) for seed in range(6)]
    expected = [renderer.render([photo], [{"waves": 1}])[0] for photo in photos]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda photo: renderer.render([photo], [{"waves": 1}])[0], photos))
    assert all(difference(a, b) < 0.5 for a, b in zip(found, expected, strict=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_asking_for_a_gpu_without_one_is_refused(small_checkpoint: StyleCheckpoint) -> None:
    with pytest.raises(DeviceUnavailable, match="--device cpu"):
        Renderer(small_checkpoint, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_the_gpu_gives_the_cpus_pictures(shipped: Renderer, make_photo: MakePhoto) -> None:
    photo = make_photo(size=(128, 96))
    on_gpu = Renderer.open(device="cuda").render([photo], [{"udnie": 1}])[0]
    assert difference(on_gpu, shipped.render([photo], [{"udnie": 1}])[0]) < 2


def test_the_shipped_styles_are_all_different_and_none_is_the_photo(
    shipped: Renderer, make_photo: MakePhoto
) -> None:
    photo = make_photo(size=(96, 96))
    names = shipped.bank.names
    pictures = dict(
        zip(names, shipped.render([photo] * len(names), [{name: 1} for name in names]), strict=True)
    )
    for name, picture in pictures.items():
        assert difference(picture, photo) > 10, name
        others = [difference(picture, other) for other_name, other in pictures.items() if other_name != name]
        assert min(others) > 3, name


def test_the_version_is_the_checkpoints_digest(shipped: Renderer, renderer: Renderer) -> None:
    assert len(shipped.network_version) == 12
    assert int(shipped.network_version, 16) >= 0
    assert shipped.network_version != renderer.network_version
    assert [style.name for style in renderer.styles] == ["dots", "stripes", "waves"]
