"""The door to stylize: keys in, pictures out; shared, kept, and honest about what it cannot do."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personalize.data.photos import store_photo
from personalize.data.records import CatalogueProduct
from personalize.errors import RendererBusy, UnknownRender, UnknownStyle, UnreadablePhoto
from personalize.rendering import Renders, measure_photo, styles_of_checkpoint
from personalize.rendering.keys import FORMATS, PictureFormat, RenderKey, Treatment
from personalize.rendering.renders import painting_width
from personalize.settings import Settings
from stylize.checkpoint import read_checkpoint, shipped_checkpoint_path
from stylize.errors import StylizeError

WIDTH = 48


def photo_bytes(width: int = 96, height: int = 64, seed: int = 0) -> bytes:
    """Smooth random colours: a picture that survives compression."""
    coarse = np.random.default_rng(seed).integers(40, 220, (4, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, device="cpu")


@pytest.fixture
def renders(settings: Settings) -> Iterator[Renders]:
    with Renders.open(settings) as renders:
        yield renders


@pytest.fixture
def product(settings: Settings) -> CatalogueProduct:
    return make_product(settings)


def make_product(settings: Settings, content: bytes | None = None) -> CatalogueProduct:
    content = content or photo_bytes()
    with Image.open(io.BytesIO(content)) as image:
        return CatalogueProduct("mug", "Mug", "mug", store_photo(settings.photos_dir, content), *image.size)


def pixels(payload: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(payload)) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


def style(renders: Renders) -> str:
    return next(iter(renders._thumbnails))


def test_a_render_has_the_width_and_format_that_were_asked_for(
    renders: Renders, product: CatalogueProduct
) -> None:
    for name in FORMATS:
        picture = renders.submit(renders.key(product, {style(renders): 1.0}, WIDTH, name)).result()
        with Image.open(io.BytesIO(picture.payload)) as image:
            assert (image.format or "").lower() == name
            assert image.size == (48, 32)
        assert picture.media_type == f"image/{name}"


def test_styles_differ_from_the_photo_and_from_each_other(
    renders: Renders, product: CatalogueProduct
) -> None:
    names = list(renders._thumbnails)[:3]
    photo = pixels(renders.submit(renders.key(product, {}, WIDTH, "webp")).result().payload)
    styled = [
        pixels(renders.submit(renders.key(product, {name: 1.0}, WIDTH, "webp")).result().payload)
        for name in names
    ]
    everything = [photo, *styled]
    for i, one in enumerate(everything):
        assert all(np.abs(one - other).mean() > 3 for other in everything[:i])


def test_strength_zero_gives_back_the_photo(settings: Settings, product: CatalogueProduct) -> None:
    with Renders.open(settings.model_copy(update={"strength": 0.0})) as renders:
        key = renders.key(product, {style(renders): 1.0}, 96, "jpeg")
        picture = renders.submit(key).result()
    original = pixels((settings.photos_dir / product.photo_sha256[:2] / product.photo_sha256).read_bytes())
    assert np.abs(pixels(picture.payload) - original).mean() < 3


def test_the_treatment_comes_from_the_settings_and_where_they_are_silent_from_the_checkpoint(
    settings: Settings, product: CatalogueProduct
) -> None:
    default = read_checkpoint(shipped_checkpoint_path()).default_strengths
    said: list[tuple[dict[str, object], Treatment]] = [
        ({}, Treatment.of(*default)),
        ({"strength": 0.5}, Treatment(0.5, 0.5)),
        ({"strength": 0.5, "subject_strength": 0.2}, Treatment(0.2, 0.5)),
        ({"background_strength": 0.0}, Treatment.of(default[0], 0.0)),
        (
            {"strength": 1.0, "keep_colors": True, "keep_white": True, "stroke_size": 2.0},
            Treatment(1, 1, is_color_kept=True, is_white_kept=True, stroke_size=2.0),
        ),
    ]
    for changes, treatment in said:
        with Renders.open(settings.model_copy(update=changes)) as renders:
            assert renders.treatment == treatment
            assert renders.key(product, {style(renders): 1.0}, WIDTH, "webp").treatment == treatment


def test_an_address_with_another_treatment_is_another_picture(
    renders: Renders, product: CatalogueProduct
) -> None:
    def ask(treatment: Treatment) -> np.ndarray:
        key = renders.key(product, {style(renders): 1.0}, 96, "webp")
        return pixels(renders.submit(replace(key, treatment=treatment)).result().payload)

    full, colored = ask(Treatment(1, 1)), ask(Treatment(1, 1, is_color_kept=True))
    large = ask(Treatment(1, 1, stroke_size=2))
    assert np.abs(full - colored).mean() > 3
    assert np.abs(full - large).mean() > 3


def test_the_alpha_of_a_cut_out_photo_says_where_the_product_is(renders: Renders, settings: Settings) -> None:
    with Image.open(io.BytesIO(photo_bytes())) as photo:
        alpha = Image.new("L", photo.size)
        alpha.paste(255, (0, 0, photo.width // 2, photo.height))
        photo.putalpha(alpha)
        buffer = io.BytesIO()
        photo.save(buffer, "PNG")
    product = make_product(settings, buffer.getvalue())
    shown = pixels(renders.submit(renders.key(product, {}, 96, "webp")).result().payload)
    key = renders.key(product, {style(renders): 1.0}, 96, "webp")
    painted = pixels(renders.submit(replace(key, treatment=Treatment(0, 1))).result().payload)
    changed = np.abs(painted - shown).mean(axis=(0, 2))
    assert changed[:40].mean() < 4 < 12 < changed[56:].mean()


def test_a_render_is_never_wider_than_its_photo(renders: Renders, product: CatalogueProduct) -> None:
    assert renders.key(product, {}, 2048, "jpeg").width_px == product.width_px
    wide = RenderKey.of(
        product.photo_sha256, {}, treatment=Treatment(1, 1), network_version="", width_px=2048, format="jpeg"
    )
    with pytest.raises(UnknownRender, match="only 96 px wide"):
        renders.submit(wide).result()


def test_a_second_request_is_answered_from_the_store(renders: Renders, product: CatalogueProduct) -> None:
    key = renders.key(product, {style(renders): 1.0}, WIDTH, "webp")
    first = renders.submit(key).result()
    settle(renders)
    assert renders.submit(key).result() == first
    assert (renders.counts.rendered, renders.counts.found) == (1, 1)


def test_identical_requests_share_one_render(renders: Renders, product: CatalogueProduct) -> None:
    key = renders.key(product, {style(renders): 1.0}, WIDTH, "webp")
    together = threading.Barrier(8)
    answers: list[Future[object]] = []

    def ask() -> None:
        together.wait()
        answers.append(renders.submit(key))  # type: ignore[arg-type]

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.result() for answer in answers}) == 1
    assert renders.counts.rendered == 1


def test_a_damaged_stored_picture_is_rendered_again(
    renders: Renders, product: CatalogueProduct, settings: Settings
) -> None:
    key = renders.key(product, {}, WIDTH, "jpeg")
    first = renders.submit(key).result()
    settle(renders)
    (path,) = [path for path in (settings.data_dir / "renders").rglob("*") if path.is_file()]
    path.write_bytes(path.read_bytes()[:-40])
    assert renders.submit(key).result() == first
    assert renders.counts.rendered == 2


def test_what_no_url_of_ours_names_is_unknown(renders: Renders, product: CatalogueProduct) -> None:
    def ask(**changes: object) -> None:
        values = {
            "treatment": Treatment(0.4, 1.0),
            "network_version": renders.network_version,
            "width_px": 48,
        } | changes
        sha = str(values.pop("photo_sha256", product.photo_sha256))
        weights = {str(values.pop("style", style(renders))): 1.0}
        renders.submit(RenderKey.of(sha, weights, format="jpeg", **values)).result()  # type: ignore[arg-type]

    ask()
    with pytest.raises(UnknownRender, match="no such photo"):
        ask(photo_sha256="0" * 64, width_px=40)
    with pytest.raises(UnknownRender, match="no style 'nope'"):
        ask(style="nope")
    with pytest.raises(UnknownRender, match="not in use any more"):
        ask(network_version="feedfeedfeed")


def test_a_photo_that_rotted_away_is_named(renders: Renders, settings: Settings) -> None:
    product = make_product(settings, photo_bytes(seed=1))
    (settings.photos_dir / product.photo_sha256[:2] / product.photo_sha256).write_bytes(b"\xff\xd8\xff rot")
    with pytest.raises(UnreadablePhoto, match="personalize catalog add"):
        renders.submit(renders.key(product, {}, WIDTH, "jpeg")).result()


def test_one_failure_does_not_disturb_the_next_render(renders: Renders, product: CatalogueProduct) -> None:
    good = renders.key(product, {}, WIDTH, "jpeg")
    bad = RenderKey.of("0" * 64, {}, treatment=Treatment(), network_version="", width_px=48, format="jpeg")
    for _ in range(3):
        assert isinstance(renders.submit(bad).exception(), UnknownRender)
        assert renders.submit(good).result().payload


def test_more_requests_than_may_wait_are_refused_before_anything_is_decided(settings: Settings) -> None:
    with Renders.open(settings.model_copy(update={"max_pending_renders": 2})) as renders:
        with renders.admitted(), renders.admitted():
            with pytest.raises(RendererBusy) as refused, renders.admitted():
                pass
            assert refused.value.retry_after_seconds >= 1
        with renders.admitted():
            assert renders.n_waiting == 1


def test_prerendering_fills_the_store_and_reports_its_progress(
    renders: Renders, product: CatalogueProduct
) -> None:
    formats: tuple[PictureFormat, ...] = ("jpeg", "webp")
    names = list(renders._thumbnails)[:12]
    keys = [renders.key(product, {name: 1.0}, WIDTH, one) for name in names for one in formats] * 2
    seen: list[tuple[int, int]] = []
    assert renders.prerender(keys, lambda done, total: seen.append((done, total))) == 0
    settle(renders)
    assert all(renders.find(key) for key in keys)
    assert seen == sorted(seen)
    assert seen[-1] == (24, 24)


def test_prerendering_counts_what_it_could_not_render(renders: Renders, product: CatalogueProduct) -> None:
    bad = RenderKey.of("0" * 64, {}, treatment=Treatment(), network_version="", width_px=48, format="jpeg")
    assert renders.prerender([bad, renders.key(product, {}, WIDTH, "jpeg")]) == 1


@pytest.mark.parametrize("size", [(16, 16), (400, 20), (20, 400), (640, 480)])
def test_photos_of_any_proportions_can_be_painted(
    renders: Renders, settings: Settings, size: tuple[int, int]
) -> None:
    product = make_product(settings, photo_bytes(*size))
    key = renders.key(product, {style(renders): 1.0}, 16, "jpeg")
    height, width, _ = pixels(renders.submit(key).result().payload).shape
    assert (width, height) == (16, max(1, round(16 * size[1] / size[0])))


@pytest.mark.parametrize("size", [(16, 16), (10_000, 30), (30, 10_000), (5000, 5000)])
def test_nothing_is_painted_outside_the_renderers_bounds(size: tuple[int, int]) -> None:
    for width_px in (16, 480, 2048):
        for stroke_size in (0.25, 1.0, 4.0):
            painted = painting_width(size, width_px, stroke_size)
            height = painted * size[1] / size[0]
            assert min(painted, height) >= 15.5
            assert painted * height / min(1, stroke_size) ** 2 <= 8_000_000


def test_thumbnails_are_jpegs_and_unknown_ones_name_the_offer(renders: Renders) -> None:
    assert renders.thumbnail(style(renders)).payload.startswith(b"\xff\xd8")
    with pytest.raises(UnknownStyle, match=style(renders)):
        renders.thumbnail("nope")


def test_the_styles_on_offer_have_titles_and_content_vectors(settings: Settings) -> None:
    styles = styles_of_checkpoint(settings)
    assert len({style.style_id for style in styles}) == len(styles) > 1
    assert all(any(style.content_vector) for style in styles)
    assert all(style.title[0].isupper() and "_" not in style.title for style in styles)


def test_photos_unfit_for_the_catalogue_are_refused_with_the_reason(tmp_path: Path) -> None:
    text, truncated, tiny, huge = (tmp_path / name for name in ("a.jpg", "b.png", "c.png", "d.png"))
    text.write_text("I am no picture")
    truncated.write_bytes(photo_bytes()[:-200])
    tiny.write_bytes(photo_bytes(15, 200))
    huge.write_bytes(photo_bytes(200, 200))
    for path in (text, truncated, tiny):
        with pytest.raises(StylizeError, match=path.name):
            measure_photo(path, max_pixels=1_000_000)
    with pytest.raises(StylizeError, match="limit"):
        measure_photo(huge, max_pixels=30_000)


def settle(renders: Renders) -> None:
    """Wait until the pool has written what it answered."""
    renders._pool.submit(lambda: None).result()
    while renders._running:
        renders._pool.submit(lambda: None).result()
