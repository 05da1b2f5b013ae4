"""Pictures in and out: decode anything a shop may send, resize, encode. The only decoder of the project.

What comes out of `load_image` is an upright 8-bit RGB picture in sRGB. Importing this loads no torch.
"""

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from stylize.errors import ImageTooLarge, UnreadableImage

if TYPE_CHECKING:
    from torch import Tensor

ImageFormat = Literal["jpeg", "webp", "avif", "png"]

DECODED_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"})
MAX_PIXELS = 50_000_000

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged bytes; UnidentifiedImageError is an OSError."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright."""

EXIF_ORIENTATION = 0x0112
SRGB = ImageCms.createProfile("sRGB")


def load_image(source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture of `load_image_and_alpha`, which says how it is read and what may go wrong."""
    return load_image_and_alpha(source, max_pixels=max_pixels)[0]


def load_image_and_alpha(
    source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS
) -> tuple[Image.Image, Image.Image | None]:
    """The picture, upright, 8-bit RGB, and its alpha channel, mode L, where some of it is transparent.

    Transparent parts of the picture are white; of an animation it is the first frame.

    The size is checked before a single pixel is decoded. EXIF rotation is applied, embedded
    colour profiles (CMYK, wide RGB) are converted to sRGB, 16-bit grey is scaled, not clipped.

    Args:
        source: a path, or the bytes of the file.
        max_pixels: the most pixels that will be decoded.
    Raises:
        ImageTooLarge: width x height exceeds max_pixels.
        UnreadableImage: no such file, an unknown format, a damaged or truncated picture.
    """
    name = "the picture" if isinstance(source, bytes) else Path(source).name
    file = io.BytesIO(source) if isinstance(source, bytes) else Path(source)
    try:
        with Image.open(file, formats=DECODED_FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise ImageTooLarge(name, image.size, max_pixels)
            image.load()
            picture = _to_srgb(_to_eight_bits(_upright(image)))
            return _flatten(picture), _alpha(picture)
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(name, None, max_pixels) from error
    except FileNotFoundError as error:
        raise UnreadableImage(name, "there is no such file") from error
    except UnidentifiedImageError as error:
        known = ", ".join(DECODED_FORMATS)
        raise UnreadableImage(name, f"it is none of {known}; save it as JPEG or PNG") from error
    except DECODER_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableImage(name, f"{reason or type(error).__name__}; save or send it again") from error


def find_photos(folder: Path) -> list[Path]:
    """Every picture file below the folder, sorted by its path; hidden files stay out."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    return sorted(path for path in files if not path.name.startswith("."))


def resize_to_width(image: Image.Image, width: int) -> Image.Image:
    """The picture at this width in px, its proportions kept."""
    return _resize(image, (width, max(1, round(image.height * width / image.width))))


def resize_short_side(image: Image.Image, short_px: int) -> Image.Image:
    """The picture with its shorter side at short_px, its proportions kept."""
    scale = short_px / min(image.size)
    return _resize(image, (max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def crop_to_square(image: Image.Image, side_px: int) -> Image.Image:
    """The largest centred square of the picture, resized to side_px x side_px."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return _resize(image.crop((left, top, left + side, top + side)), (side_px, side_px))


def encode(image: Image.Image, format: ImageFormat, quality: int = 85) -> bytes:  # noqa: A002
    """The file's bytes. Quality is 1-100 and means nothing to png.

    WebP and AVIF are encoded at the effort that costs tens of milliseconds, not hundreds.
    """
    options: dict[ImageFormat, dict[str, int | bool]] = {
        "jpeg": {"quality": quality, "optimize": True, "progressive": True},
        "webp": {"quality": quality, "method": 4},
        "avif": {"quality": quality, "speed": 8},
        "png": {"optimize": False},
    }
    if format not in options:
        raise ValueError(f"format must be one of {', '.join(options)}, got {format!r}")
    buffer = io.BytesIO()
    image.save(buffer, format=format.upper(), **options[format])
    return buffer.getvalue()


def to_tensor(image: Image.Image) -> "Tensor":
    """Float RGB in [0, 1], shape (3, H, W)."""
    import torch

    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1).float().div_(255.0)


def to_image(tensor: "Tensor") -> Image.Image:
    """The picture of a (3, H, W) tensor in [0, 1], rounded to 8 bits; values outside are clipped."""
    pixels = tensor.detach().float().clamp(0, 1).mul(255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION)
    except DECODER_ERRORS:
        return image  # a photo with damaged EXIF is still a photo
    if orientation not in UPRIGHT:
        return image
    turned = image.transpose(UPRIGHT[orientation])
    turned.info = image.info
    return turned


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion of 16-bit grey clips everything above 255 to white."""
    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image, dtype=np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError("integer pixels beyond 16 bits")
    return Image.fromarray((levels / 257).round().astype(np.uint8))


def _to_srgb(image: Image.Image) -> Image.Image:
    profile_bytes = image.info.get("icc_profile")
    if not profile_bytes or image.mode not in {"RGB", "RGBA", "CMYK", "L"}:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
        if "srgb" in ImageCms.getProfileDescription(profile).lower():
            return image
        colors = image.convert("RGB") if image.mode == "RGBA" else image
        converted = ImageCms.profileToProfile(colors, profile, SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that is damaged or of another colour space is left aside
    if converted is not None and image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted or image


def _alpha(image: Image.Image) -> Image.Image | None:
    """None where the picture is opaque, or nothing of it can be seen."""
    if not image.has_transparency_data:
        return None
    alpha = image.convert("RGBA").getchannel("A")
    lowest, highest = alpha.getextrema()
    return alpha if lowest != 255 and highest != 0 else None


def _flatten(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")
