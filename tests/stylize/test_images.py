import contextlib
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from stylize.errors import ImageTooLarge, UnreadableImage
from stylize.images import (
    crop_to_square,
    encode,
    find_photos,
    load_image,
    load_image_and_alpha,
    resize_short_side,
    resize_to_width,
    to_image,
    to_tensor,
)

RED = Image.new("RGB", (40, 30), (200, 30, 20))


def saved(image: Image.Image, format: str, **options: object) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A few hundred bytes that claim to be a picture of any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"])
def test_every_supported_format_comes_out_as_upright_rgb(format: str) -> None:  # noqa: A002
    image = load_image(saved(RED, format))
    assert (image.mode, image.size) == ("RGB", (40, 30))
    assert np.allclose(np.asarray(image).mean(axis=(0, 1)), (200, 30, 20), atol=4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = Image.new("RGB", (40, 30), "white")
    upright.paste("black", (0, 0, 20, 15))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    image = load_image(saved(stored, "PNG", exif=exif))
    assert np.array_equal(np.asarray(image), np.asarray(upright))


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    levels = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    image = load_image(saved(Image.fromarray(levels), "PNG"))
    assert np.array_equal(np.asarray(image)[..., 0], np.arange(256).reshape(16, 16))


def test_cmyk_becomes_rgb() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = load_image(saved(cyan, "JPEG")).getpixel((8, 8))
    assert red < 60
    assert green > 150
    assert blue > 150


def swapped_profile() -> bytes:
    """sRGB with the red and the green primary exchanged, under another name."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)
    return swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_embedded_profile_is_converted_to_srgb(mode: str) -> None:
    data = saved(RED.convert(mode), "PNG", icc_profile=swapped_profile())
    red, green, _ = load_image(data).getpixel((5, 5))
    assert red < 60
    assert green > 180


def test_an_srgb_or_damaged_profile_leaves_the_colours_alone() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, srgb[:60] + bytes(200)):
        assert load_image(saved(RED, "PNG", icc_profile=profile)).getpixel((5, 5)) == (200, 30, 20)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_are_white(mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0)).convert(mode)
    assert load_image(saved(image, "PNG")).getpixel((4, 4)) == (255, 255, 255)


def test_a_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (8, 8), 3)
    image.putpalette([0] * 768)
    assert load_image(saved(image, "PNG", transparency=3)).getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(format: str) -> None:  # noqa: A002
    frames = [Image.new("RGB", (20, 20), color) for color in ("#00ff00", "#ff0000")]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:])
    assert load_image(data).getpixel((10, 10))[1] > 250


def test_a_one_bit_picture_is_readable() -> None:
    assert load_image(saved(Image.new("1", (9, 9), 1), "PNG")).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("size", [(30_000, 30_000), (10_000, 9_999), (50_001, 1_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_enormous_pictures_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooLarge, match="50,000,000"):
        load_image(png_claiming(*size))


def test_the_limit_is_the_callers() -> None:
    data = saved(RED, "PNG")
    assert load_image(data, max_pixels=1200).size == (40, 30)
    with pytest.raises(ImageTooLarge, match="40 x 30"):
        load_image(data, max_pixels=1199)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_truncated_picture_is_unreadable(format: str) -> None:  # noqa: A002
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), format)
    for kept in (0.2, 0.5, 0.8):
        with pytest.raises(UnreadableImage, match="cannot be read as a picture"):
            load_image(data[: int(len(data) * kept)])


@pytest.mark.parametrize("data", [b"", b"hello, I am a text file", b"\xff\xd8\xff", b"<svg/>", bytes(5000)])
def test_what_is_no_picture_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableImage, match="save it as JPEG or PNG"):
        load_image(data)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_damage_gives_a_picture_or_one_of_our_errors() -> None:
    rng = np.random.default_rng(1)
    noise = Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8))
    for format in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"):  # noqa: A001
        whole = saved(noise, format)
        for _ in range(40):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 4):
                data[place] = rng.integers(256)
            with contextlib.suppress(UnreadableImage, ImageTooLarge):
                assert load_image(bytes(data), max_pixels=1_000_000).mode == "RGB"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"nowhere\.jpg"):
        load_image(tmp_path / "nowhere.jpg")


def test_photos_are_found_in_subfolders_in_a_fixed_order(tmp_path: Path) -> None:
    for name in ("b/two.PNG", "a/one.jpg", ".hidden.jpg", "notes.txt", "zero.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_photos(tmp_path)]
    assert found == ["a/one.jpg", "b/two.PNG", "zero.webp"]


def test_resizing_keeps_proportions() -> None:
    assert resize_to_width(RED, 80).size == (80, 60)
    assert resize_short_side(RED, 60).size == (80, 60)
    assert crop_to_square(RED, 12).size == (12, 12)
    assert resize_to_width(Image.new("RGB", (1000, 1)), 10).size == (10, 1)


def test_tensors_and_pictures_convert_without_loss() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    tensor = to_tensor(Image.fromarray(pixels))
    assert tensor.shape == (3, 5, 7)
    assert tensor.dtype == torch.float32
    assert np.array_equal(np.asarray(to_image(tensor)), pixels)
    assert to_image(torch.tensor([-1.0, 2.0, 0.5]).view(3, 1, 1)).getpixel((0, 0)) == (0, 255, 128)


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif", "png"])
def test_what_is_encoded_decodes_to_about_the_same(format: str) -> None:  # noqa: A002
    decoded = load_image(encode(RED, format, quality=90))  # type: ignore[arg-type]
    assert np.abs(np.asarray(decoded, dtype=int) - np.asarray(RED, dtype=int)).max() <= 4


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="jpeg, webp, avif, png"):
        encode(RED, "tga")  # type: ignore[arg-type]


def test_importing_the_front_doors_loads_no_torch() -> None:
    doors = "stylize.images, stylize.styles, stylize.__main__, stylize.render.renderer, stylize.checkpoint"
    code = f"import sys, {doors}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_alpha_comes_upright_with_its_picture() -> None:
    mask = Image.new("L", (40, 30), 0)
    mask.paste(255, (0, 0, 10, 30))
    cut_out = RED.copy()
    cut_out.putalpha(mask)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to see it upright
    picture, alpha = load_image_and_alpha(saved(cut_out, "PNG", exif=exif))
    assert alpha is not None
    assert (picture.mode, alpha.mode, picture.size, alpha.size) == ("RGB", "L", (30, 40), (30, 40))
    assert alpha.getpixel((15, 5)) == 255
    assert picture.getpixel((15, 5)) == (200, 30, 20)
    assert alpha.getpixel((15, 30)) == 0
    assert picture.getpixel((15, 30)) == (255, 255, 255)


@pytest.mark.parametrize("level", [0, 255])
def test_an_alpha_channel_that_says_nothing_is_left_out(level: int) -> None:
    layer = RED.copy()
    layer.putalpha(level)
    assert load_image_and_alpha(saved(layer, "PNG"))[1] is None
    assert load_image_and_alpha(saved(RED, "JPEG"))[1] is None
