from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from stylize.checkpoint import StyleCheckpoint
from stylize.errors import (
    DeviceUnavailable,
    ImageTooLarge,
    ImageTooSmall,
    InvalidStyleWeights,
    OutOfMemory,
    UnknownStyle,
)
from stylize.render.renderer import Renderer

MakePhoto = Callable[..., Image.Image]


@pytest.fixture
def renderer(small_checkpoint: StyleCheckpoint) -> Renderer:
    return Renderer(small_checkpoint, device="cpu")


@pytest.fixture(scope="module")
def shipped() -> Renderer:
    return Renderer.open(device="cpu")


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference in levels of 255."""
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean())


def test_strength_zero_gives_back_the_photo_exactly(renderer: Renderer, make_photo: MakePhoto) -> None:
    photo = make_photo()
    assert difference(renderer.render([photo], [{"dots": 1}], strength=0)[0], photo) == 0


def test_strength_goes_straight_from_the_photo_to_the_style(
    renderer: Renderer, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    half, full = renderer.render([photo, photo], [{"dots": 1}] * 2, strength=[0.5, 1.0])
    middle = Image.blend(photo, full, 0.5)
    assert np.abs(np.asarray(half, dtype=int) - np.asarray(middle, dtype=int)).max() <= 1


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


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), [1.0, 1.0]])
def test_a_strength_outside_zero_to_one_is_refused(
    renderer: Renderer, make_photo: MakePhoto, strength: float | list[float]
) -> None:
    with pytest.raises(ValueError, match="strength"):
        renderer.render([make_photo()], [{"dots": 1}], strength)


def test_bad_requests_are_refused_with_their_own_errors(renderer: Renderer, make_photo: MakePhoto) -> None:
    photo = make_photo()
    with pytest.raises(UnknownStyle, match="stripes"):
        renderer.render([photo], [{"stripe": 1}])
    with pytest.raises(InvalidStyleWeights):
        renderer.render([photo], [{"dots": 0}])
    with pytest.raises(ImageTooSmall):
        renderer.render([make_photo(size=(15, 40))], [{"dots": 1}])
    with pytest.raises(ImageTooLarge):
        renderer.render([Image.new("RGB", (4000, 2001))], [{"dots": 1}])
    with pytest.raises(ValueError, match="1 photos need as many"):
        renderer.render([photo], [])


def test_running_out_of_memory_halves_the_batch(
    renderer: Renderer, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [make_photo(seed=seed) for seed in range(5)]
    expected = renderer.render(photos, [{"dots": 1}] * 5)
    network, sizes = renderer._network, []

    def at_most_two(images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return network(images, weights)  # type: ignore[no-any-return]

    monkeypatch.setattr(renderer, "_network", at_most_two)
    pictures = renderer.render(photos, [{"dots": 1}] * 5)
    assert max(sizes) > 2
    assert all(difference(a, b) < 0.5 for a, b in zip(pictures, expected, strict=True))


def test_a_picture_that_never_fits_is_a_clear_error(
    renderer: Renderer, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(renderer, "_network", never)
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
